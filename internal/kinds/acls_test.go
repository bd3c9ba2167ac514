package kinds_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// role makes a role on both sides, on the replica as the pair.
func (r *rights) role(name string) {
	r.Helper()
	body := json.RawMessage(fmt.Sprintf(`{"name":%q}`, name))
	r.must(r.as(r.primary, "alice").CreateRole(r.Context(), body))
	r.must(r.replica.Client.CreateRole(r.Context(), body))
}

// allow replaces one permission.
func (r *rights) allow(c *chef.Client, kind, name string, p chef.Permission, a chef.Allowed) {
	r.Helper()
	r.must(c.PutACL(r.Context(), kind, name, p, a))
}

func (r *rights) acl(c *chef.Client, kind, name string) chef.ACL {
	r.Helper()
	acl, err := c.GetACL(r.Context(), kind, name)
	r.must(err)
	for p, a := range acl {
		for _, list := range []*[]string{&a.Users, &a.Clients, &a.Groups} {
			*list = append([]string{}, *list...)
			slices.Sort(*list)
		}
		acl[p] = a
	}
	return acl
}

// wantAllowed compares one permission on the replica.
func (r *rights) wantAllowed(kind, name string, p chef.Permission, want chef.Allowed) {
	r.Helper()
	got := r.acl(r.root.replica, kind, name)[p]
	for _, list := range []*[]string{&want.Users, &want.Clients, &want.Groups} {
		*list = append([]string{}, *list...)
		slices.Sort(*list)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("%s of %s %s on the replica (-want +got):\n%s", p, kind, name, diff)
	}
}

func TestACLs(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	r.copied("/roles/web/_acl")
	r.wantAllowed("roles", "web", "update", chef.Allowed{
		Users: []string{"alice", r.user(), "pivotal"}, Groups: []string{"admins", "users"},
	})
	r.members(r.root.primary, chef.Group{Name: "ops"})
	r.members(r.root.replica, chef.Group{Name: "ops"})
	r.allow(r.root.primary, "roles", "web", "read", chef.Allowed{Users: []string{"bob"}, Clients: []string{"acme-validator"}, Groups: []string{"ops"}})
	r.copied("/roles/web/_acl")
	r.wantAllowed("roles", "web", "read", chef.Allowed{
		Users: []string{"bob", r.user(), "pivotal"}, Clients: []string{"acme-validator"}, Groups: []string{"ops"},
	})
	r.mayAdminister()

	org := r.acl(r.root.primary, "organizations", "")["read"]
	org.Users = append(org.Users, "bob")
	r.allow(r.root.primary, "organizations", "", "read", org)
	r.copied("/organizations/_acl")
	r.wantAllowed("organizations", "", "read", org)
}

// Names that the replica does not know would be refused, and all others with them.
func TestACLsOfUnknown(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	r.member(r.primary, "zoe", false)
	r.client(r.root.primary, "web9")
	r.members(r.root.primary, chef.Group{Name: "ops"})
	for _, p := range []chef.Permission{"read", "update"} {
		r.allow(r.root.primary, "roles", "web", p, chef.Allowed{Users: []string{"bob", "zoe"}, Clients: []string{"web9"}, Groups: []string{"admins", "ops"}})
	}
	r.copied("/roles/web/_acl", "client web9 is not on the replica", "group ops is not on the replica", "user zoe is not on the replica")
	r.wantAllowed("roles", "web", "update", chef.Allowed{Users: []string{"bob", r.user(), "pivotal"}, Groups: []string{"admins"}})
}

// One name may be a user's and a client's, who have different rights.
func TestACLsTellUsersFromClients(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	r.client(r.root.primary, "bob")
	r.client(r.root.replica, "bob")
	r.allow(r.root.primary, "roles", "web", "read", chef.Allowed{Users: []string{"bob"}, Groups: []string{"admins"}})
	r.allow(r.root.primary, "roles", "web", "update", chef.Allowed{Clients: []string{"bob"}, Groups: []string{"admins"}})
	r.copied("/roles/web/_acl")
	r.wantAllowed("roles", "web", "read", chef.Allowed{Users: []string{"bob", r.user(), "pivotal"}, Groups: []string{"admins"}})
	r.wantAllowed("roles", "web", "update", chef.Allowed{
		Users: []string{r.user(), "pivotal"}, Clients: []string{"bob"}, Groups: []string{"admins"},
	})
}

