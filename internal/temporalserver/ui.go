//go:build !noembed

package temporalserver

import (
	"context"
	"fmt"
	"io"
	"net/http"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// webUI is the Web UI: an HTTP server that is a gRPC client of Temporal and holds
// the pages in the binary.
type webUI struct {
	server *uiserver.Server
	url    string
	done   chan struct{}
}

// startUI starts the Web UI without waiting for it. It ends the process, with a
// message, if it cannot listen; choosePorts has made sure that it can.
func startUI(p ports, namespace string) *webUI {
	u := &webUI{
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			TemporalGRPCAddress: address(p.frontend),
			Host:                loopback,
			Port:                p.ui,
			EnableUI:            true,
			DefaultNamespace:    namespace,
			// Pages must not make the operator's browser talk to the outside.
			DisableNewsFetch: true,
			// Plain HTTP on loopback: browsers would drop secure cookies.
			CORS:     uiconfig.CORS{CookieInsecure: true},
			HideLogs: true,
		})),
		url:  "http://" + address(p.ui),
		done: make(chan struct{}),
	}
	go func() {
		defer close(u.done)
		_ = u.server.Start() // nil after Stop; everything else it treats as fatal itself
	}()
	return u
}

// wait returns when the Web UI answers.
func (u *webUI) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return poll(ctx, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url+"/healthz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("HTTP status %s", response.Status)
		}
		return nil
	})
}

// stop ends the Web UI and the requests it is answering: pages wait for changes
// with requests that would take a minute.
func (u *webUI) stop() {
	u.server.Stop()
	<-u.done
}
