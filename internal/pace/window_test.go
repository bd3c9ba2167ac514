package pace

import (
	"context"
	"testing"
	"time"
)

// size is how many turns are given out at a time.
func size(t *testing.T, s *Server) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var turns []*Turn
	for s.Stats().InFlight < s.Stats().Parallel {
		turns = append(turns, begin(t, s))
	}
	late, err := s.Begin(ctx, false)
	if err == nil {
		t.Fatalf("more than %d at a time: %v", len(turns), late)
	}
	for _, turn := range turns {
		turn.End(Outcome{})
	}
	return len(turns)
}

func TestWindow(t *testing.T) {
	s, c := paced(Limits{Parallel: 8})
	overload := Outcome{Overload: "503"}
	want := func(n int) {
		t.Helper()
		if got := size(t, s); got != n {
			t.Fatalf("%d at a time, want %d", got, n)
		}
	}
	want(8)
	var turns []*Turn
	for range 8 {
		turns = append(turns, begin(t, s))
	}
	c.forward(time.Second)
	for _, turn := range turns { // one trouble, heard of eight times
		turn.End(overload)
	}
	want(4)
	c.forward(time.Second)
	answers(t, s, 1, overload)
	want(2)
	answers(t, s, 1, overload)
	answers(t, s, 1, overload)
	want(1)
	if st := s.Stats(); st.Why != "503" || st.Cuts != 4 || len(st.Slowed()) != 1 || st.Slowed()[0] != "1 of 8 requests at a time (503)" {
		t.Errorf("%+v %q", st, st.Slowed())
	}
	answers(t, s, growAfter-1, well)
	want(1)
	answers(t, s, 5, Outcome{}) // say nothing
	want(1)
	answers(t, s, 1, well)
	want(2)
	answers(t, s, 6*growAfter, well)
	want(8)
	answers(t, s, 10*growAfter, well)
	want(8)
	if st := s.Stats(); st.Why != "" || st.Slowed() != nil {
		t.Errorf("%+v", st)
	}
}

// read takes a small read of the given time.
func read(t *testing.T, s *Server, c *clock, kind string, took time.Duration) {
	t.Helper()
	turn := begin(t, s)
	c.forward(took)
	turn.End(Outcome{Answered: true, Read: kind})
}

func TestSlowReads(t *testing.T) {
	s, c := paced(Limits{Parallel: 8})
	reads := func(n int, kind string, took time.Duration) {
		t.Helper()
		for range n {
			read(t, s, c, kind, took)
		}
	}
	reads(10, "roles", 20*time.Millisecond)
	reads(10, "nodes", 900*time.Millisecond) // another kind, which takes its time
	reads(40, "roles", 500*time.Millisecond) // within the slack
	if st := s.Stats(); st.Parallel != 8 {
		t.Fatalf("%+v", st)
	}
	reads(40, "roles", time.Second)
	st := s.Stats()
	if st.Parallel != 1 || st.Why != "slow answers" {
		t.Fatalf("%+v: reads that take fifty times their best", st)
	}
	reads(10*growAfter, "roles", 20*time.Millisecond)
	if st := s.Stats(); st.Parallel != 8 {
		t.Fatalf("%+v", st)
	}
	// A server that is slow for good is what it is.
	c.forward(2 * floorFor)
	reads(1, "roles", time.Second)
	c.forward(floorFor)
	reads(20*growAfter, "roles", time.Second)
	if st := s.Stats(); st.Parallel != 8 {
		t.Errorf("%+v: after ten minutes of the same", st)
	}
}