// The pair may create roles as one of the admins; the primary's admins may not.
func TestACLsKeepThePair(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL)
	ctx := t.Context()
	r.allow(r.root.primary, "containers", "roles", "create", chef.Allowed{Users: []string{"bob"}})
	r.copied("/containers/roles/_acl")
	r.wantAllowed("containers", "roles", "create", chef.Allowed{Users: []string{"bob", r.user(), "pivotal"}})
	r.mayAdminister()
	if err := r.as(r.replica, "alice").CreateRole(ctx, json.RawMessage(`{"name":"hers"}`)); err == nil {
		t.Error("an admin of the replica may do what none of the primary may")
	}
	r.must(r.as(r.replica, "bob").CreateRole(ctx, json.RawMessage(`{"name":"his"}`)))
}

// Only the superuser can take the right to grant from admins; the pair may be none.
func TestACLsKeepAdminsInGrant(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	r.allow(r.root.primary, "roles", "web", chef.Grant, chef.Allowed{Users: []string{"bob"}, Groups: []string{"users"}})
	r.copied("/roles/web/_acl", "the group admins keeps the right to grant on the replica: only the superuser may take it away")
	r.wantAllowed("roles", "web", chef.Grant, chef.Allowed{Users: []string{"bob", r.user(), "pivotal"}, Groups: []string{"admins", "users"}})
}

func TestACLsKeepSomebodyWhoMayGrant(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	r.member(r.primary, "zoe", false)
	r.allow(r.root.primary, "roles", "web", chef.Grant, chef.Allowed{Users: []string{"zoe"}})
	held := chef.Allowed{Users: []string{"alice", r.user()}, Groups: []string{"users"}}
	r.allow(r.root.replica, "roles", "web", chef.Grant, held)
	r.copied("/roles/web/_acl", "user zoe is not on the replica", "who may grant on the replica stays: it has nobody who may on the primary")
	r.wantAllowed("roles", "web", chef.Grant, held)
}

// The hidden groups of users stand in an ACL if somebody put them there.
func TestACLsKeepHiddenGroups(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	hidden := func(c *chef.Client) []string {
		return slices.DeleteFunc(r.group(c, "users").Groups, func(n string) bool { return len(n) != 32 })[:1]
	}
	r.allow(r.root.primary, "roles", "web", "read", chef.Allowed{Users: []string{"bob"}, Groups: append(hidden(r.root.primary), "admins")})
	want := chef.Allowed{Users: []string{r.user()}, Groups: append(hidden(r.root.replica), "admins")}
	r.allow(r.root.replica, "roles", "web", "read", want)
	r.copied("/roles/web/_acl")
	want.Users = append(want.Users, "bob")
	r.wantAllowed("roles", "web", "read", want)
}

// A run that breaks off keeps the right to go on, and the next one writes what is
// left.
func TestACLsResume(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	for _, p := range chef.Permissions() {
		r.allow(r.root.primary, "roles", "web", p, chef.Allowed{Users: []string{"bob"}, Groups: []string{"admins"}})
	}
	for _, at := range []string{"read", "delete", "grant"} {
		rule := r.replica.Faults().Add(chefserver.Fault{
			Method: http.MethodPut, Path: harness.Path("/_acl/" + at + "$"), Effect: chefserver.Status(http.StatusBadRequest, `{"error":["no"]}`),
		})
		if _, err := r.apply("/roles/web/_acl"); err == nil {
			t.Fatalf("a refused %s is no error", at)
		}
		rule.Remove()
	}
	r.replica.ResetStats()
	if _, err := r.apply("/roles/web/_acl"); err != nil {
		t.Fatal(err)
	}
	if n := r.replica.Stats().WriteTotal(); n != 1 {
		t.Errorf("the last run wrote %d permissions; want grant alone", n)
	}
	r.copied("/roles/web/_acl")
}

func TestACLThatDoesNotTake(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	r.replica.Faults().Add(chefserver.Fault{
		Method: http.MethodPut, Path: harness.Path("/_acl/read$"), Effect: chefserver.Status(http.StatusOK, `{}`),
	})
	if _, err := r.apply("/roles/web/_acl"); !errors.Is(err, chef.ErrNotTaken) || chef.Classify(err) != chef.ClassObject {
		t.Errorf("apply = %v; want ErrNotTaken", err)
	}
}

func TestACLOfNothing(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.must(r.root.primary.CreateRole(t.Context(), json.RawMessage(`{"name":"web"}`)))
	if _, err := r.apply("/roles/web/_acl"); !chef.IsNotFound(err) {
		t.Errorf("apply of an ACL without object = %v; want IsNotFound", err)
	}
	h, ref := kinds.For(object.KindACL), object.MustRef("/roles/web/_acl")
	src, _ := r.read("/roles/web/_acl")
	r.must(r.replica.Client.CreateRole(t.Context(), json.RawMessage(`{"name":"web"}`)))
	r.replica.ResetStats()
	if err := h.Create(t.Context(), r.replica.Client, src); chef.Classify(err) != chef.ClassRetry || r.replica.Stats().WriteTotal() != 0 {
		t.Errorf("Create of an ACL whose object appeared = %v; want to be asked again, and nothing written", err)
	}
	r.must(h.Delete(t.Context(), r.replica.Client, ref))
	if got := r.acl(r.root.replica, "roles", "web"); len(got) != 5 {
		t.Errorf("Delete did something: %v", got)
	}
}

