package feedserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// shutdownTime is how long requests that are being answered may take to end.
const shutdownTime = 10 * time.Second

// Serve answers requests on l until ctx ends, then answers those that wait for a
// change, and returns when all are answered, or after ten seconds. certs is nil
// for plain http.
func (s *Server) Serve(ctx context.Context, l net.Listener, certs *tls.Config) error {
	if certs != nil {
		l = tls.NewListener(l, certs)
	}
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than nginx keeps its own
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.Release()
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	err := server.Shutdown(down)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	return err
}
