package kinds_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.client(r.root.primary, "web1", "web2", "acme-validator2")
	r.client(r.root.replica, "web1", "acme-validator2", "stray")
	r.members(r.root.primary, chef.Group{Name: "nested"})
	r.members(r.root.primary, chef.Group{
		Name: "ops", Users: []string{"bob", "pivotal"}, Clients: []string{"web1", "acme-validator2"}, Groups: []string{"nested", "users"},
	})
	r.copied("/groups/ops") // makes the nested group
	r.wantMembers("ops", chef.Group{
		Users: []string{"bob"}, Clients: []string{"web1", "acme-validator2"}, Groups: []string{"nested", "users"},
	})
	r.wantMembers("nested", chef.Group{})

	r.members(r.root.replica, chef.Group{Name: "ops", Users: []string{r.user(), "alice", "pivotal"}, Clients: []string{"stray"}})
	r.copied("/groups/ops")
	r.wantMembers("ops", chef.Group{
		Users: []string{"bob", r.user(), "pivotal"}, Clients: []string{"web1", "acme-validator2"}, Groups: []string{"nested", "users"},
	})
}

// Whoever the replica does not have is said, and does not get into the way of the
// others.
func TestGroupsOfUnknown(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.scope.Exclude = append(r.scope.Exclude, "/groups/apart")
	r.member(r.primary, "zoe", false)
	r.client(r.root.primary, "web9")
	r.members(r.root.primary, chef.Group{Name: "apart"})
	r.members(r.root.primary, chef.Group{Name: "ops", Users: []string{"bob", "zoe"}, Clients: []string{"web9"}, Groups: []string{"apart"}})
	r.copied("/groups/ops", "client web9 is not on the replica", "group apart is not on the replica", "user zoe is not on the replica")
	r.wantMembers("ops", chef.Group{Users: []string{"bob"}})
	if _, err := r.replica.Client.GetGroup(t.Context(), "apart"); !chef.IsNotFound(err) {
		t.Errorf("a group that is not replicated: %v; want IsNotFound", err)
	}
}

// The primary's admins know nothing of whom the pair signs as on the replica.
func TestAdminsKeepThePair(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.members(r.root.primary, chef.Group{Name: "admins", Users: []string{"pivotal", "bob"}})
	r.copied("/groups/admins")
	r.wantMembers("admins", chef.Group{Users: []string{"bob", r.user(), "pivotal"}})
	r.mayAdminister()
}

func TestAdminsKeepSomebody(t *testing.T) {
	t.Parallel()
	const kept = "the group admins keeps its users on the replica, which has none of the primary's"
	r := pairOf(t, object.KindGroup)
	r.member(r.primary, "zoe", true)
	r.members(r.root.primary, chef.Group{Name: "admins", Users: []string{"pivotal", "zoe", r.user()}})
	r.copied("/groups/admins", kept, "user zoe is not on the replica")
	r.wantMembers("admins", chef.Group{Users: []string{"alice", harness.SyncUser, r.user(), "pivotal"}})
	r.must(r.as(r.replica, "alice").CreateGroup(t.Context(), "hers"))
}

// Also an update that nobody adapted leaves alone what is the server's own.
func TestUpdateKeepsThePair(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	ref := object.MustRef("/groups/admins")
	admins := chef.Group{Name: "admins", Users: []string{"pivotal", "alice", r.user()}, Clients: []string{"acme-validator"}}
	r.members(r.root.replica, admins)
	body := []byte(`{"name":"admins","users":["bob"],"clients":[],"groups":[]}`)
	r.must(kinds.For(ref.Kind).Update(t.Context(), r.replica.Client, kinds.Object{Ref: ref, Raw: body}, kinds.Object{}))
	admins.Users = []string{"pivotal", "bob", r.user()}
	r.wantMembers("admins", admins)
	r.mayAdminister()
}

// The pair is an admin of the replica through a group that the primary's admins
// do not hold.
func TestAdminsKeepTheGroupOfThePair(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.members(r.root.replica, chef.Group{Name: "replicators", Users: []string{r.user()}})
	r.members(r.root.replica, chef.Group{Name: "admins", Users: []string{"pivotal", "alice"}, Groups: []string{"replicators"}})
	r.members(r.root.primary, chef.Group{Name: "admins", Users: []string{"pivotal", "bob"}})
	r.copied("/groups/admins", "the group admins keeps its groups on the replica: "+r.user()+" may be an admin through one of them")
	r.wantMembers("admins", chef.Group{Users: []string{"bob", "pivotal"}, Groups: []string{"replicators"}})
	r.mayAdminister()

	h := kinds.For(object.KindGroup)
	if err := h.Delete(t.Context(), r.replica.Client, object.MustRef("/groups/replicators")); chef.Classify(err) != chef.ClassObject {
		t.Errorf("Delete of the group that the pair is in = %v; want an error of the object", err)
	}
	r.mayAdminister()
}

