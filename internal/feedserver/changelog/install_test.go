package changelog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// objects lists everything that a database's catalog has besides tables of the
// system, by what identifies it.
func (k *kit) objects() []string {
	k.t.Helper()
	rows, err := k.pool.Query(k.t.Context(), `
		SELECT 'class ' || relnamespace::regnamespace || '.' || relname FROM pg_class WHERE relnamespace::regnamespace::text NOT LIKE 'pg_%'
		UNION ALL SELECT 'proc ' || pronamespace::regnamespace || '.' || proname FROM pg_proc WHERE pronamespace::regnamespace::text NOT LIKE 'pg_%'
		UNION ALL SELECT 'trigger ' || tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'type ' || typnamespace::regnamespace || '.' || typname FROM pg_type WHERE typnamespace::regnamespace::text NOT LIKE 'pg_%'
		UNION ALL SELECT 'constraint ' || conrelid::regclass || '.' || conname FROM pg_constraint
		UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'
		UNION ALL SELECT 'column acl ' || attrelid::regclass || '.' || attname || attacl::text FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text NOT LIKE 'pg_%')
		UNION ALL SELECT 'acl ' || relname || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`)
	if err != nil {
		k.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

// TestInstall checks that a plan does nothing and tells everything, that an
// installation may be repeated, and that nothing stays of it.
func TestInstall(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		if err := Uninstall(t.Context(), k.conn()); err != nil {
			t.Fatal(err)
		}
		clean := k.objects()
		if got := strings.Join(clean, "\n"); strings.Contains(got, "chef_sync") {
			t.Errorf("uninstalled, and there is still\n%s", got)
		}
		o := InstallOptions{Capture: capture, Nodes: true}
		plan, err := Plan(t.Context(), k.conn(), o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(clean, k.objects()); diff != "" {
			t.Errorf("the plan did something:\n%s", diff)
		}
		if _, err := Open(t.Context(), k.pool, Options{}); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("open = %v, want ErrNotInstalled", err)
		}
		r := k.install(o)
		if len(plan) != len(r.Statements) || r.From != 0 || r.Version != schemaVersion || r.Renewed != "" {
			t.Errorf("report = %+v, planned %d statements", r, len(plan))
		}
		for _, s := range plan {
			if s.Why == "" || strings.HasSuffix(s.Why, ".") || s.SQL == "" {
				t.Errorf("statement %q: %q", s.Why, s.SQL)
			}
		}
		k.open(Options{Capture: capture})
		k.chef.add("roles", "web")
		k.pass()
		before, installed := k.page(0), k.objects()
		if r := k.install(o); r.Changes != 0 || r.From != schemaVersion || r.Renewed != "" {
			t.Errorf("installed twice: %+v, want no changes", r)
		}
		if diff := cmp.Diff(installed, k.objects()); diff != "" {
			t.Errorf("installed twice:\n%s", diff)
		}
		if diff := cmp.Diff(before, k.page(0)); diff != "" {
			t.Errorf("installed twice:\n%s", diff)
		}
		if err := Uninstall(t.Context(), k.conn()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(clean, k.objects()); diff != "" {
			t.Errorf("uninstalled:\n%s", diff)
		}
		if _, err := k.log.Page(t.Context(), "acme", 0, 0); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("page = %v, want ErrNotInstalled", err)
		}
		k.install(o)
		if p, err := k.log.Page(t.Context(), "acme", before.Head, 0); !errors.Is(err, ErrGone) || p.Epoch == before.Epoch {
			t.Errorf("a number of the log before: %+v, %v; want it gone and another epoch", p, err)
		}
	})
}

// TestSwitch goes from one capture to the other and back while things change.
func TestSwitch(t *testing.T) {
	k := start(t, InstallOptions{})
	f := k.page(0)
	for i, capture := range []Capture{Triggers, Snapshot, Triggers, Triggers, Snapshot} {
		name := string(rune('a' + i))
		k.chef.add("roles", name+"-before")
		k.install(InstallOptions{Capture: capture})
		k.chef.add("roles", name+"-after")
		p := k.changed(f)
		for _, want := range []string{"create /roles/" + name + "-before", "create /roles/" + name + "-after"} {
			if !contains(p, want) {
				t.Errorf("%d, to %s: %v, want %s in it", i, capture, p, want)
			}
		}
		if i > 0 && contains(p, "delete") {
			t.Errorf("%d, to %s: %v", i, capture, p)
		}
		g := k.page(0)
		if g.Epoch != f.Epoch || g.Head <= f.Head {
			t.Errorf("%d, to %s: epoch %s, head %d; were %s, %d", i, capture, g.Epoch, g.Head, f.Epoch, f.Head)
		}
		f = g
		if s := k.status(); s.Capture != capture || len(s.Problems) > 0 {
			t.Errorf("%d: status %+v, want %s and no problems", i, s, capture)
		}
		k.want(f)
	}
}

