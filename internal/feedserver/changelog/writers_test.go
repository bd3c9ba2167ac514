package changelog

import (
	"context"
	"testing"
	"time"
)

// TestInstallAgainWhileBusy installs once more while a transaction that has
// written is open. Nobody else's write waits for it.
func TestInstallAgainWhileBusy(t *testing.T) {
	k := start(t, InstallOptions{Capture: Triggers})
	tx, err := k.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	chef{t: t, db: tx, org: k.chef.org}.add("roles", "slow")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	conn := k.conn()
	go func() {
		_, err := Install(ctx, conn, InstallOptions{Capture: Triggers})
		done <- err
	}()
	for installing := true; installing; {
		began := time.Now()
		k.chef.add("groups", "g"+guid())
		if d := time.Since(began); d > 20*time.Second {
			t.Errorf("a write to another table waited %s", d)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("install: %v", err)
			}
			installing = false
		case <-time.After(10 * time.Millisecond):
		}
	}
}
