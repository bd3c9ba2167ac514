package changelog

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestOrganizations deletes organizations, whose objects stay behind, and makes
// them again.
func TestOrganizations(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "web")
		k.chef.add("policies", "db")
		k.pass()
		f := k.page(0)
		k.chef.do(`DELETE FROM orgs WHERE id = $1`, k.chef.org)
		if _, err := k.log.Page(t.Context(), "acme", 0, 0); !errors.Is(err, ErrNoOrganization) {
			t.Errorf("page = %v, want ErrNoOrganization", err)
		}
		k.pass()
		if n := k.count(`SELECT count(*) FROM chef_sync.object_changes`); n != 0 {
			t.Errorf("%d paths of a deleted organization", n)
		}
		k.chef.remove("roles", "web") // an orphan
		k.chef.add("roles", "orphan") // one more
		k.pass()

		again := k.chef
		again.org = k.chef.newOrg("acme")
		if p, err := k.log.Page(t.Context(), "acme", f.Head, 0); !errors.Is(err, ErrGone) || p.OrgGUID != again.org {
			t.Errorf("before a pass: %+v, %v, want gone", p, err)
		}
		again.add("roles", "other")
		k.pass()
		g := k.page(0)
		if got := words(g); len(got) != 1 || got[0] != "create /roles/other" || g.OrgGUID == f.OrgGUID || g.OrgGUID != again.org {
			t.Errorf("after it was made again: %v of %s, want one role of %s", got, g.OrgGUID, again.org)
		}
		k.chef.newOrg("empty")
		k.pass()
		if p, err := k.log.Page(t.Context(), "empty", 0, 0); err != nil || len(p.Entries) != 0 || p.Head != 0 {
			t.Errorf("an empty one: %+v, %v", p, err)
		}
	})
}

// TestNewOrganizationWithObjects adds the row of an organization after its
// objects: none is lost.
func TestNewOrganizationWithObjects(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		late := k.chef
		late.org = guid()
		late.add("roles", "early")
		k.pass()
		k.chef.do(`INSERT INTO orgs (id, authz_id, name, full_name, assigned_at, last_updated_by, created_at, updated_at) VALUES ($1, $2, 'late', '', now(), $2, now(), now())`, late.org, guid())
		k.pass()
		if p, err := k.log.Page(t.Context(), "late", 0, 0); err != nil || strings.Join(words(p), "") != "create /roles/early" {
			t.Errorf("page = %+v, %v, want the role", p, err)
		}
	})
}

// TestTruncate empties tables of Chef's and of ours.
func TestTruncate(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "web")
		k.chef.add("groups", "ops")
		k.pass()
		f := k.page(0)
		k.exec(`TRUNCATE roles`)
		k.chef.add("groups", "dev")
		k.pass()
		g := k.page(0)
		if renewed := g.Epoch != f.Epoch; renewed != (capture == Triggers) {
			t.Errorf("the epoch was renewed: %v", renewed)
		}
		if got := words(g); !contains(got, "delete /roles/web") || !contains(got, "create /groups/dev") {
			t.Errorf("after TRUNCATE: %v", got)
		}
		if capture == Triggers {
			k.gone(f.Head)
		}

		for _, tbl := range []string{"object_changes", "organizations", "outbox", "meta", "object_changes, chef_sync.organizations, chef_sync.outbox, chef_sync.parents, chef_sync.meta"} {
			k.t, f = t, k.page(0)
			k.exec(`TRUNCATE chef_sync.` + tbl)
			if _, err := k.log.Page(t.Context(), "acme", f.Head, 0); !errors.Is(err, ErrNotReady) {
				t.Errorf("%s emptied: page = %v, want ErrNotReady", tbl, err)
			}
			k.pass()
			g := k.page(0)
			if g.Epoch == f.Epoch {
				t.Errorf("%s emptied: the same epoch", tbl)
			}
			if got := words(g); !contains(got, "create /groups/ops") {
				t.Errorf("%s emptied: %v, want all groups", tbl, got)
			}
			k.gone(f.Head)
			if s := k.status(); s.Capture != capture {
				t.Errorf("%s emptied: the capture is %s", tbl, s.Capture)
			}
		}
		k.chef.add("groups", "qa")
		k.want(k.page(0), "create /groups/qa")
	})
}