// TestSwitchNodes turns nodes on, and off again: then nobody is told to delete
// them.
func TestSwitchNodes(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("nodes", "n1")
		f := k.page(0)
		k.want(f)
		k.install(InstallOptions{Capture: capture, Nodes: true})
		k.want(f, "create /nodes/n1")
		r := k.install(InstallOptions{Capture: capture})
		g := k.page(0)
		if r.Renewed == "" || g.Epoch == f.Epoch || strings.Contains(strings.Join(words(g), " "), "/nodes/") {
			t.Errorf("without nodes: %+v, %v, want another epoch and no nodes", r, words(g))
		}
		if s := k.status(); len(s.Problems) > 0 {
			t.Errorf("problems = %v", s.Problems)
		}
	})
}

// TestInstallWhileBusy installs triggers while a writer holds a table.
func TestInstallWhileBusy(t *testing.T) {
	k := start(t, InstallOptions{})
	tx, err := k.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it is committed, unless the test failed
	busy := chef{t: t, db: tx, org: k.chef.org}
	busy.add("roles", "slow")
	done := make(chan error, 1)
	go func() {
		_, err := Install(context.WithoutCancel(t.Context()), k.conn(), InstallOptions{Capture: Triggers})
		done <- err
	}()
	began := time.Now()
	for time.Since(began) < time.Second { // longer than a trigger waits
		k.chef.add("groups", "g"+guid())
		wrote := make(chan error, 1)
		go func() { wrote <- k.chef.insert("roles", "name", "r"+guid()) }() // behind whoever wants the table for itself
		select {
		case err := <-wrote:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a write to the busy table waits for the end of the slow one")
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("install: %v", err)
	}
	if got := words(k.page(0)); !contains(got, "create /roles/slow") {
		t.Errorf("the slow writer's role is not in %d entries", len(got))
	}
}

// TestInstallWhileWritten installs triggers anew while a feed server, which ran
// before, writes the log: it must not take triggers that are half there for broken
// ones.
func TestInstallWhileWritten(t *testing.T) {
	k := start(t, InstallOptions{})
	if err := Uninstall(t.Context(), k.conn()); err != nil {
		t.Fatal(err)
	}
	tx, err := k.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it is committed, unless the test failed
	all := watched(false)
	if _, err := tx.Exec(t.Context(), "LOCK TABLE public."+all[len(all)-1]+" IN ROW EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := Install(context.WithoutCancel(t.Context()), k.conn(), InstallOptions{Capture: Triggers})
		done <- err
	}()
	installed := func() int64 { return k.count(`SELECT count(*) FROM pg_trigger WHERE tgname = 'chef_sync_row'`) }
	for end := time.Now().Add(time.Minute); installed() < int64(len(all))-1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d triggers after a minute; want %d", installed(), len(all)-1)
		}
	}
	if p := k.pass(); p.fallback != "" || p.capture != Snapshot {
		t.Errorf("a pass in between: capture %s, fallback %q; want snapshot and none", p.capture, p.fallback)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("install: %v", err)
	}
	if s := k.status(); s.Capture != Triggers || len(s.Problems) > 0 {
		t.Errorf("status %+v; want triggers and no problems", s)
	}
}

