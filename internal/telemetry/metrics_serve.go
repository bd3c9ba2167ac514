package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTime bounds how long /readyz waits for an answer.
const readyTime = 2 * time.Second

// Handler serves
//
//	/metrics  for Prometheus
//	/healthz  200 as long as the process can answer at all
//	/readyz   200 if ready returns nil within two seconds, else 503 and its error
func (m *Metrics) Handler(ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTime)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

// Server is a running HTTP server of [Metrics.Handler].
type Server struct {
	server *http.Server
	addr   string
	done   chan error
}

// Serve listens on an address, host:port, and serves until [Server.Stop]. It
// returns an error if the address cannot be had.
func (m *Metrics) Serve(ctx context.Context, address string, ready func(context.Context) error) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{addr: l.Addr().String(), done: make(chan error, 1), server: &http.Server{
		Handler: m.Handler(ready), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute,
	}}
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

// Address is the host and port that it listens on.
func (s *Server) Address() string { return s.addr }

// Stop ends it at once, and returns why it had ended before, if it had.
func (s *Server) Stop() error {
	_ = s.server.Close()
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
