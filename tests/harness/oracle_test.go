package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
)

// fill writes something of every kind.
func fill(t *testing.T, s *ChefServer) {
	t.Helper()
	w := Write(t, s.Client)
	w.Small()
	w.Policies()
	w.Node("n", "1")
	w.Client("c", "default", "second")
	w.Container("box")
	w.Group("g", []string{FastUser}, []string{"c"}, []string{"admins"})
	w.Allow("roles", "role0", "read", chef.Allowed{Clients: []string{"c"}, Groups: []string{"admins"}})
}

var allKinds = []object.Kind{
	object.KindClient, object.KindGroup, object.KindACL, object.KindContainer, object.KindNode, object.KindOrganization,
}

// TestOraclesSeeEverything: two servers that were filled alike are equal, and each
// change of one is seen by both oracles, as one difference.
func TestOraclesSeeEverything(t *testing.T) {
	a, b := FastChef(t, chefserver.Options{}), FastChef(t, chefserver.Options{})
	fill(t, a)
	fill(t, b)
	diff := func() (past, through []string) {
		return Diff(t, a, b, allKinds...), DiffDumps(Dump(t, a.Client, allKinds...), Dump(t, b.Client, allKinds...))
	}
	if past, through := diff(); len(past)+len(through) > 0 {
		t.Fatalf("servers that were filled alike differ:\n%s\n%s", past, through)
	}
	w := Write(t, b.Client)
	for _, c := range []struct {
		path     string
		n        int
		do, undo func()
	}{
		{"/roles/role1", 1, func() { w.Role("role1", "2") }, func() { w.Role("role1", "1") }},
		{"/nodes/n", 1, func() { w.Node("n", "2") }, func() { w.Node("n", "1") }},
		{"/policy_groups/test/policies/web", 1, func() { w.Pointer("test", "web", "1111") }, func() { w.Pointer("test", "web", "2222") }},
		{"/policies/db/revisions/3333", 1, func() {
			w.Do("DELETE", "policies/db", "")
			w.Policy("db", "3333", "other", "app/aaaa", "app/bbbb")
			w.Pointer("prod", "db", "3333")
		},
			func() {
				w.Do("DELETE", "policies/db", "")
				w.Policy("db", "3333", "3", "app/aaaa", "app/bbbb")
				w.Pointer("prod", "db", "3333")
			}},
		{"/cookbook_artifacts/app/aaaa", 1, func() {
			w.Do("DELETE", "cookbook_artifacts/app/aaaa", "")
			w.Artifact("app", "aaaa", "other", map[string]string{"recipes/default.rb": "artifact 1"})
		},
			func() {
				w.Do("DELETE", "cookbook_artifacts/app/aaaa", "")
				w.Artifact("app", "aaaa", "one", map[string]string{"recipes/default.rb": "artifact 1"})
			}},
		{"/policy_groups/empty", 1, func() { w.PolicyGroup("empty") }, func() { w.Do("DELETE", "policy_groups/empty", "") }},
		{"/groups/g", 1, func() { w.Group("g", nil, nil, nil) }, func() { w.Group("g", []string{FastUser}, []string{"c"}, []string{"admins"}) }},
		{"/roles/role0/_acl", 1, func() { w.Allow("roles", "role0", "read", chef.Allowed{Groups: []string{"admins"}}) }, func() {
			w.Allow("roles", "role0", "read", chef.Allowed{Clients: []string{"c"}, Groups: []string{"admins"}})
		}},
		{"/clients/c/keys/second", 1, func() { w.Do("DELETE", "clients/c/keys/second", "") },
			func() {
				_, public := Keypair(t)
				w.must("key", b.Client.CreateClientKey(t.Context(), "c", chef.ClientKey{Name: "second", PublicKey: public, ExpirationDate: chef.Infinity}))
			}},
		{"/containers/other", 2, func() { w.Container("other") }, func() { w.Do("DELETE", "containers/other", "") }},
		{"/organization", 1, func() { w.must("rename", b.Client.UpdateOrganization(t.Context(), "Other")) }, func() { w.must("rename", b.Client.UpdateOrganization(t.Context(), "Acme")) }},
	} {
		c.do()
		past, through := diff()
		for name, got := range map[string][]string{"past the API": past, "through the API": through} {
			if !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, c.path+":") }) || len(got) > c.n+1 {
				t.Errorf("%s: a change of %s is seen as %q", name, c.path, got)
			}
		}
		c.undo()
		if past, through := diff(); len(past)+len(through) > 0 {
			t.Fatalf("%s: not undone:\n%s\n%s", c.path, past, through)
		}
	}
}

// TestOraclesSeeFiles: a file that is not what its MD5 says is seen by both.
func TestOraclesSeeFiles(t *testing.T) {
	s := FastChef(t, chefserver.Options{})
	Write(t, s.Client).Policies()
	good := Dump(t, s.Client)
	for path, v := range snapshot(t, s).Cookbooks {
		if err := s.CorruptBlob(Organization, v.Files[0].MD5); err != nil {
			t.Fatal(err)
		}
		if bad := Dump(t, s.Client); bad[path] == good[path] {
			t.Errorf("%s: a corrupt file is not seen: %s", path, bad[path])
		}
	}
	if got := Diff(t, s, s); len(got) != 2 {
		t.Errorf("past the API: %q, want two artifacts that are incomplete", got)
	}
	if n := len(slices.Collect(maps.Keys(good))); n != 13+1 /* _default */ {
		t.Errorf("%d objects, want 13 and _default: %s", n, fmt.Sprint(slices.Sorted(maps.Keys(good))))
	}
}
