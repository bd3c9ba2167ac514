package changelog

import (
	"errors"
	"fmt"
	"testing"
)

// restarted has the next pass find that PostgreSQL was started anew.
func (k *kit) restarted() {
	k.t.Helper()
	k.exec(`UPDATE chef_sync.meta SET identity = identity || '{"started": "7"}'`)
}

// TestMachineIsPutBack puts the machine back to a snapshot of its disk: the same
// cluster, on the same timeline, with an older log. Numbers that were given out
// since are not given out again, and whoever holds one is told so; everybody else
// goes on.
func TestMachineIsPutBack(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "kept")
		k.pass()
		saved := k.page(0)
		for i := range 3 {
			k.chef.add("roles", fmt.Sprintf("undone%d", i))
		}
		k.pass()
		undone := k.page(0)
		k.exec(`DELETE FROM roles WHERE name LIKE 'undone%'`)
		k.exec(`DELETE FROM chef_sync.outbox`)
		k.exec(`DELETE FROM chef_sync.object_changes WHERE path LIKE '/roles/undone%'`)
		k.exec(`UPDATE chef_sync.organizations SET head = $1`, saved.Head)
		k.restarted()
		k.gone(undone.Head)
		for i := range 5 { // as many as were undone, and more
			k.chef.add("roles", fmt.Sprintf("new%d", i))
			if p := k.pass(); p.renewed != "" {
				t.Errorf("the epoch was renewed: %s", p.renewed)
			}
			for seq := saved.Head + 1; seq <= undone.Head; seq++ {
				k.gone(seq)
			}
		}
		var gone *GoneError
		if _, err := k.log.Page(t.Context(), "acme", undone.Head, 0); !errors.As(err, &gone) || gone.Reason != ReasonUndone {
			t.Errorf("page = %v, want %q", err, ReasonUndone)
		}
		if got := k.page(saved.Head); len(got.Entries) != 5 || got.Epoch != saved.Epoch {
			t.Errorf("from before: %+v, want the five and the same epoch", got)
		}
	})
}

// TestRestarts: nobody has to compare anything because PostgreSQL was restarted,
// however often.
func TestRestarts(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		var heads []int64
		first := k.page(0)
		for i := range 12 {
			k.restarted()
			k.pass()
			if i%3 != 0 {
				at := k.page(0)
				k.chef.add("roles", fmt.Sprintf("r%d", i))
				k.want(at, fmt.Sprintf("create /roles/r%d", i))
			}
			heads = append(heads, k.page(0).Head)
		}
		for _, head := range heads {
			if p := k.page(head); p.Epoch != first.Epoch {
				t.Errorf("epoch %s, was %s", p.Epoch, first.Epoch)
			}
		}
		last := heads[len(heads)-1]
		if _, err := k.log.Page(t.Context(), "acme", last-1, 0); !errors.Is(err, ErrGone) {
			t.Errorf("a number between two restarts that was never given out: %v", err)
		}
		// Very old restarts are forgotten, and so are the numbers before them.
		k.exec(`UPDATE chef_sync.organizations SET jumps = (SELECT array_agg(head - 1000 + i) FROM generate_series(1, 402) i)`)
		k.c.now = k.log.o.Now
		if _, err := k.c.prune(t.Context(), k.pool, DefaultTombstoneAge); err != nil {
			t.Fatal(err)
		}
		if p := k.page(last); p.Floor != last-1000+2 {
			t.Errorf("floor %d, want %d", p.Floor, last-1000+2)
		}
		if n := k.count(`SELECT cardinality(jumps) FROM chef_sync.organizations`); n != 400 {
			t.Errorf("%d numbers of restarts are kept", n)
		}
	})
}

// TestRecreatedOrganization: numbers of the organization that had the name before
// are not taken for ones of this, also by who does not look at its GUID.
func TestRecreatedOrganization(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		c := k.chef
		for range 2 { // both after the log was made
			c.org = k.chef.newOrg("again")
			k.pass()
			p, err := k.log.Page(t.Context(), "again", 0, 0)
			if err != nil || p.Head != 0 || len(p.Entries) != 0 {
				t.Errorf("empty: %+v, %v", p, err)
			}
			c.add("roles", "web")
			k.pass()
			if p, err = k.log.Page(t.Context(), "again", 0, 0); err != nil || len(p.Entries) != 1 {
				t.Fatalf("from 0: %+v, %v", p, err)
			}
			c.do(`DELETE FROM orgs WHERE id = $1`, c.org)
			k.pass()
			c.org = k.chef.newOrg("again")
			for _, name := range []string{"a", "b", "c"} {
				c.add("roles", name)
				k.pass()
				if _, err := k.log.Page(t.Context(), "again", p.Head, 0); !errors.Is(err, ErrGone) {
					t.Errorf("a number of the one before: %v, want it gone", err)
				}
			}
			c.do(`DELETE FROM orgs WHERE id = $1`, c.org)
		}
	})
}

// TestUpgrade installs over the schema of version 1, which had no restarts and no
// rights to take back. Numbers stay valid.
func TestUpgrade(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "old")
		k.pass()
		f := k.page(0)
		k.exec(`ALTER TABLE chef_sync.organizations DROP COLUMN base, DROP COLUMN jumps`)
		k.exec(`DROP TABLE chef_sync.grants`)
		k.exec(`UPDATE chef_sync.meta SET version = 1, identity = identity - 'started'`)
		if _, err := Open(t.Context(), k.pool, Options{}); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("open = %v, want ErrNotInstalled", err)
		}
		if r := k.install(InstallOptions{Capture: capture}); r.From != 1 || r.Version != 2 || r.Renewed != "" {
			t.Errorf("report = %+v", r)
		}
		k.open(Options{})
		k.chef.add("roles", "new")
		k.want(f, "create /roles/new")
		if g := k.page(0); g.Epoch != f.Epoch {
			t.Errorf("epoch %s, was %s", g.Epoch, f.Epoch)
		}
		if err := Uninstall(t.Context(), k.conn()); err != nil {
			t.Error(err)
		}
	})
}