// The pair is an admin of the replica through a group in a group in admins. No
// link of that chain may be taken away, whatever the primary does.
func TestGroupsKeepTheChainOfThePair(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.members(r.root.replica, chef.Group{Name: "inner", Users: []string{r.user()}})
	r.members(r.root.replica, chef.Group{Name: "ops"})
	r.members(r.root.replica, chef.Group{Name: "team", Groups: []string{"inner", "ops"}})
	r.members(r.root.replica, chef.Group{Name: "admins", Users: []string{"pivotal", "alice"}, Groups: []string{"team"}})
	r.mayAdminister()
	r.members(r.root.primary, chef.Group{Name: "team", Users: []string{"bob"}})
	r.members(r.root.primary, chef.Group{Name: "admins", Users: []string{"pivotal", "alice"}, Groups: []string{"team"}})
	r.copied("/groups/team", "the group team keeps the group inner on the replica: "+r.user()+" is in it")
	r.wantMembers("team", chef.Group{Users: []string{"bob"}, Groups: []string{"inner"}})
	r.copied("/groups/admins")
	r.mayAdminister()

	h := kinds.For(object.KindGroup)
	for _, name := range []string{"team", "inner"} {
		if err := h.Delete(t.Context(), r.replica.Client, object.NewRef(object.KindGroup, name)); chef.Classify(err) != chef.ClassObject {
			t.Errorf("Delete of %s = %v; want an error of the object", name, err)
		}
	}
	r.mayAdminister()

	// A group that holds all admins is none of that chain: they stay admins.
	r.members(r.root.replica, chef.Group{Name: "everyone", Groups: []string{"admins", "everyone"}})
	r.must(h.Delete(t.Context(), r.replica.Client, object.MustRef("/groups/everyone")))
	r.mayAdminister()
}

// Members are in the group users through hidden groups, which each server names
// after its own ids.
func TestUsersKeepsTheHiddenGroups(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	before := r.group(r.root.replica, "users")
	r.members(r.root.primary, chef.Group{Name: "ops", Users: []string{"bob"}})
	users := r.group(r.root.primary, "users")
	users.Groups = append(users.Groups, "ops")
	r.members(r.root.primary, users)

	r.copied("/groups/users")
	r.wantMembers("users", chef.Group{Users: before.Users, Groups: append(before.Groups, "ops")})
	if _, err := r.as(r.replica, "bob").ListRoles(t.Context()); err != nil {
		t.Errorf("a member of the replica cannot read any more: %v", err)
	}
}

func TestClientsGroup(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.client(r.root.primary, "web1")
	r.client(r.root.replica, "own1", "own2")
	r.copied("/groups/clients") // no client is replicated
	r.wantMembers("clients", chef.Group{Clients: []string{"acme-validator", "own1", "own2"}})

	r.scope.Kinds = append(r.scope.Kinds, object.KindClient)
	r.scope.Exclude = append(r.scope.Exclude, "/clients/own1")
	r.client(r.root.replica, "web1")
	r.members(r.root.replica, chef.Group{Name: "clients", Clients: []string{"acme-validator", "own1", "own2"}})
	r.copied("/groups/clients")
	r.wantMembers("clients", chef.Group{Clients: []string{"acme-validator", "own1", "web1"}})
}

// A primary whose organization has another name has another validator.
func TestForeignValidator(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup, object.KindClient)
	r.scope.Exclude = append(r.scope.Exclude, "/clients/other-validator")
	r.client(r.root.primary, "other-validator")
	r.copied("/groups/clients")
	r.wantMembers("clients", chef.Group{Clients: []string{"acme-validator"}})
}

// A server that says yes and does nothing, as every Chef server does of a name
// that it does not know.
func TestGroupThatDoesNotTake(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	r.members(r.root.primary, chef.Group{Name: "ops", Users: []string{"bob"}})
	r.replica.Faults().Add(chefserver.Fault{
		Method: http.MethodPut, Path: harness.Path("/groups/ops$"), Effect: chefserver.Status(http.StatusOK, `{"actors":{"users":["bob"]}}`),
	})
	_, err := r.apply("/groups/ops")
	if !errors.Is(err, chef.ErrNotTaken) || chef.Classify(err) != chef.ClassObject {
		t.Errorf("apply = %v, class %s; want ErrNotTaken, of the object", err, chef.Classify(err))
	}
	r.replica.Faults().Clear()
	r.copied("/groups/ops")
	r.wantMembers("ops", chef.Group{Users: []string{"bob"}})
}

func TestGroupsThatStay(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindGroup)
	h, ctx := kinds.For(object.KindGroup), t.Context()
	for _, name := range []string{"admins", "billing-admins", "clients", "users", "public_key_read_access"} {
		err := h.Delete(ctx, r.replica.Client, object.NewRef(object.KindGroup, name))
		if !errors.Is(err, kinds.ErrNeeded) || chef.Classify(err) != chef.ClassObject {
			t.Errorf("Delete(%s) = %v; want ErrNeeded", name, err)
		}
	}
	hidden := slices.DeleteFunc(r.group(r.root.replica, "users").Groups, func(n string) bool { return len(n) != 32 })
	if err := h.Delete(ctx, r.root.replica, object.NewRef(object.KindGroup, hidden[0])); !errors.Is(err, kinds.ErrNeeded) {
		t.Errorf("Delete of a hidden group = %v; want ErrNeeded", err)
	}
	r.members(r.root.replica, chef.Group{Name: "ops"})
	r.must(h.Delete(ctx, r.replica.Client, object.MustRef("/groups/ops")))
	if err := h.Delete(ctx, r.replica.Client, object.MustRef("/groups/ops")); !chef.IsNotFound(err) {
		t.Errorf("Delete of nothing = %v; want IsNotFound", err)
	}
	one, err := h.Get(ctx, r.root.primary, object.MustRef("/groups/users"))
	r.must(err)
	one.Ref.Name = "ops"
	if err := h.Update(ctx, r.replica.Client, kinds.Object{Ref: one.Ref, Raw: []byte(`{"name":"ops"}`)}, kinds.Object{}); !chef.IsNotFound(err) {
		t.Errorf("Update of nothing = %v; want IsNotFound", err)
	}
}