// An ACL that nobody may see is a matter of one object; erchef says 403 and not a
// word.
func TestACLThatIsRefused(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL, object.KindRole)
	r.role("web")
	h := kinds.For(object.KindACL)
	bob := r.as(r.replica, "bob")
	if _, err := h.Get(t.Context(), bob, object.MustRef("/roles/web/_acl")); chef.Classify(err) != chef.ClassObject || chef.IsNotFound(err) {
		t.Errorf("Get = %v, class %s; want an error of the object", err, chef.Classify(err))
	}
	if ok, err := h.(kinds.Prober).Supported(t.Context(), bob); !ok || err != nil {
		t.Errorf("Supported = %v, %v; want true of a server that refuses", ok, err)
	}
	r.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/organizations/_acl$"), Effect: chefserver.Status(http.StatusOK,
		`{"create":{"actors":[],"groups":[]},"read":{"actors":[],"groups":[]},"update":{"actors":[],"groups":[]},`+
			`"delete":{"actors":[],"groups":[]},"grant":{"actors":[],"groups":[]}}`)})
	if ok, err := h.(kinds.Prober).Supported(t.Context(), r.replica.Client); ok || err != nil {
		t.Errorf("Supported = %v, %v; want false of a server that does not tell users from clients", ok, err)
	}
}

func TestListOfACLs(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindACL)
	s, h := r.primary, kinds.For(object.KindACL)
	w := harness.Write(t, s.Client)
	w.Role("r", "1")
	w.Item("b", "i", "1")
	w.Cookbook("c", "1.0.0", false, nil)
	w.Cookbook("c", "2.0.0", false, nil)
	w.Environment("e", "1")
	r.must(s.Client.CreateNode(t.Context(), json.RawMessage(`{"name":"n"}`)))
	want := map[string]bool{"/organizations/_acl": true}
	for _, path := range []string{
		"/roles/r", "/data/b", "/cookbooks/c", "/environments/e", "/environments/_default", "/nodes/n", "/clients/acme-validator",
		"/groups/admins", "/groups/clients", "/groups/users",
		"/containers/clients", "/containers/containers", "/containers/cookbook_artifacts", "/containers/cookbooks", "/containers/data",
		"/containers/environments", "/containers/groups", "/containers/nodes", "/containers/policies", "/containers/policy_groups",
		"/containers/roles", "/containers/sandboxes",
	} {
		want[path+"/_acl"] = true
	}
	list := func() map[string]bool {
		refs, err := h.List(t.Context(), s.Client)
		r.must(err)
		got := map[string]bool{}
		for _, ref := range refs {
			got[ref.Path()] = true
			if _, err := h.Get(t.Context(), r.root.primary, ref); err != nil {
				t.Errorf("%s is listed: %v", ref, err)
			}
		}
		return got
	}
	if diff := cmp.Diff(want, list()); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for _, answer := range []chefserver.Effect{ // of a server of before policies
		chefserver.EmptyOK(), chefserver.Status(http.StatusNotFound, "<html>not found</html>"),
	} {
		rule := s.Faults().Add(chefserver.Fault{Path: harness.Path("acme/(policies|policy_groups|cookbook_artifacts)$"), Effect: answer})
		if diff := cmp.Diff(want, list()); diff != "" {
			t.Errorf("List of a server without policies (-want +got):\n%s", diff)
		}
		rule.Remove()
	}
	for _, path := range slices.Sorted(maps.Keys(map[string]int{"roles": 0, "groups": 0, "cookbooks": 0, "policies": 0})) {
		for _, body := range []string{`{"error":["no"]}`, `[]`, `{"r":{}}`, `{"r":null}`, `{"a b":"https://x/r"}`} {
			rule := s.Faults().Add(chefserver.Fault{Path: harness.Path("acme/" + path + "$"), Effect: chefserver.Status(http.StatusOK, body)})
			if refs, err := h.List(t.Context(), s.Client); err == nil || refs != nil {
				t.Errorf("%s answers %s: List = %v, %v; want an error", path, body, refs, err)
			}
			rule.Remove()
		}
	}
}
