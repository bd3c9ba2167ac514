package feedserver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// breath is how long a request waits between two looks at the least, should the
// log wake it for nothing.
const breath = 250 * time.Millisecond

// mayWait returns the time that one request may wait for a change, as a context:
// it ends with the time that was asked for, with the caller, or with the server.
// It is nil if the request may not wait at all. done gives everything back.
func (s *Server) mayWait(ctx context.Context, wait time.Duration) (hold context.Context, done func()) {
	nothing := func() {}
	if wait <= 0 {
		return nil, nothing
	}
	select {
	case <-s.release:
		return nil, nothing
	default:
	}
	select {
	case s.held <- struct{}{}:
	default:
		s.say.warn(ctx, "too many callers wait for changes", errors.New("some are answered at once"))
		return nil, nothing
	}
	hold, cancel := context.WithTimeout(ctx, wait)
	go func() {
		select {
		case <-s.release:
			cancel()
		case <-hold.Done():
		}
	}()
	s.metrics.held.Inc()
	return hold, func() {
		cancel()
		s.metrics.held.Dec()
		<-s.held
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// often is how often one kind of trouble is logged.
const often = time.Minute

// occasionally logs a kind of trouble when it is new, and once per interval.
type occasionally struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time
}

func (o *occasionally) warn(ctx context.Context, message string, err error) {
	o.mu.Lock()
	now := time.Now()
	quiet := now.Sub(o.last[message]) < often
	if !quiet {
		if o.last == nil {
			o.last = map[string]time.Time{}
		}
		o.last[message] = now
	}
	o.mu.Unlock()
	if !quiet {
		o.log.WarnContext(ctx, message, "err", err)
	}
}
