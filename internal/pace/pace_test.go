package pace

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is one that only moves when somebody sleeps by it, or by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.forward(d)
	return ctx.Err()
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func paced(l Limits) (*Server, *clock) {
	c := newClock()
	return New(l, Clock{Now: c.Now, Sleep: c.Sleep}), c
}

// begin takes a turn, which must not have to wait for another to end.
func begin(t *testing.T, s *Server) *Turn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	turn, err := s.Begin(ctx, false)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return turn
}

var well = Outcome{Answered: true}

func answers(t *testing.T, s *Server, n int, o Outcome) {
	t.Helper()
	for range n {
		begin(t, s).End(o)
	}
}

func TestRequestsPerSecond(t *testing.T) {
	for _, tt := range []struct{ limit, requests int }{{1, 5}, {5, 51}, {40, 400}, {1000, 3000}} {
		s, c := paced(Limits{RequestsPerSecond: tt.limit})
		start := c.Now()
		answers(t, s, tt.requests, well)
		took := c.Now().Sub(start)
		// A tenth of a second's requests may come at once.
		least := time.Duration(tt.requests-max(tt.limit/10, 1)) * time.Second / time.Duration(tt.limit)
		if took < least-time.Millisecond || took > least+time.Second/time.Duration(tt.limit)+time.Millisecond {
			t.Errorf("%d requests at %d/s took %v, want %v", tt.requests, tt.limit, took, least)
		}
		if st := s.Stats(); !st.RateLimited || st.BytesLimited {
			t.Errorf("at %d/s: %+v", tt.limit, st)
		}
	}
	s, c := paced(Limits{})
	start := c.Now()
	answers(t, s, 1000, well)
	if took := c.Now().Sub(start); took != 0 || s.Stats().Slowed() != nil {
		t.Errorf("without limits: %v, %v", took, s.Stats().Slowed())
	}
}