// gone checks that a number is not served.
func (k *kit) gone(seq int64) {
	k.t.Helper()
	if p, err := k.log.Page(k.t.Context(), "acme", seq, 0); !errors.Is(err, ErrGone) || len(p.Entries) > 0 {
		k.t.Errorf("page after %d = %+v, %v; want it gone, and nothing with it", seq, p, err)
	}
}

// TestRestore loads an old copy of the database: another one with the same
// content, and one of another cluster.
func TestRestore(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "kept")
		k.pass()
		for _, what := range []string{"database", "log", "system", "timeline"} {
			f := k.page(0)
			k.exec(`UPDATE chef_sync.meta SET identity = identity || jsonb_build_object($1::text, '7')`, what)
			k.chef.add("roles", "since-"+what)
			if p := k.pass(); !strings.Contains(p.renewed, what) {
				t.Errorf("another %s: renewed = %q", what, p.renewed)
			}
			if g := k.page(0); g.Epoch == f.Epoch {
				t.Errorf("another %s, the same epoch", what)
			}
			k.gone(f.Head)
			k.gone(f.Head - 1)
		}
	})
}

// TestDump copies the database, as a dump that is loaded does.
func TestDump(t *testing.T) {
	k := start(t, InstallOptions{Capture: Triggers})
	k.chef.add("roles", "kept")
	k.pass()
	f, name := k.page(0), k.database()
	k.pool.Close()
	admin := pool(t, strings.Replace(k.dsn, "/"+name, "/postgres", 1))
	if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name+"_copy TEMPLATE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		_, _ = admin.Exec(ctx, "DROP DATABASE "+name+"_copy WITH (FORCE)")
	})
	k.pool = pool(t, strings.Replace(k.dsn, "/"+name, "/"+name+"_copy", 1))
	k.open(Options{})
	p, err := k.c.pass(t.Context(), k.pool, true)
	if err != nil {
		t.Fatal(err)
	}
	if g := k.page(0); p.renewed == "" || g.Epoch == f.Epoch {
		t.Errorf("in the copy: %+v, epoch %s, was %s", p, g.Epoch, f.Epoch)
	}
}

