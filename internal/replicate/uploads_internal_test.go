package replicate

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// TestUploadsOfOneFile: never two at a time, and whoever is cancelled does not wait for
// the other.
func TestUploadsOfOneFile(t *testing.T) {
	u := &Uploads{}
	unlock, err := u.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled, got := make(chan error), make(chan error)
	var free atomic.Bool
	go func() { _, err := u.lock(ctx, "a"); cancelled <- err }()
	go func() {
		unlock, err := u.lock(t.Context(), "a")
		if err == nil && !free.Load() {
			err = errors.New("two uploads at a time")
		}
		if err == nil {
			unlock()
		}
		got <- err
	}()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	free.Store(true)
	unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
