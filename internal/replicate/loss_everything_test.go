package replicate_test

import (
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// TestLossNothing: with every switch on, an organization with something of every
// kind is copied at one stroke, and everything that goes is taken away again.
func TestLossNothing(t *testing.T) {
	r := newRig(t)
	r.also(onRequest...)
	r.members("alice", "bob")
	r.onReplica().Group("here", nil, nil, nil) // and what the replica has of its own
	r.onReplica().Container("here")
	r.onReplica().Client("here", "default")
	r.remove("/groups/here", "/containers/here", "/clients/here")

	r.write.Small()
	r.write.Policies()
	r.write.Node("n1", "1")
	r.write.Node("n2", "1")
	r.write.Client("c1", "default", "second")
	r.write.Client("c2")
	r.write.Container("box")
	r.write.Group("inner", []string{"bob"}, []string{"c2"}, nil)
	r.write.Group("outer", []string{"alice"}, []string{"c1"}, []string{"inner", "admins"})
	for _, of := range [][2]string{{"roles", "role0"}, {"nodes", "n1"}, {"clients", "c1"}, {"groups", "outer"}, {"containers", "box"}, {"policies", "web"}} {
		r.write.Allow(of[0], of[1], "update", chef.Allowed{Users: []string{"alice"}, Clients: []string{"c2"}, Groups: []string{"outer", "admins"}})
	}
	if err := r.primary.Client.UpdateOrganization(t.Context(), "Acme & Söhne <GmbH>"); err != nil {
		t.Fatal(err)
	}
	r.settled(onRequest...)
	if c := r.compare(); len(c.Left) > 0 {
		t.Errorf("the replica is said to lack %v", c.Left)
	}

	for _, path := range []string{
		"roles/role0", "nodes/n1", "clients/c1", "groups/inner", "containers/box", "policies/web", "policy_groups/prod", "data/users",
		"cookbooks/app/1.0.0", "cookbook_artifacts/app/bbbb", "environments/prod",
	} {
		r.write.Do("DELETE", path, "")
	}
	s, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range s.Extras {
		r.remove(ref.Path())
	}
	r.settled(onRequest...)
}
