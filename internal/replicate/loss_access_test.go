package replicate_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// member makes a user who is in the organization.
func member(t *testing.T, s *harness.ChefServer, name string) {
	t.Helper()
	_, public := harness.Keypair(t)
	if err := s.CreateUser(name, []byte(public)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddMember(harness.Organization, name, false); err != nil {
		t.Fatal(err)
	}
}

// members makes the same users on both sides.
func (r *rig) members(names ...string) {
	r.t.Helper()
	for _, name := range names {
		member(r.t, r.primary, name)
		member(r.t, r.replica, name)
	}
}

// Row 13: a client arrives with all its keys, and one without keys gets none;
// later keys follow, and keys that go.
func TestLoss13ClientKeys(t *testing.T) {
	r := newRig(t)
	r.also(object.KindClient)
	r.write.Client("keyless")
	r.write.Client("one", "default")
	r.write.Client("three", "default", "second", "third")
	r.write.Client("no-default", "mine")
	if err := r.primary.Client.CreateClient(t.Context(), chef.NewClient{Name: "validator2", Validator: true}); err != nil {
		t.Fatal(err)
	}
	r.settled(object.KindClient)
	for name, want := range map[string]int{"keyless": 0, "one": 1, "three": 3, "no-default": 1} {
		if keys, err := r.replica.Client.ListClientKeys(t.Context(), name); err != nil || len(keys) != want {
			t.Errorf("%s has the keys %q on the replica, %v; want %d", name, keys, err, want)
		}
	}
	_, public := harness.Keypair(t)
	expires := chef.ClientKey{Name: "late", PublicKey: public, ExpirationDate: "2033-12-24T21:00:00Z"}
	if err := r.primary.Client.CreateClientKey(t.Context(), "keyless", expires); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"second", "default"} {
		if err := r.primary.Client.DeleteClientKey(t.Context(), "three", key); err != nil {
			t.Fatal(err)
		}
	}
	r.settled(object.KindClient)
}

// Row 15: groups have all their members after the first pass, however they hold
// each other; a user whom the replica does not know is left out and said, and
// stops nobody.
func TestLoss15GroupMembers(t *testing.T) {
	r := newRig(t)
	r.also(object.KindClient, object.KindGroup)
	r.Parallel = 1 // so that each group is written before the one that it holds
	r.members("alice", "bob")
	r.write.Client("c1", "default")
	r.write.Client("c2")
	for _, name := range []string{"aaa", "mmm", "zzz"} { // each in the next, and the last in the first
		r.write.Group(name, nil, nil, nil)
	}
	r.write.Group("aaa", []string{"alice"}, []string{"c1"}, []string{"mmm"})
	r.write.Group("mmm", []string{"bob"}, []string{"c2"}, []string{"zzz"})
	r.write.Group("zzz", []string{"alice", "bob"}, []string{"c1", "c2"}, []string{"aaa", "users"})
	r.settled(object.KindClient, object.KindGroup)

	member(t, r.primary, "stranger")
	r.write.Group("aaa", []string{"alice", "bob", "stranger"}, []string{"c1", "c2"}, []string{"mmm"})
	r.write.Group("after", []string{"stranger"}, []string{"c1"}, nil)
	got, done := r.sync()
	r.complete(got, done)
	groups := r.snapshot(r.replica).Groups
	if m := groups["aaa"]; !slices.Equal(m.Users, []string{"alice", "bob"}) || len(m.Clients) != 2 {
		t.Errorf("aaa has %+v; want all but the stranger", m)
	}
	if m := groups["after"]; len(m.Users) != 0 || !slices.Equal(m.Clients, []string{"c1"}) {
		t.Errorf("after has %+v; want its client", m)
	}
	if c := r.compare(); !c.Equal() || !said(c.Left, "user stranger is not on the replica") {
		t.Errorf("Compare: %v, left %v; want the stranger to be said", c.Differences, c.Left)
	}
	member(t, r.replica, "stranger")
	r.settled(object.KindClient, object.KindGroup)
}

// said reports whether a lack is on a list.
func said(left []replicate.Left, text string) bool {
	return slices.ContainsFunc(left, func(l replicate.Left) bool { return l.Text == text })
}

// Row 16: the first pass writes all ACLs, also those of objects that the replica
// held already, and of objects that it makes in that pass.
func TestLoss16ACLsOnFirstPass(t *testing.T) {
	r := newRig(t)
	r.also(object.KindClient, object.KindGroup, object.KindACL)
	r.members("alice")
	r.write.Small()
	r.write.Policies()
	r.write.Client("c1", "default")
	r.write.Group("ops", []string{"alice"}, nil, nil)
	r.onReplica().Small()
	for _, of := range [][2]string{
		{"roles", "role0"}, {"environments", "prod"}, {"data", "users"}, {"cookbooks", "app"}, {"cookbook_artifacts", "app"},
		{"policies", "web"}, {"policy_groups", "prod"}, {"clients", "c1"}, {"groups", "ops"}, {"containers", "roles"},
	} {
		r.write.Allow(of[0], of[1], "read", chef.Allowed{Users: []string{"alice", harness.FastUser}, Clients: []string{"c1"}, Groups: []string{"admins", "ops"}})
		r.write.Allow(of[0], of[1], "grant", chef.Allowed{Users: []string{"alice", harness.FastUser}, Groups: []string{"admins"}})
	}
	r.settled(object.KindClient, object.KindGroup, object.KindACL)
}