// TestBrokenTriggers does to triggers what can happen to them. Chef's writes go
// on, nothing is lost, and the status says it.
func TestBrokenTriggers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sql     string
		renews  bool
		problem string
	}{
		{"row trigger dropped", `DROP TRIGGER chef_sync_row ON roles`, true, "the triggers on roles"},
		{"truncate trigger dropped", `DROP TRIGGER chef_sync_truncate ON keys`, true, "the triggers on keys"},
		{"triggers disabled", `ALTER TABLE roles DISABLE TRIGGER ALL`, true, "the triggers on roles"},
		{"triggers off and on again", `ALTER TABLE roles DISABLE TRIGGER chef_sync_row; ALTER TABLE roles ENABLE TRIGGER chef_sync_row`, true, "the triggers on roles"},
		{"our outbox dropped", `DROP TABLE chef_sync.outbox`, false, "no table outbox"},
		{"our parents dropped", `DROP TABLE chef_sync.parents`, false, "no table parents"},
		{"our counter dropped", `DROP SEQUENCE chef_sync.trigger_failures`, false, "no table trigger_failures"},
		{"our column renamed", `ALTER TABLE chef_sync.outbox RENAME ref TO reference`, false, "no column ref"},
		{"our function dropped", `DROP FUNCTION chef_sync.on_roles() CASCADE`, true, "the triggers on roles"},
		{"a constraint of somebody", `ALTER TABLE chef_sync.outbox ADD CHECK (ref <> '/roles/new')`, false, "failed 1 times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := start(t, InstallOptions{Capture: Triggers})
			k.chef.add("roles", "old")
			k.pass()
			f := k.page(0)
			k.exec(tt.sql)
			k.chef.add("roles", "new")
			k.chef.remove("roles", "old")
			k.chef.addVersion("apt", 1, 0, 0)
			p := k.pass()
			if p.fallback == "" || p.capture != Snapshot || (p.renewed != "") != tt.renews {
				t.Errorf("pass = %+v, want a fallback", p)
			}
			got := words(k.page(0))
			for _, want := range []string{"create /roles/new", "delete /roles/old", "create /cookbooks/apt/1.0.0"} {
				if !contains(got, want) {
					t.Errorf("changes = %v, want %s", got, want)
				}
			}
			if g := k.page(0); (g.Epoch != f.Epoch) != tt.renews {
				t.Errorf("epoch was %s, is %s", f.Epoch, g.Epoch)
			}
			k.loud(tt.problem)
			if n := k.count(`SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'chef_sync%' AND tgrelid::regclass::text NOT LIKE 'chef_sync%'`); n != 0 {
				t.Errorf("%d triggers are left", n)
			}
			k.chef.touch("roles", "new")
			k.want(k.page(0), "update /roles/new")
			k.exec(`DROP TABLE IF EXISTS chef_sync.outbox`) // as it was meant to be
			k.install(InstallOptions{Capture: Triggers})
			k.chef.touch("roles", "new")
			if got := k.changed(k.page(0)); !contains(got, "update /roles/new") {
				t.Errorf("installed again: %v", got)
			}
			if s := k.status(); s.Capture != Triggers || len(s.Problems) > 0 {
				t.Errorf("installed again: %+v", s)
			}
		})
	}
}

// loud checks that the status has a problem with the given words.
func (k *kit) loud(want string) {
	k.t.Helper()
	s := k.status()
	if s.Capture != Snapshot || !strings.Contains(strings.Join(s.Problems, "\n"), want) {
		k.t.Errorf("status = %+v, want a problem with %q", s, want)
	}
}

// TestRenamedColumn upgrades Chef's schema under the log.
func TestRenamedColumn(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "old")
		k.pass()
		f := k.page(0)
		k.exec(`ALTER TABLE roles RENAME name TO title`)
		k.chef.do(`INSERT INTO roles (org_id, authz_id, last_updated_by, id, created_at, updated_at, title) VALUES ($1, $2, $2, $3, now(), now(), 'new')`, k.chef.org, guid(), guid())
		k.chef.do(`UPDATE roles SET updated_at = now()`)
		k.chef.do(`DELETE FROM roles WHERE title = 'new'`)
		k.chef.add("groups", "ops")
		got := k.changed(f)
		if !contains(got, "create /groups/ops") || strings.Contains(strings.Join(got, " "), "delete") {
			t.Errorf("changes = %v, want the group and no deletes", got)
		}
		k.loud("the table roles has no column name")
		k.exec(`ALTER TABLE roles RENAME title TO name`)
		k.chef.add("roles", "later")
		if got := k.changed(f); !contains(got, "create /roles/later") || !contains(got, "update /roles/old") {
			t.Errorf("renamed back: %v", got)
		}
		if g := k.page(0); g.Epoch != f.Epoch {
			t.Errorf("the epoch was renewed")
		}
	})
}

