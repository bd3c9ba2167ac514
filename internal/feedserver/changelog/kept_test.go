package changelog

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFloorStays: a tombstone that is older than the floor, but was to be kept for
// longer, does not take the floor down when it is forgotten. Whoever was told to
// compare everything would otherwise be taken at his word later.
func TestFloorStays(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "gone")
		k.pass()
		f := k.page(0)
		k.chef.remove("roles", "gone")
		k.pass()
		g := k.page(0)
		k.exec(`UPDATE chef_sync.meta SET identity = identity || '{"timeline": "7"}'`)
		k.chef.add("roles", "kept")
		k.pass()
		k.gone(f.Head)
		floor := k.page(0).Floor
		k.c.now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
		if n, err := k.c.prune(t.Context(), k.pool, DefaultTombstoneAge); err != nil || n != 1 {
			t.Fatalf("forgot %d, %v; want the tombstone", n, err)
		}
		if p := k.page(0); p.Floor != floor {
			t.Errorf("the floor is %d, was %d", p.Floor, floor)
		}
		k.gone(f.Head)
		k.gone(g.Head)
	})
}

// TestIdentityStaysKnown: a server that may not read the system's identifier, and
// sees that PostgreSQL was started anew, forgets nothing of what another one read.
func TestIdentityStaysKnown(t *testing.T) {
	k := start(t, InstallOptions{})
	k.pass()
	was := k.status().Identity["system"]
	k.c.control = false
	k.restarted()
	k.chef.add("roles", "web")
	if p := k.pass(); p.renewed != "" {
		t.Errorf("renewed: %s", p.renewed)
	}
	now := k.status().Identity
	if was == "" || now["system"] != was || now["timeline"] == "" || now[started] == "7" {
		t.Errorf("identity = %v, want the system %s and the present start", now, was)
	}
}

// TestCreatedAgain: an object that came back and was written at once is a new one
// for who saw it go.
func TestCreatedAgain(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.chef.add("roles", "web")
		k.pass()
		k.chef.remove("roles", "web")
		k.pass()
		f := k.page(0)
		k.chef.add("roles", "web")
		k.chef.touch("roles", "web")
		k.want(f, "create /roles/web")
	})
}

// TestInstallGivenUp: who gives an installation up, while it waits for a table,
// has no triggers left.
func TestInstallGivenUp(t *testing.T) {
	k := start(t, InstallOptions{})
	tx, err := k.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing was written
	all := watched(false)
	if _, err := tx.Exec(t.Context(), "LOCK TABLE public."+all[len(all)-1]+" IN ROW EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	conn := k.conn()
	ctx, giveUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Install(ctx, conn, InstallOptions{Capture: Triggers})
		done <- err
	}()
	triggers := func() int64 { return k.count(`SELECT count(*) FROM pg_trigger WHERE tgname = 'chef_sync_row'`) }
	if !until(func() bool { return triggers() == int64(len(all))-1 }) {
		t.Fatalf("%d triggers; want %d", triggers(), len(all)-1)
	}
	giveUp()
	if err := <-done; err == nil {
		t.Error("an installation that was given up worked")
	}
	if n := triggers(); n != 0 {
		t.Errorf("%d triggers are left", n)
	}
	if s := k.status(); s.Capture != Snapshot || len(s.Problems) > 0 {
		t.Errorf("status = %+v, want snapshots and no problem", s)
	}
}

// TestPlanUninstall: the plan does nothing, and says all that is done.
func TestPlanUninstall(t *testing.T) {
	k := start(t, InstallOptions{Capture: Triggers})
	role := "role_" + guid()[:8]
	k.exec("CREATE ROLE " + role)
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		_, _ = k.pool.Exec(ctx, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role)
	})
	k.install(InstallOptions{Capture: Triggers, Role: role})
	before := k.objects()
	plan, err := PlanUninstall(t.Context(), k.conn())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, k.objects()) {
		t.Error("the plan did something")
	}
	for _, want := range []string{"DROP TRIGGER IF EXISTS chef_sync_row ON public.roles", "REVOKE SELECT (name, org_id, xmin) ON public.\"roles\" FROM \"" + role, "DROP SCHEMA"} {
		if !slices.ContainsFunc(plan, func(s Statement) bool { return strings.Contains(s.SQL, want) && s.Why != "" }) {
			t.Errorf("the plan has not %q: %+v", want, plan)
		}
	}
	if err := Uninstall(t.Context(), k.conn()); err != nil {
		t.Fatal(err)
	}
	if plan, err := PlanUninstall(t.Context(), k.conn()); err != nil || len(plan) != 1 {
		t.Errorf("afterwards %+v, %v; want no more than the schema", plan, err)
	}
}

// TestSlashes: a name with a slash, which Chef does not allow, is no path, whatever
// is written about it.
func TestSlashes(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		f := k.page(0)
		for _, tbl := range []string{"roles", "clients", "data_bags"} {
			k.chef.add(tbl, "a/b")
		}
		k.chef.addKey("a/b", "second")
		k.chef.addVersion("a/b", 1, 0, 0)
		k.chef.addArtifact("a/b", "abc")
		k.chef.addItem("a/b", "item")
		k.chef.remove("roles", "a/b")
		k.chef.add("roles", "a")
		k.want(f, "create /roles/a")
	})
}
