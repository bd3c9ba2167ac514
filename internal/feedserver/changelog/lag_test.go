package changelog

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestLagBeforeTheFirstPass: a server that has made no pass is not up to date.
func TestLagBeforeTheFirstPass(t *testing.T) {
	k := start(t, InstallOptions{})
	busy := k.conn() // somebody's pass that takes long
	if _, err := busy.Exec(t.Context(), `SELECT pg_advisory_lock($1, $2)`, lockClass, lockNumbers); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	wg.Go(func() { _ = k.log.Run(ctx) })
	if !until(func() bool { return k.status().Writes }) {
		t.Fatal("it never leads")
	}
	time.Sleep(50 * time.Millisecond)
	if s := k.status(); s.Lag < 50*time.Millisecond {
		t.Errorf("lag %s, and there was no pass for 50 ms", s.Lag)
	}
	if _, err := busy.Exec(t.Context(), `SELECT pg_advisory_unlock($1, $2)`, lockClass, lockNumbers); err != nil {
		t.Fatal(err)
	}
	if !until(func() bool { return k.status().Lag < 2*DefaultInterval }) {
		t.Errorf("lag %s after passes", k.status().Lag)
	}
}
