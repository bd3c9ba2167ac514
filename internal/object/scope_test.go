package object_test

import (
	"slices"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
)

func TestScope(t *testing.T) {
	all := object.Scope{Kinds: object.Kinds()}
	for _, tt := range []struct {
		name  string
		scope object.Scope
		in    []string
		out   []string
	}{
		{"zero", object.Scope{}, []string{"/roles/r", "/cookbooks/c/1.0.0", "/policy_groups/g/policies/p"},
			[]string{"/nodes/n", "/clients/c", "/groups/g", "/roles/r/_acl", "/organization", "/containers/c"}},
		{"all", all, []string{"/nodes/n", "/roles/r/_acl", "/organizations/_acl", "/organization"}, nil},
		{"exclude a name", object.Scope{Exclude: []string{"/roles/web-*"}}, []string{"/roles/db", "/roles/web"}, []string{"/roles/web-1"}},
		{"exclude a bag", object.Scope{Exclude: []string{"/data/secrets"}}, []string{"/data/x", "/data/x/secrets"}, []string{"/data/secrets", "/data/secrets/i"}},
		{"exclude items", object.Scope{Exclude: []string{"/data/*/tmp-*"}}, []string{"/data/b", "/data/b/i"}, []string{"/data/b/tmp-1"}},
		{"include versions", object.Scope{Include: []string{"/cookbooks/*/1.*"}}, []string{"/cookbooks/c/1.2.3"}, []string{"/cookbooks/c/2.0.0", "/roles/r"}},
		{"include an item", object.Scope{Include: []string{"/data/b/i"}}, []string{"/data/b", "/data/b/i"}, []string{"/data/b/j", "/data/c"}},
		{"exclude a policy", object.Scope{Exclude: []string{"/policies/p"}}, []string{"/policies/q/revisions/1", "/policy_groups/g/policies/q", "/policy_groups/g"},
			[]string{"/policies/p", "/policies/p/revisions/1", "/policy_groups/g/policies/p"}},
		{"both", object.Scope{Include: []string{"/roles/*"}, Exclude: []string{"/roles/x"}}, []string{"/roles/r"}, []string{"/roles/x", "/data/b"}},
		{"ACL of what is excluded", object.Scope{Kinds: object.Kinds(), Exclude: []string{"/roles/x"}},
			[]string{"/roles/r/_acl"}, []string{"/roles/x/_acl"}},
		{"ACL of a kind that is not replicated", object.Scope{Kinds: []object.Kind{object.KindACL, object.KindRole}},
			[]string{"/roles/r/_acl", "/containers/roles/_acl", "/organizations/_acl"}, []string{"/clients/c/_acl", "/data/b/_acl"}},
		{"ACL of a cookbook of which some versions are", object.Scope{Kinds: object.Kinds(), Include: []string{"/cookbooks/web/1.*"}},
			[]string{"/cookbooks/web/_acl"}, []string{"/cookbooks/db/_acl"}},
	} {
		for _, p := range tt.in {
			if !tt.scope.Has(object.MustRef(p)) {
				t.Errorf("%s: %s is not in it", tt.name, p)
			}
		}
		for _, p := range tt.out {
			if tt.scope.Has(object.MustRef(p)) {
				t.Errorf("%s: %s is in it", tt.name, p)
			}
		}
	}
}

func TestScopeString(t *testing.T) {
	scopes := []object.Scope{
		{}, {Kinds: object.Kinds()}, {Kinds: []object.Kind{object.KindRole}}, {Include: []string{"/roles/*"}}, {Exclude: []string{"/roles/*"}},
		{Include: []string{"/roles/a", "/roles/b"}},
	}
	seen := map[string]int{}
	for i, s := range scopes {
		if j, dup := seen[s.String()]; dup {
			t.Errorf("scopes %d and %d have one name, %q", i, j, s)
		}
		seen[s.String()] = i
	}
	a := object.Scope{Kinds: []object.Kind{object.KindRole, object.KindDataBag}, Include: []string{"/roles/*", "/data/*"}}
	b := object.Scope{Kinds: []object.Kind{object.KindDataBag, object.KindRole}, Include: []string{"/data/*", "/roles/*", "/roles/*"}}
	if a.String() != b.String() {
		t.Errorf("one scope has two names, %q and %q", a, b)
	}
	if rest, ok := (object.Scope{Kinds: []object.Kind{object.KindRole}}).Without([]object.Kind{object.KindRole}); ok || len(rest.Kinds) > 0 {
		t.Errorf("nothing left = %v, %v", rest, ok)
	}
}

func TestCheckGlob(t *testing.T) {
	for _, g := range []string{"/roles/*", "/roles", "/*", "/data/a/b-?", "/cookbooks/[a-c]*/1.0.0", "/r*", "/policies/x/revisions/*", "/organization"} {
		if err := object.CheckGlob(g); err != nil {
			t.Errorf("%s: %v", g, err)
		}
	}
	for _, g := range []string{"", "/", "roles/*", "/roles/", "/roles//x", "/rolls/*", "/roles/[a", "/users/x"} {
		if object.CheckGlob(g) == nil {
			t.Errorf("%q is accepted", g)
		}
	}
}

func TestACLRefs(t *testing.T) {
	for path, want := range map[string]object.Ref{
		"/roles/web/_acl":             {Kind: object.KindACL, Name: "roles", Sub: "web"},
		"/data/b/_acl":                {Kind: object.KindACL, Name: "data", Sub: "b"},
		"/environments/_default/_acl": {Kind: object.KindACL, Name: "environments", Sub: "_default"},
		"/organizations/_acl":         {Kind: object.KindACL, Name: "organizations"},
	} {
		got, err := object.ParseRef(path)
		if err != nil || got != want || got.Path() != path {
			t.Errorf("ParseRef(%s) = %+v %s, %v", path, got, got, err)
		}
	}
	for _, path := range []string{"/_acl", "/roles/_acl", "/organizations/x/_acl", "/users/u/_acl", "/data/b/i/_acl", "roles/x/_acl", "/roles/../_acl"} {
		if got, err := object.ParseRef(path); err == nil {
			t.Errorf("ParseRef(%s) = %+v", path, got)
		}
	}
	if !slices.IsSorted(object.ACLTypes()) {
		t.Error("the types are not sorted")
	}
}

func TestDefaultKindsLockNobodyOut(t *testing.T) {
	for _, k := range []object.Kind{object.KindClient, object.KindGroup, object.KindACL, object.KindNode, object.KindContainer, object.KindOrganization} {
		if !k.OnRequest() || slices.Contains(object.DefaultKinds(), k) {
			t.Errorf("%s is replicated unasked", k)
		}
	}
}