// TestRights runs each part as the least role that it needs.
func TestRights(t *testing.T) {
	k := start(t, InstallOptions{})
	if err := Uninstall(t.Context(), k.conn()); err != nil {
		t.Fatal(err)
	}
	as := func(grants ...string) (*pgx.Conn, string) {
		role := "role_" + guid()[:8]
		k.exec("CREATE ROLE " + role + " LOGIN PASSWORD 'x'")
		t.Cleanup(func() {
			ctx, cancel := cleanupContext()
			defer cancel()
			_, _ = k.pool.Exec(ctx, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role)
		})
		for _, g := range grants {
			k.exec(strings.ReplaceAll(g, "ROLE", role))
		}
		c, err := pgx.ParseConfig(k.dsn)
		if err != nil {
			t.Fatal(err)
		}
		c.User, c.Password = role, "x"
		conn, err := pgx.Connect(t.Context(), urlOf(c, c.Database))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := cleanupContext()
			defer cancel()
			conn.Close(ctx)
		})
		return conn, role
	}

	t.Run("snapshot needs CREATE and SELECT", func(t *testing.T) {
		reads := []string{}
		for _, tbl := range append(watched(true), "orgs") {
			reads = append(reads, "GRANT SELECT ON public."+tbl+" TO ROLE")
		}
		least, _ := as(append(reads, "GRANT CREATE ON DATABASE "+k.database()+" TO ROLE")...)
		if _, err := Install(t.Context(), least, InstallOptions{Capture: Triggers}); err == nil || !strings.Contains(err.Error(), "owner") {
			t.Errorf("triggers = %v, want that the owner has to", err)
		}
		if _, err := Install(t.Context(), least, InstallOptions{Nodes: true}); err != nil {
			t.Fatalf("install: %v", err)
		}
		l, err := Open(t.Context(), pool(t, least.Config().ConnString()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		k.chef.add("roles", "web")
		c := &capturer{log: l.o.Logger, control: l.control, now: time.Now}
		if p, err := c.pass(t.Context(), least, true); err != nil || p.changes != 1 {
			t.Errorf("pass = %+v, %v, want one change", p, err)
		}
		if _, err := c.prune(t.Context(), least, time.Hour); err != nil {
			t.Errorf("prune: %v", err)
		}
		if err := Uninstall(t.Context(), least); err != nil {
			t.Errorf("uninstall: %v", err)
		}
	})

	t.Run("triggers serve a role that owns nothing", func(t *testing.T) {
		server, name := as()
		writer, _ := as("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ROLE")
		k.exec("GRANT SELECT (name) ON roles TO " + name) // somebody else's, and it stays
		clean := k.objects()
		k.install(InstallOptions{Capture: Triggers, Role: name})
		l, err := Open(t.Context(), pool(t, server.Config().ConnString()), Options{Capture: Triggers})
		if err != nil {
			t.Fatal(err)
		}
		chef{t: t, db: writer, org: k.chef.org}.add("roles", "by-writer")
		c := &capturer{log: l.o.Logger, control: l.control, now: time.Now}
		if p, err := c.pass(t.Context(), server, true); err != nil || p.changes != 1 {
			t.Errorf("pass = %+v, %v, want one change", p, err)
		}
		if _, err := c.prune(t.Context(), server, time.Hour); err != nil {
			t.Errorf("prune: %v", err)
		}
		if _, err := writer.Exec(t.Context(), `SELECT * FROM chef_sync.outbox`); err == nil {
			t.Error("Chef's role reads our tables")
		}
		if _, err := server.Exec(t.Context(), `SELECT serialized_object FROM roles`); err == nil {
			t.Error("the feed server reads the content of roles")
		}
		k.exec(`DROP TRIGGER chef_sync_row ON roles`)
		p, err := c.pass(t.Context(), server, true)
		if err == nil {
			err = l.settle(t.Context(), p, server)
		}
		if s := k.status(); err != nil || p.fallback == "" || s.Capture != Snapshot || slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "not in use") }) {
			t.Errorf("a trigger is gone: %+v, %v; status %+v", p, err, s)
		}
		if err := Uninstall(t.Context(), k.conn()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(clean, k.objects()); diff != "" {
			t.Errorf("uninstalled:\n%s", diff)
		}
	})
}

// TestControlIsClosed runs where the system identifier may not be read.
func TestControlIsClosed(t *testing.T) {
	k := start(t, InstallOptions{})
	k.c.control = false
	f := k.page(0)
	k.chef.add("roles", "a")
	k.want(f, "create /roles/a")
	k.c.control = true // two servers, one of which may read it, agree
	k.chef.add("roles", "b")
	k.want(k.page(0), "create /roles/b")
	if g := k.page(0); g.Epoch != f.Epoch {
		t.Errorf("the epoch is %s, was %s", g.Epoch, f.Epoch)
	}
	k.log.control = false
	if s := k.status(); len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "pg_control_system") {
		t.Errorf("problems = %v, want that it cannot be read", s.Problems)
	}
}

func (k *kit) database() string {
	k.t.Helper()
	var name string
	if err := k.pool.QueryRow(k.t.Context(), `SELECT current_database()`).Scan(&name); err != nil {
		k.t.Fatal(err)
	}
	return name
}
