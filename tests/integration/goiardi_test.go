package integration

import (
	"fmt"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/demo/sample"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// story is a pair of servers and the ec-syncd between them.
type story struct {
	t                *testing.T
	syncd            *harness.Syncd
	primary, replica *chef.Client
	write            *harness.Content // to the primary
}

// goiardis starts two goiardis and an ec-syncd that lists them.
func goiardis(t *testing.T, settings string) (*story, *harness.GoiardiServer, *harness.GoiardiServer) {
	t.Helper()
	p, r := harness.Goiardi(t), harness.Goiardi(t)
	s := &story{
		t:       t,
		primary: harness.NewClient(t, p.URL, "", p.User, p.KeyFile),
		replica: harness.NewClient(t, r.URL, "", r.User, r.KeyFile),
	}
	s.write = harness.Write(t, s.primary)
	s.syncd = harness.NewSyncd(t, p.Side(), r.Side(), settings)
	return s, p, r
}

// equal waits until the replica holds what the primary holds, as an oracle reads
// them that knows nothing of the engine.
func (s *story) equal(when string) {
	s.t.Helper()
	var diff []string
	harness.Until(s.t, when+": both servers equal", func() bool {
		diff = harness.DiffDumps(harness.Dump(s.t, s.primary), harness.Dump(s.t, s.replica))
		return len(diff) == 0
	}, func() string {
		unsynced, _, _ := s.syncd.Ctl(s.t, "--output", "json", "unsynced-objects", harness.Organization)
		return fmt.Sprintf("%d differences, the first: %v\nstatus: %v\nunsynced: %s",
			len(diff), diff[:min(3, len(diff))], s.syncd.Status(s.t), unsynced)
	})
}

// is waits until sync-status says that a field has a value.
func (s *story) is(field string, want any) {
	s.t.Helper()
	var got harness.PairStatus
	harness.Until(s.t, fmt.Sprintf("status %s = %v", field, want), func() bool {
		got = s.syncd.Status(s.t)
		return got != nil && fmt.Sprint(got[field]) == fmt.Sprint(want)
	}, func() string { return fmt.Sprint(got) })
}

// The whole story that a first user lives through, on two real servers.
func TestGoiardiPair(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL, two goiardis and Temporal")
	}
	// Contents are compared at every poll, so that updates are seen at once.
	s, _, r := goiardis(t, "poll_interval 1\ndeep_interval 0\n")
	if err := sample.Load(t.Context(), s.primary, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	s.syncd.MustCtl(t, "sync-start", harness.Organization)
	s.equal("bootstrap")
	s.is("state", "following")
	s.is("feed", "listing")

	s.write.Small() // creates of every kind, a frozen version among them
	s.write.Role("role0", "2")
	s.equal("creates and updates")
	frozen, err := s.replica.GetCookbook(t.Context(), "app", "1.0.0")
	if err != nil || !frozen.Frozen() {
		t.Errorf("app 1.0.0 on the replica: frozen %t, error %v; want frozen", frozen.Frozen(), err)
	}

	// kill -9 in the middle of a synchronization: the replica stands still, so that
	// the middle cannot be missed.
	r.Freeze()
	for i := range 40 {
		s.write.Role(fmt.Sprintf("crash%d", i), "1")
		s.write.Cookbook("crash", fmt.Sprintf("1.0.%d", i), i%2 == 0, map[string]string{"recipes/default.rb": fmt.Sprint(i)})
	}
	s.copying()
	s.syncd.Kill()
	r.Thaw()
	s.syncd.Start(t)
	s.equal("after kill -9")
	s.is("state", "following")

	s.deletes()
	s.equal("deletes")
	s.is("unsynced", 0)
	if _, _, code := s.syncd.Ctl(t, "unsynced-objects", harness.Organization); code != 0 {
		t.Errorf("unsynced-objects ends with %d; want 0: nothing is unsynced", code)
	}
}

// copying waits until a batch is on its way.
func (s *story) copying() {
	s.t.Helper()
	pending := func() bool {
		return s.syncd.Copying(s.t, "chef-sync/sync/"+harness.Organization)
	}
	harness.Until(s.t, "a batch is on its way", pending, func() string { return fmt.Sprint(s.syncd.Status(s.t)) })
}

// deletes deletes some of each kind on the primary, fewer than the delete guard
// asks about.
func (s *story) deletes() {
	s.t.Helper()
	ctx := s.t.Context()
	for _, err := range []error{
		s.primary.DeleteRole(ctx, "crash1"), s.primary.DeleteRole(ctx, "role0"),
		s.primary.DeleteCookbook(ctx, "app", "1.0.0"), s.primary.DeleteCookbook(ctx, "crash", "1.0.1"),
		s.primary.DeleteDataBagItem(ctx, "users", "user0"), s.primary.DeleteDataBag(ctx, "empty"),
		s.primary.DeleteEnvironment(ctx, "prod"),
	} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
}
