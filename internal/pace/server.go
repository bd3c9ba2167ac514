package pace

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultParallel is how many requests at a time a zero [Limits.Parallel] means.
const DefaultParallel = 8

const (
	// MaxAlone bounds how long a server is left alone for one answer. Then it is
	// asked again, and may say the same.
	MaxAlone = time.Hour

	// patience is how long [Server.Begin] itself waits while a server is to be left
	// alone. Whoever has to wait longer had better say so.
	patience = 30 * time.Second
)

// Limits are what a server is asked for at the most.
type Limits struct {
	Parallel          int   // requests at a time; 0 = [DefaultParallel]
	RequestsPerSecond int   // 0 = any number
	BytesPerSecond    int64 // of files, both ways together; 0 = any number
}

// Both returns the smaller of each limit of two.
func (l Limits) Both(o Limits) Limits {
	return Limits{
		Parallel:          lower(l.Parallel, o.Parallel),
		RequestsPerSecond: lower(l.RequestsPerSecond, o.RequestsPerSecond),
		BytesPerSecond:    lower(l.BytesPerSecond, o.BytesPerSecond),
	}
}

// lower returns the smaller of two numbers, of which 0 is none.
func lower[T int | int64](a, b T) T {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// A Clock is the time that a [Server] lives by. The zero value is the real one.
type Clock struct {
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error // returns the context's error if that ends first
}

// A Server is the pace of one server. Its methods are safe for concurrent use.
type Server struct {
	limits   Limits
	clock    Clock
	requests *rate.Limiter // nil = no limit
	bytes    *rate.Limiter // nil = no limit
	chunk    int           // most bytes that one call of the bytes limiter takes

	mu         sync.Mutex
	inFlight   int       // turns that take a slot
	held       int       // requests that the server may hold
	queue      list.List // of chan struct{}, closed when its turn has come
	window     window
	alone      time.Time // until when the server is left alone
	aloneWhy   string
	waitedRate time.Time // when a request, or a byte, last waited for its limit
	waitedByte time.Time
}

// New returns the pace of a server with the given limits.
func New(l Limits, c Clock) *Server {
	if l.Parallel <= 0 {
		l.Parallel = DefaultParallel
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	s := &Server{limits: l, clock: c, window: newWindow(l.Parallel)}
	if n := l.RequestsPerSecond; n > 0 {
		s.requests = rate.NewLimiter(rate.Limit(n), max(n/10, 1))
	}
	if n := l.BytesPerSecond; n > 0 {
		s.chunk = int(min(max(n/20, 1), maxChunk))
		s.bytes = rate.NewLimiter(rate.Limit(n), max(int(n/10), s.chunk))
	}
	return s
}

// sleep waits for d or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An AloneError says that a request was not sent, because the server asked to be
// left alone.
type AloneError struct {
	Why   string        // what it answered then: "503"
	Until time.Time     // when it may be asked again
	Left  time.Duration // the same, from now
}

// Error says why, and until when.
func (e *AloneError) Error() string {
	return fmt.Sprintf("not sent: the server answered %s and asked to be left alone until %s", e.Why, stamp(e.Until))
}

func stamp(t time.Time) string { return t.UTC().Format("15:04:05 MST") }

// A Turn is leave to send one request.
type Turn struct {
	server *Server
	held   bool
	began  time.Time
}

// Begin waits until a request may be sent; its turn ends with [Turn.End]. held is
// for a request that the server is asked to hold: it takes none of the places that
// [Limits.Parallel] counts. Returns the error of ctx, or an [AloneError] if the
// server asked to be left alone for longer than half a minute.
func (s *Server) Begin(ctx context.Context, held bool) (*Turn, error) {
	if !held {
		if err := s.enter(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.await(ctx); err != nil {
		if !held {
			s.leave()
		}
		return nil, err
	}
	return &Turn{server: s, held: held, began: s.clock.Now()}, nil
}

// await waits for what does not depend on other requests. The server may ask to
// be left alone while one waits for the rate.
func (s *Server) await(ctx context.Context) error {
	if err := s.leaveAlone(ctx); err != nil || s.requests == nil {
		return err
	}
	if err := s.take(ctx, s.requests, 1, &s.waitedRate); err != nil {
		return err
	}
	return s.leaveAlone(ctx)
}

// enter takes a place, in the order of coming.
func (s *Server) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.inFlight < s.window.size && s.queue.Len() == 0 {
		s.inFlight++
		s.mu.Unlock()
		return nil
	}
	ready := make(chan struct{})
	place := s.queue.PushBack(ready)
	s.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-ready: // at the same moment
		s.inFlight--
		s.admit()
	default:
		s.queue.Remove(place)
	}
	return ctx.Err()
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.admit()
}

// admit lets in those for whom there is room.
func (s *Server) admit() {
	for s.inFlight < s.window.size && s.queue.Len() > 0 {
		s.inFlight++
		close(s.queue.Remove(s.queue.Front()).(chan struct{}))
	}
}

// leaveAlone waits while the server is to be left alone.
func (s *Server) leaveAlone(ctx context.Context) error {
	for waited := (time.Time{}); ; {
		s.mu.Lock()
		until, why := s.alone, s.aloneWhy
		s.mu.Unlock()
		left := until.Sub(s.clock.Now())
		switch {
		case left <= 0, !until.After(waited):
			return nil
		case left > patience:
			return &AloneError{Why: why, Until: until, Left: left}
		}
		if err := s.clock.Sleep(ctx, left); err != nil {
			return err
		}
		waited = until // it may have asked for more meanwhile
	}
}

// take waits until a limiter has n to give, and notes when anybody had to wait.
func (s *Server) take(ctx context.Context, from *rate.Limiter, n int, waited *time.Time) error {
	now := s.clock.Now()
	r := from.ReserveN(now, n)
	d := r.DelayFrom(now)
	if d <= 0 {
		return nil
	}
	s.mu.Lock()
	*waited = now.Add(d)
	s.mu.Unlock()
	if err := s.clock.Sleep(ctx, d); err != nil {
		r.CancelAt(s.clock.Now())
		return err
	}
	return nil
}

// An Outcome is how a request ended. The zero value is that of one that its sender
// gave up, from which nothing follows.
type Outcome struct {
	// Answered says that the server answered as one that is well.
	Answered bool

	// Overload says in a word why the server seems to have too much to do, as
	// "503"; "" if it does not.
	Overload string

	// Alone is how long the server asked to be left alone; at most [MaxAlone] count.
	Alone time.Duration

	// Read names the kind of a small read, one whose time can be compared with that
	// of others of its kind; "" if it is none. From a small closed set.
	Read string
}

// End ends a turn. It must be called once.
func (t *Turn) End(o Outcome) {
	s := t.server
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.held {
		s.inFlight--
	}
	if until := now.Add(min(o.Alone, MaxAlone)); o.Alone > 0 && until.After(s.alone) {
		s.alone, s.aloneWhy = until, o.Overload
	}
	switch {
	case o.Overload != "":
		s.window.cut(t.began, now, o.Overload)
	case o.Answered && !t.held:
		if o.Read != "" && s.window.slow(o.Read, now.Sub(t.began), now) {
			s.window.cut(t.began, now, "slow answers")
			break
		}
		s.window.answered()
	}
	s.admit()
}
