//go:build !noembed

package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/temporal"
)

// Embedded says whether this binary holds a Temporal server.
func Embedded() bool { return true }

// Server is a running Temporal server. Start makes one.
type Server struct {
	ports    ports
	lock     *fileLock // nil in memory
	logger   *logger
	temporal temporal.Server
	ui       *webUI // nil without a Web UI
	stop     sync.Once
}

// Start starts a server and returns when it answers gRPC requests for the
// namespace and, if there is one, when the Web UI answers.
//
// It returns ErrPortInUse if a port is taken, ErrLocked if another process uses
// the database, ErrNotEmbedded in a binary without a server, and the error of ctx
// if that ends while the server starts. After an error nothing runs and nothing is
// locked, and Start may be called again.
func Start(ctx context.Context, o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("embedded Temporal server: %w", err)
	}
	s := &Server{logger: newLogger(o.Logger)}
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start embedded Temporal server: %w", err)
	}
	return s, nil
}

// start does the work of Start; s holds what has to be undone after an error.
func (s *Server) start(ctx context.Context, o Options) error {
	// The lock comes first: its error names the process, that of a taken port cannot.
	db, lock, err := openDatabase(o)
	if err != nil {
		return err
	}
	s.lock = lock
	if s.ports, err = choosePorts(o); err != nil {
		return err
	}
	if err := createNamespace(db, o); err != nil {
		return fmt.Errorf("create namespace %s: %w", o.Namespace, err)
	}
	if err := s.startTemporal(db); err != nil {
		return err
	}
	if err := prepareNamespace(ctx, s.HostPort(), o); err != nil {
		return err
	}
	if !o.NoUI {
		s.ui = startUI(s.ports, o.Namespace)
		if err := s.ui.wait(ctx); err != nil {
			return fmt.Errorf("wait for the Web UI at %s: %w", s.UIURL(), err)
		}
	}
	return ctx.Err()
}

// startTemporal starts the four services. A goroutine of its own, because a fatal
// log line ends the goroutine it is logged in; see logger.Fatal.
func (s *Server) startTemporal(db *config.SQL) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("did not finish")
		defer func() { done <- err }()
		var t temporal.Server
		if t, err = newTemporal(db, s.ports, s.logger); err != nil {
			return
		}
		s.temporal = t // only now: next to an error, t is not nil but holds a nil pointer
		err = t.Start()
	}()
	err := <-done
	if fatal := s.logger.phase.failure(); fatal != nil {
		return fatal
	}
	s.logger.phase.started()
	return err
}

// HostPort returns the address for client.Options.HostPort.
func (s *Server) HostPort() string { return address(s.ports.frontend) }

// UIURL returns the address of the Web UI, without a slash at its end, or the empty
// string if there is none.
func (s *Server) UIURL() string {
	if s.ports.ui == 0 {
		return ""
	}
	return "http://" + address(s.ports.ui)
}

// Stop ends the Web UI, then the server, and gives the database free for another
// process. It takes about a second. Workers and clients should be stopped before:
// a worker that is not keeps on asking. Calling Stop again does nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.logger.phase.stop()
		if s.ui != nil {
			s.ui.stop()
		}
		if s.temporal != nil {
			if err := s.temporal.Stop(); err != nil {
				s.logger.to.Error("stop temporal server", "err", err)
			}
		}
		if s.lock != nil {
			s.lock.release()
		}
	})
}
