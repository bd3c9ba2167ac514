package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// mixed is a pair of a goiardi and an in-process Chef server, in either order.
func mixed(t *testing.T, toGoiardi bool) *story {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL, goiardi and Temporal")
	}
	g, s := harness.Goiardi(t), harness.Chef(t, chefserver.Options{Feed: toGoiardi, ConcurrentUploadFails: true})
	sides := []harness.Side{s.Side(), g.Side()}
	clients := []*chef.Client{s.Client, harness.NewClient(t, g.URL, "", g.User, g.KeyFile)}
	if !toGoiardi {
		sides[0], sides[1], clients[0], clients[1] = sides[1], sides[0], clients[1], clients[0]
	}
	return &story{
		t: t, primary: clients[0], replica: clients[1], write: harness.Write(t, clients[0]),
		syncd: harness.NewSyncd(t, sides[0], sides[1], "poll_interval 1\ndeep_interval 0\n"),
	}
}

// common is what both kinds of servers can hold: no policies, and no file outside
// the nine segments.
func (s *story) common() {
	s.t.Helper()
	for i := range 3 {
		s.write.Role(fmt.Sprint("role", i), "1")
		s.write.Item("users", fmt.Sprint("user", i), "1")
		s.write.Cookbook("app", fmt.Sprintf("1.%d.0", i), i == 0, map[string]string{"recipes/default.rb": fmt.Sprint(i), "README.md": "readme"})
	}
	s.write.Bag("empty")
	s.write.Environment("prod", "1")
}

// same waits until both servers hold the same of what a goiardi can hold.
func (s *story) same(when string) {
	s.t.Helper()
	var diff []string
	harness.Until(s.t, when, func() bool {
		diff = harness.DiffDumps(holdable(harness.Dump(s.t, s.primary)), holdable(harness.Dump(s.t, s.replica)))
		return len(diff) == 0
	}, func() string {
		unsynced, _, _ := s.syncd.Ctl(s.t, "--output", "json", "unsynced-objects", harness.Organization)
		return fmt.Sprintf("%s\nstatus: %v\nunsynced: %s", strings.Join(diff, "\n"), s.syncd.Status(s.t), unsynced)
	})
}

// holdable is a dump without policies, without what the two servers print in
// their own ways, and without the environment that they have of their own.
func holdable(dump map[string]string) map[string]string {
	out := map[string]string{}
	for path, text := range dump {
		if strings.HasPrefix(path, "/polic") || strings.HasPrefix(path, "/cookbook_artifacts/") || path == "/environments/_default" {
			continue
		}
		out[path] = strings.ReplaceAll(text, `"long_description":"",`, "")
	}
	return out
}

// change changes and deletes some of each kind.
func (s *story) change() {
	s.t.Helper()
	s.write.Role("role0", "2")
	s.write.Item("users", "user0", "2")
	s.write.Cookbook("app", "2.0.0", true, map[string]string{"recipes/default.rb": "new"})
	s.write.Cookbook("app", "1.1.0", false, map[string]string{"recipes/default.rb": "changed"})
	for _, path := range []string{"roles/role1", "data/users/user1", "data/empty", "cookbooks/app/1.0.0", "environments/prod"} {
		s.write.Do("DELETE", path, "")
	}
}

// lacks asks the pair's workflow which kinds its servers cannot hold.
func (s *story) lacks() (primary, replica string) {
	s.t.Helper()
	answer, err := s.syncd.Temporal(s.t).QueryWorkflow(s.t.Context(), workflowID, "", workflows.QueryStatus)
	if err != nil {
		s.t.Fatal(err)
	}
	var st workflows.Status
	if err := answer.Get(&st); err != nil {
		s.t.Fatal(err)
	}
	return st.Identities.Primary.Lacks, st.Identities.Replica.Lacks
}

// wantLacks checks that a goiardi is said to lack what it lacks.
func wantLacks(t *testing.T, got string) {
	t.Helper()
	for _, k := range []object.Kind{object.KindArtifact, object.KindPolicy, object.KindPolicyRevision, object.KindPolicyGroup, object.KindPolicyPointer} {
		if !slices.Contains(strings.Split(got, ","), string(k)) {
			t.Errorf("status says that the goiardi lacks %q, want %s among it", got, k)
		}
	}
}

// A goiardi can be the replica of a Chef Infra Server: it gets what it can hold,
// status says what it cannot, and nothing is on the list of unsynced objects for
// that.
func TestChefToGoiardi(t *testing.T) {
	s := mixed(t, true)
	s.common()
	s.write.Policies()
	s.syncd.MustCtl(t, "sync-start", harness.Organization)
	s.same("bootstrap")
	s.is("state", "following")
	primary, replica := s.lacks()
	wantLacks(t, replica)
	if primary != "" {
		t.Errorf("status says that the primary lacks %q", primary)
	}
	s.change()
	s.write.Policy("late", "1", "x")
	s.same("changes")
	s.is("unsynced", 0)

	// What goiardi has no place for is parked, with its reason, and stops nobody.
	s.write.Cookbook("outside", "1.0.0", false, map[string]string{"compliance/x.rb": "x"})
	s.write.Role("after", "1")
	s.is("unsynced", 1)
	stdout, _, _ := s.syncd.Ctl(t, "unsynced-objects", harness.Organization)
	if !strings.Contains(stdout, "/cookbooks/outside/1.0.0") || !strings.Contains(stdout, "compliance/x.rb") {
		t.Errorf("unsynced-objects says\n%s\nwant the cookbook and its file", stdout)
	}
	harness.Until(t, "the role after it", func() bool { _, err := s.replica.GetRole(t.Context(), "after"); return err == nil },
		func() string { return fmt.Sprint(s.syncd.Status(t)) })
}

// A goiardi can be the primary: what the replica holds of kinds that it lacks is
// left alone.
func TestGoiardiToChef(t *testing.T) {
	s := mixed(t, false)
	s.common()
	there := harness.Write(t, s.replica)
	there.Policies()
	s.syncd.MustCtl(t, "sync-start", harness.Organization)
	s.same("bootstrap")
	s.is("state", "following")
	primary, _ := s.lacks()
	wantLacks(t, primary)
	s.is("extras", 0)
	s.change()
	s.same("changes")
	s.is("unsynced", 0)
	n := 0
	for path := range harness.Dump(t, s.replica) {
		if ref, err := object.ParseRef(path); err == nil && strings.Contains(string(ref.Kind), "polic") || strings.HasPrefix(path, "/cookbook_artifacts/") {
			n++
		}
	}
	if n != 13 {
		t.Errorf("the replica holds %d objects of the kinds that goiardi lacks, want 13 as before", n)
	}
}
