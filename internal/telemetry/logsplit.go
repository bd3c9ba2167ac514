package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"github.com/chef-sync/chef-sync/internal/logfile"
)

// logs are the files of one directory.
type logs struct {
	options Options
	handler *slog.HandlerOptions
	manager slog.Handler

	mu    sync.Mutex
	open  map[string]slog.Handler // by organization
	files []*logfile.Writer
}

// handlerOf returns the handler that writes a file; l.mu is held, or l is new.
func (l *logs) handlerOf(path string) slog.Handler {
	w := logfile.NewWriter(path, l.options.MaxBytes, l.options.Keep)
	l.files = append(l.files, w)
	return slog.NewJSONHandler(w, l.handler)
}

// organization returns the handler of an organization's file.
func (l *logs) organization(org string) slog.Handler {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.open[org]
	if !ok {
		h = l.handlerOf(filepath.Join(l.options.Directory, logfile.Organization(org)))
		l.open[org] = h
	}
	return h
}

// Close closes the files.
func (l *logs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, w := range l.files {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// split is a handler that gives each record to the files that it belongs into.
type split struct {
	logs *logs
	org  string // that of an attribute given before; "" if none
	made []func(slog.Handler) slog.Handler
}

// Enabled reports whether a level is written.
func (s *split) Enabled(_ context.Context, level slog.Level) bool {
	return level >= s.logs.handler.Level.Level()
}

// Handle writes a record.
func (s *split) Handle(ctx context.Context, r slog.Record) error {
	org := s.org
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == AttrOrg {
			org = a.Value.String()
		}
		return true
	})
	if org == "" || !s.logs.options.Organizations {
		return s.with(s.logs.manager).Handle(ctx, r)
	}
	err := s.with(s.logs.organization(org)).Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		err = errors.Join(err, s.with(s.logs.manager).Handle(ctx, r))
	}
	return err
}

// with gives a handler the attributes and groups that the logger was given.
func (s *split) with(h slog.Handler) slog.Handler {
	for _, f := range s.made {
		h = f(h)
	}
	return h
}

// WithAttrs returns a handler that adds attributes to each record.
func (s *split) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := s.and(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
	for _, a := range attrs {
		if a.Key == AttrOrg {
			out.org = a.Value.String()
		}
	}
	return out
}

// WithGroup returns a handler that puts what follows into a group.
func (s *split) WithGroup(name string) slog.Handler {
	return s.and(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (s *split) and(f func(slog.Handler) slog.Handler) *split {
	return &split{logs: s.logs, org: s.org, made: append(slices.Clip(s.made), f)}
}