// A request that is held counts as a request, and takes no place.
func TestHeldRequests(t *testing.T) {
	s, c := paced(Limits{Parallel: 1, RequestsPerSecond: 1})
	start := c.Now()
	for range 3 {
		if _, err := s.Begin(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if took := c.Now().Sub(start); took != 2*time.Second {
		t.Errorf("three at 1/s took %v", took)
	}
	begin(t, s)
	if st := s.Stats(); st.InFlight != 1 {
		t.Errorf("%+v", st)
	}
}

func TestBytesPerSecond(t *testing.T) {
	for _, limit := range []int64{1, 100, 4096, 1 << 20} {
		s, c := paced(Limits{BytesPerSecond: limit})
		start := c.Now()
		size := limit*10 + 7
		n, err := io.Copy(io.Discard, s.Reader(t.Context(), strings.NewReader(strings.Repeat("x", int(size)))))
		if n != size || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		took := c.Now().Sub(start)
		if took < 9*time.Second || took > 18*time.Second {
			t.Errorf("%d bytes at %d/s took %v, want 9 s to 10 s, and a byte's time more", size, limit, took)
		}
	}
}

// No second moves more than two seconds' worth, however large the reads are.
func TestBytesComeEvenly(t *testing.T) {
	const limit = 64 << 10
	s, c := paced(Limits{BytesPerSecond: limit})
	r := s.Reader(t.Context(), strings.NewReader(strings.Repeat("x", 10*limit)))
	start, total := c.Now(), 0
	for p := make([]byte, 1<<20); ; {
		n, err := r.Read(p)
		if total += n; float64(total) > limit*(c.Now().Sub(start).Seconds()+1) {
			t.Fatalf("%d bytes in %v", total, c.Now().Sub(start))
		}
		if err != nil {
			break
		}
	}
	if total != 10*limit {
		t.Errorf("%d bytes", total)
	}
}

func TestReaderEndsWithItsContext(t *testing.T) {
	s := New(Limits{BytesPerSecond: 1}, Clock{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := io.ReadAll(s.Reader(ctx, strings.NewReader("xx"))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	r := strings.NewReader("x")
	if New(Limits{}, Clock{}).Reader(ctx, r) != io.Reader(r) {
		t.Error("a reader is wrapped though nothing limits it")
	}
}

func TestLeftAlone(t *testing.T) {
	s, c := paced(Limits{Parallel: 2})
	first, second := begin(t, s), begin(t, s)
	first.End(Outcome{Overload: "503", Alone: 20 * time.Second})
	second.End(Outcome{Overload: "429", Alone: 5 * time.Second}) // does not shorten it
	if st := s.Stats(); st.AloneUntil != c.Now().Add(20*time.Second) || st.AloneWhy != "503" {
		t.Errorf("%+v", st)
	}
	start := c.Now()
	begin(t, s).End(well)
	if took := c.Now().Sub(start); took != 20*time.Second {
		t.Errorf("a request went after %v", took)
	}
	start = c.Now()
	begin(t, s).End(Outcome{Overload: "503", Alone: 48 * time.Hour})
	for _, held := range []bool{false, true} {
		_, err := s.Begin(t.Context(), held)
		var alone *AloneError
		if !errors.As(err, &alone) || alone.Left != MaxAlone || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "13:00:20 UTC") {
			t.Errorf("held %t: %v", held, err)
		}
	}
	if st := s.Stats(); st.InFlight != 0 || c.Now() != start {
		t.Errorf("%+v at %v", st, c.Now())
	}
	c.forward(MaxAlone)
	begin(t, s).End(well)
	if st := s.Stats(); !st.AloneUntil.IsZero() {
		t.Errorf("%+v", st)
	}
}

// While one waits for its turn among the requests per second, the server may ask to be
// left alone.
func TestLeftAloneWhileWaitingForTheRate(t *testing.T) {
	c := newClock()
	var s *Server
	asked := false
	s = New(Limits{Parallel: 2, RequestsPerSecond: 1}, Clock{Now: c.Now, Sleep: func(ctx context.Context, d time.Duration) error {
		if !asked {
			asked = true
			(&Turn{server: s, held: true, began: c.Now()}).End(Outcome{Overload: "503", Alone: 20 * time.Second})
		}
		return c.Sleep(ctx, d)
	}})
	begin(t, s).End(well)
	start := c.Now()
	begin(t, s).End(well)
	if took := c.Now().Sub(start); !asked || took != 20*time.Second {
		t.Errorf("a request went after %v", took)
	}
}

// Who gives up while it waits takes nothing: neither a place nor one of the requests
// per second.
func TestGivingUpTakesNothing(t *testing.T) {
	s, c := paced(Limits{Parallel: 1, RequestsPerSecond: 1})
	begin(t, s).End(well)
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.clock.Sleep = func(context.Context, time.Duration) error { cancel(); return ctx.Err() }
		if _, err := s.Begin(ctx, false); !errors.Is(err, context.Canceled) {
			t.Fatalf("Begin: %v", err)
		}
	}
	s.clock.Sleep = c.Sleep
	start := c.Now()
	begin(t, s).End(well)
	if took := c.Now().Sub(start); took != time.Second {
		t.Errorf("a request went after %v: the rate is of requests, and not of those that were given up", took)
	}
}

// The place of one that must not go on goes to the next, which is told the same.
func TestPlacesOfThoseThatMustNotGoOn(t *testing.T) {
	s := New(Limits{Parallel: 1}, Clock{})
	held := begin(t, s)
	refused := make(chan error)
	for i := range 3 {
		go func() {
			_, err := s.Begin(t.Context(), false)
			refused <- err
		}()
		for s.Stats().Waiting != i+1 {
			runtime.Gosched()
		}
	}
	held.End(Outcome{Overload: "503", Alone: time.Hour})
	for range 3 {
		select {
		case err := <-refused:
			var alone *AloneError
			if !errors.As(err, &alone) {
				t.Errorf("%v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("one waits for a place that is free")
		}
	}
}

// Whoever waits is let in in the order of coming, and not at all if it gave up.
func TestOrder(t *testing.T) {
	s := New(Limits{Parallel: 1}, Clock{})
	held := begin(t, s)
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 6 {
		wg.Go(func() {
			with := t.Context()
			if i%2 == 1 {
				with = ctx
			}
			turn, err := s.Begin(with, false)
			if err != nil {
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			turn.End(well)
		})
		for s.Stats().Waiting != i+1 {
			runtime.Gosched()
		}
	}
	cancel()
	for s.Stats().Waiting != 3 {
		runtime.Gosched()
	}
	held.End(well)
	wg.Wait()
	if len(order) != 3 || order[0] != 0 || order[1] != 2 || order[2] != 4 {
		t.Errorf("order %v", order)
	}
	if st := s.Stats(); st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// However turns begin, end and are given up, none is lost and none too many.
func TestTurnsAreNotLost(t *testing.T) {
	s := New(Limits{Parallel: 3}, Clock{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			turn, err := s.Begin(ctx, false)
			if err != nil {
				return
			}
			if n := s.Stats().InFlight; n > 3 {
				t.Errorf("%d at a time", n)
			}
			turn.End([]Outcome{well, {}, {Overload: "500"}}[i%3])
		})
	}
	wg.Wait()
	if st := s.Stats(); st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	size(t, s)
}

func TestBoth(t *testing.T) {
	got := Limits{Parallel: 4, RequestsPerSecond: 10}.Both(Limits{Parallel: 2, BytesPerSecond: 7})
	if want := (Limits{Parallel: 2, RequestsPerSecond: 10, BytesPerSecond: 7}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestSlowedSaysIt(t *testing.T) {
	st := Stats{
		Limits: Limits{Parallel: 4, RequestsPerSecond: 20, BytesPerSecond: 5_000_000}, Parallel: 2, Why: "503",
		AloneUntil: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), AloneWhy: "503", RateLimited: true, BytesLimited: true,
	}
	got := strings.Join(st.Slowed(), "\n")
	want := "left alone until 03:04:05 UTC, as it asked (503, Retry-After)\n2 of 4 requests at a time (503)\nlimited to 20 requests/s\nfiles limited to 5 MB/s"
	if got != want {
		t.Errorf("%s", got)
	}
	for n, want := range map[int64]string{1: "1 B", 1 << 20: "1 MiB", 3 << 10: "3 KiB", 1500: "1500 B", 2e9: "2 GB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

// Who gives up in the moment in which its turn comes passes the turn on.
func TestTurnComesTooLate(t *testing.T) {
	s := New(Limits{Parallel: 1}, Clock{})
	held := begin(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan *Turn)
	go func() {
		turn, _ := s.Begin(ctx, false)
		ended <- turn
	}()
	for s.Stats().Waiting != 1 {
		runtime.Gosched()
	}
	s.mu.Lock()
	cancel()                          // it wakes, and waits for the lock
	s.inFlight--                      // as held's end would
	s.admit()                         // its turn
	s.inFlight++                      // held's again
	s.mu.Unlock()                     // it finds both
	if turn := <-ended; turn != nil { // it had not begun to wait, and took its turn
		turn.End(Outcome{})
	}
	held.End(well)
	if st := s.Stats(); st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	begin(t, s).End(well)
}
