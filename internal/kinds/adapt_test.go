package kinds

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// TestACLOfPairThatIsAClient: who signs as a client stays one.
func TestACLOfPairThatIsAClient(t *testing.T) {
	a := aclAdapter{actors: &Actors{Clients: setOf([]string{"sync"}), Groups: setOf([]string{"ops"})}, user: "sync"}
	for _, tt := range []struct {
		name             string
		from, have, want chef.Allowed
	}{
		{"named", chef.Allowed{}, chef.Allowed{Clients: []string{"sync"}}, chef.Allowed{Clients: []string{"sync"}}},
		{"not named", chef.Allowed{Clients: []string{"sync"}}, chef.Allowed{}, chef.Allowed{}},
		{"in a group", chef.Allowed{Groups: []string{"ops"}}, chef.Allowed{Groups: []string{"clients"}},
			chef.Allowed{Clients: []string{"sync"}, Groups: []string{"ops"}}},
		{"in a group that stays", chef.Allowed{Groups: []string{"ops"}}, chef.Allowed{Groups: []string{"ops"}}, chef.Allowed{Groups: []string{"ops"}}},
	} {
		got := a.kept("read", a.known(tt.from), tt.have)
		if !sameAllowed(got, tt.want) {
			t.Errorf("%s (-want +got):\n%s", tt.name, cmp.Diff(tt.want, got))
		}
	}
	if len(a.lacks.left) > 0 {
		t.Errorf("left %q", a.lacks.left)
	}
}
