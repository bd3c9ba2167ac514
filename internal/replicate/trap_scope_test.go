package replicate_test

import (
	"maps"
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

// A server deletes a data bag with all its items, a policy with its revisions and
// whatever points at them. What the filters leave out is left alone all the same:
// the rest goes, and the delete says why it is not done.
func TestTrapDeletesSpareWhatIsFiltered(t *testing.T) {
	for _, c := range []struct {
		name   string
		wanted object.Scope
		remove string
		gone   []string // with it
		stays  []string
	}{
		{"an excluded item", object.Scope{Exclude: []string{"/data/users/user0"}}, "/data/users",
			[]string{"/data/users/user1", "/data/users/user2"}, []string{"/data/users/user0"}},
		{"an item that is included", object.Scope{Include: []string{"/data/users/user0"}}, "/data/users",
			[]string{"/data/users/user0"}, []string{"/data/users/user1", "/data/users/user2"}},
		{"bags without items", object.Scope{Kinds: []object.Kind{object.KindDataBag}}, "/data/users",
			nil, []string{"/data/users/user0"}},
		{"a pointer to an excluded policy", object.Scope{Exclude: []string{"/policies/own"}}, "/policy_groups/prod",
			[]string{"/policy_groups/prod/policies/web"}, []string{"/policy_groups/prod/policies/own"}},
		{"an excluded group at a revision", object.Scope{Exclude: []string{"/policy_groups/local"}}, "/policies/web/revisions/1111",
			nil, []string{"/policy_groups/local/policies/web"}},
		{"an excluded group at a policy", object.Scope{Exclude: []string{"/policy_groups/local"}}, "/policies/web",
			[]string{"/policies/web/revisions/2222", "/policy_groups/prod/policies/web"},
			[]string{"/policies/web/revisions/1111", "/policy_groups/local/policies/web"}},
		{"policies without groups", object.Scope{Kinds: []object.Kind{object.KindPolicy, object.KindPolicyRevision}}, "/policies/web",
			nil, []string{"/policies/web/revisions/1111", "/policy_groups/local/policies/web"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			there := r.onReplica()
			for _, id := range []string{"user0", "user1", "user2"} {
				there.Item("users", id, "1")
			}
			there.Policy("web", "1111", "1")
			there.Policy("web", "2222", "2")
			there.Policy("own", "1111", "1")
			there.Pointer("prod", "web", "2222")
			there.Pointer("prod", "own", "1111")
			there.Pointer("local", "web", "1111")
			r.Wanted = c.wanted
			done := r.remove(c.remove)
			r.wantFailed(done.Failed, "does not replicate", c.remove)
			objects := r.snapshot(r.replica).Objects
			for _, path := range append(c.stays, c.remove) {
				if _, there := objects[path]; !there {
					t.Errorf("%s was deleted", path)
				}
			}
			for _, path := range c.gone {
				if _, there := objects[path]; there {
					t.Errorf("%s is still there", path)
				}
			}

			// Without the filter there is nothing to spare.
			r.Wanted = object.Scope{}
			if done := r.remove(c.remove); done.Deleted != 1 || len(done.Failed) > 0 {
				t.Errorf("without a filter: %+v", done)
			}
		})
	}
}

// A revision that is made anew takes its pointers along. Where they cannot come
// back at once, those of the replica's own would never: then it waits.
func TestTrapRecreateSparesPointersOfTheReplica(t *testing.T) {
	for _, wanted := range []object.Scope{{}, {Exclude: []string{"/policy_groups/local"}}} {
		r := newRig(t)
		r.Recreate, r.Wanted = true, wanted
		r.write.Policy("web", "1111", "new", "app/ffff") // locks an artifact that the replica lacks
		there := r.onReplica()
		there.Policy("web", "1111", "old")
		there.Pointer("local", "web", "1111")
		if wanted.Exclude != nil {
			r.write.Pointer("local", "web", "1111") // that the primary has one of that name says nothing
		}
		_, done := r.take(update("/policies/web/revisions/1111"))
		r.wantFailed(done.Failed, "lacks", "/policies/web/revisions/1111")
		if _, ok := r.snapshot(r.replica).Objects["/policy_groups/local/policies/web"]; !ok {
			t.Errorf("%+v: the replica's own pointer is gone", wanted)
		}
	}
}

// What turns out to be gone from the primary says how much goes with it.
func TestTrapGoneCountsItsContents(t *testing.T) {
	r := newRig(t)
	r.write.Role("any", "1")
	there := r.onReplica()
	for _, id := range []string{"a", "b", "c"} {
		there.Item("old", id, "1")
	}
	there.Item("older", "a", "1")
	got, err := r.Fetch(t.Context(), update("/data/old", "/data/older", "/roles/none"), quiet)
	want := map[object.Ref]int{object.MustRef("/data/old"): 3, object.MustRef("/data/older"): 1}
	if err != nil || len(got.Gone) != 3 || !maps.Equal(got.Along, want) {
		t.Errorf("%+v, %v; want three gone, and %v with them", got, err, want)
	}
}
