package integration

import (
	"fmt"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// everySwitch replicates all kinds that there are.
const everySwitch = "clients true\ngroups true\ncontainers true\nacls true\nnodes true\nfull_name true\n"

// With every switch on, everything is copied and followed: keys, members, rights
// and names, whether changes come from a feed or are found by listing.
func TestEverySwitch(t *testing.T) {
	t.Parallel()
	more := []object.Kind{object.KindClient, object.KindGroup, object.KindContainer, object.KindACL, object.KindNode, object.KindOrganization}
	for name, settings := range map[string]string{"updated_since": "", "listing": "feed :listing\ndeep_interval 0\n"} {
		t.Run(name, func(t *testing.T) {
			d := newDuo(t, everySwitch+settings)
			same := func(when string) {
				t.Helper()
				var diff []string
				harness.Until(t, when, func() bool {
					diff = harness.Diff(t, d.primary, d.replica, more...)
					return len(diff) == 0
				}, func() string {
					unsynced, _, _ := d.syncd.Ctl(t, "unsynced-objects", harness.Organization)
					return fmt.Sprintf("%q\nstatus: %v\nunsynced: %s", diff[:min(3, len(diff))], d.syncd.Status(t), unsynced)
				})
			}
			_, public := harness.Keypair(t)
			for _, s := range []*harness.ChefServer{d.primary, d.replica} {
				if err := s.CreateUser("alice", []byte(public)); err != nil {
					t.Fatal(err)
				}
				if err := s.AddMember(harness.Organization, "alice", false); err != nil {
					t.Fatal(err)
				}
			}
			d.write.Small()
			d.write.Policies()
			d.write.Node("n1", "1")
			d.write.Client("c1", "default", "second")
			d.write.Group("ops", []string{"alice"}, []string{"c1"}, []string{"admins"})
			d.write.Container("box")
			d.start()
			same("bootstrap")
			d.is("state", "following")
			d.is("feed", name)

			d.write.Client("c2", "default")
			d.write.Group("ops", nil, []string{"c1", "c2"}, nil)
			d.write.Group("late", nil, []string{"c2"}, []string{"ops"})
			d.write.Node("n1", "2")
			d.write.Allow("roles", "role0", "read", chef.Allowed{Users: []string{"alice"}, Clients: []string{"c2"}, Groups: []string{"admins", "late"}})
			d.write.Allow("containers", "box", "create", chef.Allowed{Groups: []string{"admins", "ops"}})
			if err := d.primary.Client.DeleteClientKey(t.Context(), "c1", "second"); err != nil {
				t.Fatal(err)
			}
			if err := d.primary.Client.UpdateOrganization(t.Context(), "Acme & Söhne"); err != nil {
				t.Fatal(err)
			}
			same("changes")
			for _, path := range []string{"clients/c1", "nodes/n1", "containers/box", "policy_groups/test"} {
				d.write.Do("DELETE", path, "")
			}
			same("deletes")
			d.is("unsynced", 0)
			d.is("state", "following")
		})
	}
}
