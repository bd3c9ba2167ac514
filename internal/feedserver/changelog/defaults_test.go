package changelog

import (
	"testing"
)

// TestDefaultIsolation: a pass that waited for another one sees what that wrote,
// also where transactions see the moment of their begin unless told otherwise.
func TestDefaultIsolation(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.exec(`ALTER DATABASE ` + k.database() + ` SET default_transaction_isolation = 'repeatable read'`)
		first, second := k.conn(), k.conn()
		if _, err := first.Exec(t.Context(), `SELECT pg_advisory_lock($1, $2)`, lockClass, lockNumbers); err != nil {
			t.Fatal(err)
		}
		f := k.page(0)
		k.chef.add("roles", "web")
		done := make(chan error, 1)
		go func() {
			c := &capturer{log: k.log.o.Logger, control: k.log.control, now: k.log.o.Now}
			p, err := c.pass(t.Context(), second, true)
			if err == nil && p.changes != 0 {
				t.Errorf("the second pass = %+v, want nothing new", p)
			}
			done <- err
		}()
		if !until(func() bool {
			return k.count(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = $1`, second.PgConn().PID()) == 1
		}) {
			t.Fatal("the second pass does not wait")
		}
		if p, err := k.c.pass(t.Context(), first, true); err != nil || p.changes != 1 {
			t.Fatalf("the first pass = %+v, %v", p, err)
		}
		if _, err := first.Exec(t.Context(), `SELECT pg_advisory_unlock($1, $2)`, lockClass, lockNumbers); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("the second pass: %v", err)
		}
		if g := k.page(f.Head); len(g.Entries) != 1 {
			t.Errorf("page = %+v, want one change", g)
		}
	})
}
