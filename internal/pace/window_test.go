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
	if st := s.Stats(); st.Why != "503" || st.Cuts != 3 || len(st.Slowed()) != 1 || st.Slowed()[0] != "1 of 8 requests at a time (503)" {
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

// TestLateFailure: the failure of a request that began before the last cut is no news,
// and yet no answer of a server that is well.
func TestLateFailure(t *testing.T) {
	s, c := paced(Limits{Parallel: 4})
	first, second := begin(t, s), begin(t, s)
	c.forward(time.Second)
	first.End(Outcome{Overload: "503"})
	answers(t, s, growAfter-1, well)
	second.End(Outcome{Overload: "503"})
	answers(t, s, growAfter-1, well)
	if st := s.Stats(); st.Parallel != 2 || st.Cuts != 1 {
		t.Errorf("%+v: want one cut, and no growth before %d answers in a row", st, growAfter)
	}
	answers(t, s, 1, well)
	if n := size(t, s); n != 3 {
		t.Errorf("%d at a time after %d answers in a row", n, growAfter)
	}
}

// TestHeldAnswersAreNoMeasure: how long a server holds a request says nothing of it, nor
// does its answer.
func TestHeldAnswersAreNoMeasure(t *testing.T) {
	s, c := paced(Limits{Parallel: 4})
	answers(t, s, 1, Outcome{Overload: "503"})
	for i := range 5 * growAfter {
		turn, err := s.Begin(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		c.forward(time.Duration(i) * time.Second)
		turn.End(Outcome{Answered: true, Read: "roles"})
	}
	if st := s.Stats(); st.Parallel != 2 || st.Cuts != 1 {
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
	if st.Cuts != 4 { // from 8 to 1, and once more after two at a time were tried
		t.Errorf("%+v: slow reads one at a time are no reason to stay there", st)
	}
	reads(10*growAfter, "roles", 20*time.Millisecond)
	if st := s.Stats(); st.Parallel != 8 {
		t.Fatalf("%+v", st)
	}
	reads(enough, "roles", time.Second) // the mean is high, of reads before the cut too
	if st := s.Stats(); st.Parallel != 4 {
		t.Errorf("%+v: halved by reads from before it was", st)
	}
	reads(20*growAfter, "roles", 20*time.Millisecond)
	// A server that is slow for good is what it is.
	c.forward(2 * floorFor)
	reads(1, "roles", time.Second)
	c.forward(floorFor)
	reads(20*growAfter, "roles", time.Second)
	if st := s.Stats(); st.Parallel != 8 {
		t.Errorf("%+v: after ten minutes of the same", st)
	}
}
