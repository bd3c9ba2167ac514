// Package codecserver lets the Temporal Web UI and the temporal CLI show what a codec
// has encrypted: it speaks Temporal's remote codec protocol, POST /encode and /decode
// of payloads as JSON.
//
// It decrypts for whoever reaches it, and knows nobody by name. So it listens on
// loopback only, refuses a request whose Host is another (a name that was pointed at
// loopback, DNS rebinding), and pages of other origins than those it was told of. Who
// is elsewhere comes through an SSH tunnel, or a reverse proxy that asks who is there.
// Nothing is logged.
//
// Source: https://docs.temporal.io/production-deployment/data-encryption
package codecserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc/status"
)

const (
	// maxBody bounds a request. Temporal takes 2 MiB for a payload and 4 MiB for a
	// message; in base64, and a few of them at once, it is less than this.
	maxBody = 32 << 20

	// requestTimeout is for reading a request and for answering it, endTimeout for those
	// under way when the server ends.
	requestTimeout = 30 * time.Second
	endTimeout     = 5 * time.Second

	// preflightAge is for how long a browser may remember what it may ask.
	preflightAge = "600"
)

// Options say what is served.
type Options struct {
	Codec converter.PayloadCodec

	// Namespace is the one whose payloads are encrypted. What somebody sends to another,
	// as X-Namespace names it, comes back from /encode as it is: its workflows have other
	// workers. Decoding depends on the payload alone.
	Namespace string

	// Origins are those of the Web UIs that may ask, as [Origin] returns them. Without any,
	// no page of a browser may.
	Origins []string
}

// New returns the handler.
func New(o Options) http.Handler {
	own := converter.NewPayloadCodecHTTPHandler(plainErrors{o.Codec})
	other := converter.NewPayloadCodecHTTPHandler(decodeOnly{plainErrors{o.Codec}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		switch {
		case !loopbackHost(r.Host):
			http.Error(w, "the Host of the request is not loopback; a reverse proxy has to send that of where it goes", http.StatusForbidden)
			return
		case origin != "" && !slices.Contains(o.Origins, origin):
			http.Error(w, "pages of "+origin+" may not ask: chef-sync-ctl codec-server --origin "+origin, http.StatusForbidden)
			return
		case origin != "":
			allow(h, origin, r)
		}
		switch {
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
			return
		case r.Method != http.MethodPost:
			h.Set("Allow", "OPTIONS, POST")
			http.Error(w, "POST payloads to /decode or /encode", http.StatusMethodNotAllowed)
			return
		case r.ContentLength > maxBody:
			http.Error(w, fmt.Sprintf("the request has more than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody) // where the length was not told
		if ns := r.Header.Get("X-Namespace"); ns != "" && ns != o.Namespace {
			other.ServeHTTP(w, r)
			return
		}
		own.ServeHTTP(w, r)
	})
}

// allow tells a browser what a page of an origin may send. The Web UI sends its
// namespace and, if it is set to, its access token or its cookies, which a reverse
// proxy may ask for.
// Source: https://github.com/temporalio/ui/pull/1118
func allow(h http.Header, origin string, r *http.Request) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Authorization-Extras, Content-Type, X-Namespace")
	h.Set("Access-Control-Max-Age", preflightAge)
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" { // the Web UI is not on loopback
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// loopbackHost reports whether the Host of a request is this host, by whatever port.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return isLoopback(strings.Trim(host, "[]"))
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// Origin returns an origin as browsers write it: scheme, host and a port that is not the
// scheme's own.
func Origin(text string) (string, error) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
		u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not the origin of a Web UI: write scheme, host and port, as in https://temporal.example.com:8080", text)
	}
	host := u.Host
	if p := u.Port(); p == "" || u.Scheme == "http" && p == "80" || u.Scheme == "https" && p == "443" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	return u.Scheme + "://" + host, nil
}

// ErrNotLoopback says that an address can be reached from other hosts.
var ErrNotLoopback = errors.New("not on loopback")

// Listen listens on an address of loopback, HOST:PORT. Returns ErrNotLoopback for any
// other.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return nil, err
	case !isLoopback(host):
		return nil, fmt.Errorf("%s: %w", address, ErrNotLoopback)
	case strings.EqualFold(host, "localhost"):
		host = "127.0.0.1" // whatever the name means here
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
}

// Serve answers on l until ctx ends, and lets requests under way finish. It closes l. It
// returns nil if ctx ended it.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: requestTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: 2 * requestTimeout, MaxHeaderBytes: 64 << 10, // cookies and tokens
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ectx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := s.Shutdown(ectx); err != nil {
		return s.Close()
	}
	return nil
}

// plainErrors is a codec whose errors are sentences.
type plainErrors struct{ converter.PayloadCodec }

// Decode implements converter.PayloadCodec.
func (c plainErrors) Decode(in []*common.Payload) ([]*common.Payload, error) {
	out, err := c.PayloadCodec.Decode(in)
	if s, ok := status.FromError(err); ok && err != nil {
		return nil, errors.New(s.Message())
	}
	return out, err
}

// decodeOnly is a codec that encodes nothing.
type decodeOnly struct{ converter.PayloadCodec }

// Encode implements converter.PayloadCodec.
func (decodeOnly) Encode(in []*common.Payload) ([]*common.Payload, error) { return in, nil }
