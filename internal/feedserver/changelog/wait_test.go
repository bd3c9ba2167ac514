package changelog

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWait lets many callers wait on few organizations.
func TestWait(t *testing.T) {
	k := start(t, InstallOptions{})
	k.chef.newOrg("other")
	k.pass()
	f := k.page(0)
	if err := k.log.Wait(t.Context(), "nobody", 0); !errors.Is(err, ErrNoOrganization) {
		t.Errorf("wait = %v, want ErrNoOrganization", err)
	}
	if err := k.log.Wait(t.Context(), "acme", f.Head+1); err != nil {
		t.Errorf("beyond the head: %v, want an answer at once", err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := k.log.Wait(brief, "acme", f.Head); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait = %v, want the context's error", err)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var acme, other sync.WaitGroup
	for range 50 {
		acme.Go(func() {
			if err := k.log.Wait(ctx, "acme", f.Head); err != nil {
				t.Errorf("wait: %v", err)
			}
		})
		other.Go(func() {
			if err := k.log.Wait(ctx, "other", 0); !errors.Is(err, context.Canceled) {
				t.Errorf("wait for the other = %v", err)
			}
		})
	}
	if !until(func() bool { return k.waiting() == 100 }) {
		t.Fatalf("%d callers wait, want 100", k.waiting())
	}
	if n := pollers(); n != 1 {
		t.Errorf("%d goroutines look at the heads, want 1", n)
	}
	k.chef.add("roles", "web")
	k.pass()
	acme.Wait()
	if n := k.waiting(); n != 50 {
		t.Errorf("%d callers wait, want the 50 for the other", n)
	}
	stop()
	other.Wait()
	if !until(func() bool { return pollers() == 0 }) {
		t.Error("somebody still looks at the heads, and nobody waits")
	}
}

// TestWaitEnds says when a wait ends besides.
func TestWaitEnds(t *testing.T) {
	for _, tt := range []struct {
		name, sql string
		want      error
	}{
		{"epoch", `TRUNCATE chef_sync.object_changes`, nil},
		{"organization deleted", `DELETE FROM orgs`, ErrNoOrganization},
		{"uninstalled", `DROP SCHEMA chef_sync CASCADE`, ErrNotInstalled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := start(t, InstallOptions{})
			got := make(chan error, 1)
			f := k.page(0)
			go func() { got <- k.log.Wait(t.Context(), "acme", f.Head) }()
			until(func() bool { return k.waiting() == 1 })
			k.exec(tt.sql)
			select {
			case err := <-got:
				if !errors.Is(err, tt.want) {
					t.Errorf("wait = %v, want %v", err, tt.want)
				}
			case <-time.After(time.Minute):
				t.Error("it still waits")
			}
		})
	}
}

// TestRun checks that a server takes over from one that is gone, and that
// somebody else's pass does not disturb.
func TestRun(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.open(Options{Interval: 20 * time.Millisecond})
		first, kill := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		k.serve(first, &wg)
		ctx, stop := context.WithCancel(t.Context())
		defer func() { stop(); wg.Wait() }()
		head := k.page(0).Head
		change := func(name string) {
			t.Helper()
			k.chef.add("roles", name)
			began := time.Now()
			if err := k.log.Wait(ctx, "acme", head); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s was seen after %s", name, time.Since(began).Round(time.Millisecond))
			head = k.page(0).Head
		}
		change("one")
		wg.Go(func() {
			if err := k.log.Run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		change("two")
		if k.status().Writes {
			t.Error("the second server writes too")
		}
		kill()
		if !until(func() bool { return k.status().Writes }) {
			t.Fatal("the second server does not take over")
		}
		change("three")
		k.cut()
		change("four")
		if !until(func() bool { s := k.status(); return s.Writes && s.Lag > 0 && len(s.Problems) == 0 }) {
			t.Errorf("status = %+v", k.status())
		}
		k.exec(`ALTER TABLE orgs RENAME full_name TO other`) // of no interest
		k.exec(`ALTER TABLE orgs RENAME name TO title`)
		if !until(func() bool { return strings.Contains(strings.Join(k.problems(), " "), "no column name") }) {
			t.Errorf("problems = %v, want that there is no orgs.name", k.problems())
		}
		k.exec(`ALTER TABLE orgs RENAME title TO name`)
		head = k.page(0).Head
		change("five")
	})
}

// problems is what a server that cannot read any more tells.
func (k *kit) problems() []string {
	s, err := k.log.Status(k.t.Context())
	if err != nil {
		return []string{err.Error()}
	}
	return s.Problems
}

func (k *kit) waiting() int {
	k.log.waiters.mu.Lock()
	defer k.log.waiters.mu.Unlock()
	return k.log.waiters.callers
}

// pollers counts the goroutines that look at heads.
func pollers() int { return goroutinesIn(").poll(") }

// goroutinesIn counts those that are in a function.
func goroutinesIn(function string) int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), function)
}

// until waits for a condition.
func until(f func() bool) bool {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if f() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
