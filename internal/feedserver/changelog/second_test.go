package changelog

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestSecondServerForgetsTrouble: a server that does not write, and whose
// connection was lost for a moment, does not tell of that for ever.
func TestSecondServerForgetsTrouble(t *testing.T) {
	k := start(t, InstallOptions{})
	other := k.conn() // of the server that writes
	if _, err := other.Exec(t.Context(), `SELECT pg_advisory_lock($1, $2)`, lockClass, lockServer); err != nil {
		t.Fatal(err)
	}
	k.open(Options{Interval: 20 * time.Millisecond})
	k.log.failed(errors.New("a connection that was lost"))
	if p := k.problems(); len(p) == 0 {
		t.Fatal("the loss is not told at all")
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	wg.Go(func() {
		if err := k.log.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	if !until(func() bool { return len(k.problems()) == 0 }) {
		t.Errorf("problems = %v, though the database answers and another server writes", k.problems())
	}
	if k.status().Writes {
		t.Error("it writes besides the other one")
	}
}

// TestWaitIsNotWokenByThePast: a look at the heads that began before the page that
// a caller has read is no news.
func TestWaitIsNotWokenByThePast(t *testing.T) {
	k := start(t, InstallOptions{})
	w := &k.log.waiters
	next := make(chan struct{})
	w.polling, w.next = true, next // by the test
	w.heads = map[string]head{"acme": {epoch: "e", head: 6}}
	got := make(chan error, 1)
	go func() { got <- k.log.Wait(t.Context(), "acme", 7) }()
	look := func(h int64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heads = map[string]head{"acme": {epoch: "e", head: h}}
		close(w.next)
		w.next = make(chan struct{})
	}
	still := func(when string) {
		t.Helper()
		if !until(func() bool { return k.waiting() == 1 }) {
			t.Fatal("nobody waits")
		}
		select {
		case err := <-got:
			t.Fatalf("%s: it was woken, %v", when, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	still("by what was seen before")
	look(6)
	still("by a look that was under way")
	look(7)
	still("by its own number")
	if !until(func() bool { look(6); return len(got) == 1 }) {
		t.Fatal("a log that was put back: it still waits")
	}
	if err := <-got; err != nil {
		t.Errorf("a log that was put back: %v, want it woken", err)
	}
}

// TestRefreshAgain: a pass that somebody made before is not taken for one's own.
func TestRefreshAgain(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		for _, name := range []string{"one", "two", "three"} {
			f := k.page(0)
			k.chef.add("roles", name)
			if err := k.log.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := words(k.page(f.Head)); len(got) != 1 || got[0] != "create /roles/"+name {
				t.Errorf("refreshed, and the log has %v; want %s", got, name)
			}
		}
	})
}
