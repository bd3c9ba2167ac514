package pace

import "testing"

// Nobody waits for leave to wait, and it comes back.
func TestHold(t *testing.T) {
	s, _ := paced(Limits{Parallel: 1})
	var ends []func()
	for i := range MaxHeld {
		end, ok := s.Hold()
		if !ok {
			t.Fatalf("no leave for request %d of %d", i+1, MaxHeld)
		}
		ends = append(ends, end)
	}
	if _, ok := s.Hold(); ok {
		t.Errorf("leave for more than %d", MaxHeld)
	}
	ends[7]()
	if _, ok := s.Hold(); !ok {
		t.Error("no leave after one has ended")
	}
	if _, ok := s.Hold(); ok {
		t.Error("one that ended made room for two")
	}
}
