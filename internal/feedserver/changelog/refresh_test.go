package changelog

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestRefreshTogether: many callers make few passes, and each finds what was
// committed before it called. One whose time is over does not wait for the others.
func TestRefreshTogether(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		busy := k.conn()
		lock := func(sql string) {
			t.Helper()
			if _, err := busy.Exec(t.Context(), sql, lockClass, lockNumbers); err != nil {
				t.Fatal(err)
			}
		}
		lock(`SELECT pg_advisory_lock($1, $2)`)
		k.chef.add("roles", "first")
		var callers sync.WaitGroup
		head := k.page(0).Head
		refresh := func(role string) {
			callers.Go(func() {
				if err := k.log.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
				if !contains(words(k.page(head)), "create /roles/"+role) {
					t.Errorf("refreshed, and %s is not in the log", role)
				}
			})
		}
		refresh("first")
		waits := func() bool {
			return k.count(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, lockClass, lockNumbers) == 1
		}
		if !until(waits) {
			t.Fatal("nobody makes a pass")
		}
		k.chef.add("roles", "second") // the pass that is under way may not see it
		for range 30 {
			refresh("second")
		}
		if !until(func() bool { return goroutinesIn("(*Log).Refresh(") == 31 }) {
			t.Fatal("not all callers wait")
		}
		brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := k.log.Refresh(brief); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("refresh = %v, want the context's error", err)
		}
		if n := k.pool.Stat().AcquiredConns(); n > 3 {
			t.Errorf("those who wait keep %d connections", n)
		}
		k.exec(`CREATE TABLE passes (n int); CREATE FUNCTION count_pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO passes VALUES (1); RETURN NULL; END';
			CREATE TRIGGER count_pass AFTER INSERT ON chef_sync.object_changes FOR EACH STATEMENT EXECUTE FUNCTION count_pass()`)
		lock(`SELECT pg_advisory_unlock($1, $2)`)
		callers.Wait()
		if n := k.count(`SELECT count(*) FROM passes`); n > 4 {
			t.Errorf("%d passes for 31 callers", n)
		}
	})
}