// TestPrune forgets tombstones: a number below the last one is not served any
// more, one above is.
func TestPrune(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "gone")
		k.chef.add("roles", "kept")
		k.pass()
		f := k.page(0)
		k.chef.remove("roles", "gone")
		k.pass()
		g := k.page(0)
		for _, tt := range []struct {
			later time.Duration
			n     int64
		}{{29 * 24 * time.Hour, 0}, {31 * 24 * time.Hour, 1}} {
			k.c.now = func() time.Time { return time.Now().Add(tt.later) }
			if n, err := k.c.prune(t.Context(), k.pool, DefaultTombstoneAge); err != nil || n != tt.n {
				t.Errorf("after %s: %d, %v; want %d", tt.later, n, err, tt.n)
			}
		}
		var gone *GoneError
		if _, err := k.log.Page(t.Context(), "acme", f.Head, 0); !errors.As(err, &gone) || gone.Reason != ReasonPruned || gone.Floor != g.Head {
			t.Errorf("below the floor: %v", err)
		}
		if _, err := k.log.Page(t.Context(), "acme", g.Head+1, 0); !errors.As(err, &gone) || gone.Reason != ReasonBeyondHead || gone.Head != g.Head {
			t.Errorf("beyond the head: %v", err)
		}
		if p := k.page(g.Head); len(p.Entries) != 0 || p.Floor != g.Head || p.Head != g.Head {
			t.Errorf("at the head: %+v", p)
		}
		if got := words(k.page(0)); len(got) != 1 || got[0] != "create /roles/kept" {
			t.Errorf("from 0: %v", got)
		}
		k.chef.add("roles", "gone")
		k.want(g, "create /roles/gone")
	})
}

// TestIdle commits a transaction that is older than the last one that the log
// has seen, when nothing else happens.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		tx, err := k.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slow := chef{t: t, db: tx, org: k.chef.org}
		slow.add("roles", "slow")
		k.chef.add("roles", "quick")
		if !until(func() bool { return k.pass().idle }) {
			t.Error("nothing is written, and passes go on to find something to do")
		}
		f := k.page(0)
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.want(f, "create /roles/slow")
	})
}

// TestLostParents loses the names of cookbooks and artifacts: everything is
// compared then, and nothing is lost.
func TestLostParents(t *testing.T) {
	k := start(t, InstallOptions{Capture: Triggers})
	k.chef.addVersion("apt", 1, 0, 0)
	k.chef.addVersion("apt", 2, 0, 0)
	k.chef.addArtifact("nginx", "abc")
	k.pass()
	f := k.page(0)
	k.exec(`DELETE FROM chef_sync.parents`)
	k.chef.addVersion("apt", 3, 0, 0)
	k.chef.removeVersion("apt", 1, 0, 0)
	k.chef.removeArtifact("nginx", "abc")
	got := k.changed(f)
	for _, want := range []string{"create /cookbooks/apt/3.0.0", "delete /cookbooks/apt/1.0.0", "delete /cookbook_artifacts/nginx/abc"} {
		if !contains(got, want) {
			t.Errorf("changes = %v, want %s", got, want)
		}
	}
}

// TestStaleOutbox: what triggers saw and nobody numbered before the capture went on
// by snapshots is not kept for later, when it is no longer true.
func TestStaleOutbox(t *testing.T) {
	k := start(t, InstallOptions{Capture: Triggers})
	k.chef.add("roles", "web")
	k.pass()
	k.exec(`UPDATE chef_sync.meta SET capture = 'snapshot'`)
	k.chef.remove("roles", "web") // by a writer whose table still had its trigger
	k.pass()
	k.exec(`ALTER TABLE roles DISABLE TRIGGER ALL`)
	k.chef.add("roles", "web")
	k.pass()
	if _, err := k.c.prune(t.Context(), k.pool, DefaultTombstoneAge); err != nil {
		t.Fatal(err)
	}
	if n := k.count(`SELECT count(*) FROM chef_sync.outbox`); n != 0 {
		t.Errorf("%d rows are in the outbox", n)
	}
	k.install(InstallOptions{Capture: Triggers})
	if got := words(k.page(0)); len(got) != 1 || got[0] != "create /roles/web" {
		t.Errorf("from 0: %v", got)
	}
}
