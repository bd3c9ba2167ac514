package replicate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// What the filters leave out is neither listed nor read, written or deleted, even
// if a list from before the filters asks for it.
func TestTrapFilters(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	r.write.Policies()
	there := r.onReplica()
	there.Role("role0", "of the replica")
	there.Item("users", "own", "1")
	there.Role("own", "1")
	all, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.Wanted = object.Scope{
		Include: []string{"/roles/*", "/data/users/user[01]", "/cookbooks/app/1.*", "/policies/web"},
		Exclude: []string{"/roles/role0", "/roles/own", "/cookbooks/app/1.1.0"},
	}
	before := r.snapshot(r.replica).Objects
	if done, err := r.Delete(t.Context(), all.Extras, replicate.ApplyOptions{}, quiet); err != nil || done.Deleted != 0 {
		t.Errorf("deleted %d, %v; want none, all is left out", done.Deleted, err)
	}
	r.take(all.Writes)
	var came []string
	for path, text := range r.snapshot(r.replica).Objects {
		if before[path] != text {
			came = append(came, path)
		}
	}
	slices.Sort(came)
	want := []string{"/cookbooks/app/1.0.0", "/data/users/user0", "/data/users/user1", "/policies/web", "/policies/web/revisions/1111",
		"/policies/web/revisions/2222", "/roles/role1", "/roles/role2", "/roles/role3", "/roles/role4"}
	if !slices.Equal(came, want) {
		t.Errorf("came: %q, want %q", came, want)
	}
	s, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Extras) > 0 || len(s.Writes) != len(want)+1 { // and the bag
		t.Errorf("survey: %d objects, extras %v; want %d and none", len(s.Writes), s.Extras, len(want)+1)
	}
	if c := r.compare(); !c.Equal() {
		t.Errorf("Compare says %v", c.Differences)
	}

	// Wider, the rest comes, and nothing is taken away.
	r.Wanted = object.Scope{}
	r.sync()
	for _, line := range harness.Diff(t, r.primary, r.replica) {
		if !strings.Contains(line, "only on the replica") {
			t.Errorf("with all of it: %s", line)
		}
	}
	if c := r.compare(); len(c.Differences) != 2 {
		t.Errorf("Compare says %v, want the replica's own two", c.Differences)
	}
}