// Row 17: the hidden groups through which users are members are each server's
// own: the replica's stay, the primary's do not come, and everybody still may
// read.
func TestLoss17HiddenGroups(t *testing.T) {
	r := newRig(t)
	r.also(onRequest...)
	r.members("alice")
	member(t, r.primary, "of-primary")
	member(t, r.replica, "of-replica")
	r.write.Small()
	r.write.Group("users", nil, nil, append([]string{"admins"}, r.snapshot(r.primary).Groups["users"].Groups...))
	hidden := regexp.MustCompile("^[0-9a-f]{32}$")
	usags := func(s *harness.ChefServer) []string {
		return slices.DeleteFunc(slices.Clone(r.snapshot(s).Groups["users"].Groups), func(n string) bool { return !hidden.MatchString(n) })
	}
	before := usags(r.replica)
	got, done := r.sync()
	r.complete(got, done)
	if diff := cmp.Diff(before, usags(r.replica)); diff != "" || len(before) < 4 {
		t.Errorf("hidden groups in users (-before +after):\n%s", diff)
	}
	if !slices.Contains(r.snapshot(r.replica).Groups["users"].Groups, "admins") {
		t.Error("the group users did not get its other member")
	}
	for name := range r.snapshot(r.replica).Groups {
		if hidden.MatchString(name) && !slices.Contains(before, name) {
			t.Errorf("the group %s of the primary came", name)
		}
	}
	private, _ := harness.Keypair(t)
	for _, name := range []string{"alice", "of-replica"} {
		c := asUser(t, r.replica, name, private)
		if _, err := c.GetRole(t.Context(), "role0"); err != nil {
			t.Errorf("%s cannot read any more: %v", name, err)
		}
	}
}

// asUser is a client that signs as somebody.
func asUser(t *testing.T, s *harness.ChefServer, name, private string) *chef.Client {
	t.Helper()
	return harness.NewClient(t, s.URL, harness.Organization, name, keyFile(t, name, private))
}

// Row 18: containers that somebody made arrive, with the rights on them.
func TestLoss18Containers(t *testing.T) {
	r := newRig(t)
	more := []object.Kind{object.KindContainer, object.KindGroup, object.KindACL}
	r.also(more...)
	r.write.Group("ops", nil, nil, nil)
	for i := range 3 {
		name := fmt.Sprint("custom", i)
		r.write.Container(name)
		for _, p := range []chef.Permission{"create", "update", "delete", "read"} {
			r.write.Allow("containers", name, p, chef.Allowed{Users: []string{harness.FastUser}, Groups: []string{"ops"}})
		}
	}
	r.settled(more...)
	if acl := r.snapshot(r.replica).ACLs["/containers/custom0/_acl"]; strings.Count(acl, "ops") != 4 {
		t.Errorf("the container's ACL on the replica: %s", acl)
	}
}

// Row 19: what knife diff does not see is a difference, and so is everything
// else; each has its object and its word. The exit codes of chef-sync-ctl are
// made of these verdicts. What is stored in a revision as policy_group_list cannot
// be seen: servers put their own there when they are read.
func TestLoss19Verdicts(t *testing.T) {
	book := map[string]string{"recipes/default.rb": "a", "metadata.json": `{"name":"c","version":"1.0.0"}`}
	for _, c := range []struct {
		name, path string
		want       replicate.Case
		spoil      func(r *rig, w *harness.Content)
	}{
		{"frozen flag", "/cookbooks/c/1.0.0", replicate.CaseDifferent, func(r *rig, w *harness.Content) { r.write.Cookbook("c", "1.0.0", true, book) }},
		{"stored metadata", "/cookbooks/c/1.0.0", replicate.CaseDifferent, func(_ *rig, w *harness.Content) { putCookbook(w, "c", "1.0.0", false, `"description":"other"`, book) }},
		{"short version", "/cookbooks/short/1.0.0", replicate.CaseDifferent, func(_ *rig, w *harness.Content) {
			w.Do("DELETE", "cookbooks/short/1.0.0", "")
			putCookbook(w, "short", "1.0.0", false, "", nil)
		}},
		{"lost file", "/cookbooks/c/1.0.0", replicate.CaseDamaged, func(r *rig, _ *harness.Content) {
			if err := r.replica.DropBlob(harness.Organization, sum("a")); err != nil {
				r.t.Fatal(err)
			}
		}},
		{"missing", "/roles/r", replicate.CaseMissing, func(_ *rig, w *harness.Content) { w.Do("DELETE", "roles/r", "") }},
		{"extra", "/roles/extra", replicate.CaseExtra, func(_ *rig, w *harness.Content) { w.Role("extra", "1") }},
		{"moved pointer", "/policy_groups/g/policies/p", replicate.CaseDifferent, func(_ *rig, w *harness.Content) {
			w.Pointer("g", "p", "2")
		}},
		{"empty group", "/policy_groups/none", replicate.CaseMissing, func(_ *rig, w *harness.Content) { w.Do("DELETE", "policy_groups/none", "") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.write.Cookbook("c", "1.0.0", false, book)
			putCookbook(r.write, "short", "1.0", false, "", nil)
			r.write.Role("r", "1")
			r.write.Policy("p", "1", "x")
			r.write.Policy("p", "2", "x")
			r.write.Pointer("g", "p", "1")
			r.write.PolicyGroup("none")
			r.sync()
			if got := r.compare(); !got.Equal() {
				t.Fatalf("the servers differ: %v", got.Differences)
			}
			c.spoil(r, r.onReplica())
			got := r.compare()
			if len(got.Differences) != 1 || got.Differences[0].Ref.Path() != c.path || got.Differences[0].Case != c.want || got.Unknown() {
				t.Errorf("Compare says %v; want %s: %s", got.Differences, c.path, c.want)
			}
		})
	}
}
