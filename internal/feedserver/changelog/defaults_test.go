package changelog

import (
	"testing"
	"time"
)

// TestNumbersAreDurable: what a pass gives out is on the disk before anybody sees
// it, also in a database that does not wait for its disk.
func TestNumbersAreDurable(t *testing.T) {
	k := start(t, InstallOptions{})
	for is, want := range map[string]string{"off": "on", "local": "local", "remote_write": "remote_write", "on": "on"} {
		conn := k.conn()
		if _, err := conn.Exec(t.Context(), `SET synchronous_commit = `+is); err != nil {
			t.Fatal(err)
		}
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if _, err = k.c.lock(t.Context(), tx, true); err == nil {
			err = tx.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&got)
		}
		if err != nil || got != want {
			t.Errorf("synchronous_commit = %s: a pass has %s, %v; want %s", is, got, err, want)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestSlowPassesMakePauses: the log does not keep a busy database busy, and one
// pass that took long, for whatever reason, keeps no change waiting.
func TestSlowPassesMakePauses(t *testing.T) {
	k := start(t, InstallOptions{})
	k.open(Options{Interval: 10 * time.Millisecond})
	conn := k.conn()
	turn := func() time.Duration {
		t.Helper()
		pause, err := k.log.turn(t.Context(), k.c, conn)
		if err != nil {
			t.Fatal(err)
		}
		return pause
	}
	k.exec(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END';
		CREATE TRIGGER slow AFTER INSERT ON chef_sync.object_changes FOR EACH STATEMENT EXECUTE FUNCTION slow()`)
	k.chef.add("roles", "web")
	if pause := turn(); pause > 10*time.Millisecond {
		t.Errorf("one pass of 100 ms is followed by a pause of %s, want the interval at the most", pause)
	}
	k.chef.add("roles", "db")
	if pause := turn(); pause < 900*time.Millisecond {
		t.Errorf("two passes of 100 ms are followed by a pause of %s; want nine times as long", pause)
	}
	k.turnUntilIdle(turn)
	k.chef.add("roles", "app")
	if pause := turn(); pause < 900*time.Millisecond {
		t.Errorf("one more, after a look at nothing: a pause of %s; want nine times as long", pause)
	}
	k.c.took = time.Hour
	if pause := k.c.rest(time.Hour, time.Second); pause != maxPause {
		t.Errorf("two passes of an hour: a pause of %s, want %s", pause, maxPause)
	}
	k.exec(`DROP TRIGGER slow ON chef_sync.object_changes; ALTER TABLE chef_sync.meta RENAME seeded TO sown`)
	if pause := turn(); pause < 10*time.Millisecond || len(k.problems()) == 0 {
		t.Errorf("a pass that fails: a pause of %s", pause)
	}
}

// turnUntilIdle makes turns until one finds nothing new. What else the cluster
// does may be in between.
func (k *kit) turnUntilIdle(turn func() time.Duration) {
	k.t.Helper()
	for range 100 {
		if turn() == k.log.o.Interval {
			return
		}
	}
	k.t.Fatal("there is always something new")
}

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
