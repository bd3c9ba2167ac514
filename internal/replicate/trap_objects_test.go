package replicate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// The answer to the PUT of a pointer repeats what was sent; the revision that the
// server has stays as it is. What is in it is not believed to have changed.
func TestTrapPointerEchoes(t *testing.T) {
	r := newRig(t)
	r.write.Policy("p", "1", "primary")
	r.write.Pointer("g", "p", "1")
	r.onReplica().Policy("p", "1", "replica")
	_, done := r.sync()
	r.wantFailed(done.Failed, "another under this name", "/policies/p/revisions/1")
	_, done = r.sync() // with the pointer written
	r.wantFailed(done.Failed, "another under this name", "/policies/p/revisions/1")
	if c := r.compare(); len(c.Differences) != 1 || c.Differences[0].Ref.Path() != "/policies/p/revisions/1" {
		t.Errorf("Compare says %v, want the revision", c.Differences)
	}
}

// "It exists" comes as an array of character codes for a revision, and as a text
// for an artifact. Neither is a failure if what exists is equal.
func TestTrapConflictAsCharacterCodes(t *testing.T) {
	r := newRig(t)
	r.write.Policies()
	r.onReplica().Policies()
	err := r.onReplica().Try(http.MethodPost, "policies/web/revisions", harness.Revision("web", "1111", "1", "app/aaaa"))
	if !chef.IsConflict(err) || !strings.Contains(err.Error(), "olicy") {
		t.Errorf("the conflict is read as %v", err)
	}
	r.replica.ResetStats()
	got, done := r.take(create("/policies/web/revisions/1111", "/policies/web/revisions/2222", "/policies/db/revisions/3333",
		"/cookbook_artifacts/app/aaaa", "/cookbook_artifacts/app/bbbb"))
	r.complete(got, done)
	if n := r.replica.Stats().WriteTotal(); n != 0 || got.Equal+done.Equal != 5 {
		t.Errorf("%d equal, %d written; want 5, none", got.Equal+done.Equal, n)
	}
	r.settled()
}

// What is absent answers 404 in HTML for policies and their revisions: that they
// are gone, not that the server is none.
func TestTrapNotFoundAsHTML(t *testing.T) {
	r := newRig(t)
	r.write.Policy("p", "1", "x")
	absent := []string{"/policies/p/revisions/9", "/policies/none/revisions/1", "/policies/none", "/policy_groups/none", "/policy_groups/none/policies/p"}
	got, err := r.Fetch(t.Context(), update(absent...), quiet)
	if err != nil || len(got.Gone) != len(absent) || len(got.Failed) > 0 {
		t.Errorf("gone %v, failed %s, error %v; want all gone", got.Gone, reasons(got.Failed), err)
	}
	if done := r.remove(absent[0], absent[1]); done.Deleted != 2 || len(done.Failed) > 0 {
		t.Errorf("deleted %d, %s; want that they are gone already", done.Deleted, reasons(done.Failed))
	}
	r.take(update("/policies/p/revisions/1"))
	r.settled()
}

// A server renames an environment that is sent under another name. One whose body
// has another name than its path is not sent.
func TestTrapEnvironmentOfAnotherName(t *testing.T) {
	r := newRig(t)
	r.write.Environment("e", "1")
	r.write.Environment("f", "1")
	r.settled()
	once(r.primary, http.MethodGet, "/environments/e$", chefserver.Status(http.StatusOK,
		`{"name":"other","description":"2","json_class":"Chef::Environment","chef_type":"environment","default_attributes":{},"override_attributes":{},"cookbook_versions":{}}`))
	got, done := r.take(update("/environments/e"))
	if failed := slices.Concat(got.Failed, done.Failed); len(failed) != 1 {
		t.Errorf("failures: %s; want the environment", reasons(failed))
	}
	r.settled()
}

// Servers print floats anew, each in its way, and keep all digits of integers.
func TestTrapNumbers(t *testing.T) {
	const big = "123456789012345678901234567890"
	for _, c := range []struct {
		primary, replica string
		equal            bool
	}{
		{"1.50", "1.5", true},
		{"1e3", "1000.0", true},
		{"0.1", "0.10000000000000001", true},
		{big, big, true},
		{big + "1", big + "2", false},
		{"9007199254740993", "9007199254740992", false},
		{"1", `"1"`, false},
		{`"\u0000\u2028é<&>"`, `"\u0000` + "\u2028é\\u003c&>" + `"`, true},
		{`"\u0000"`, `""`, false},
		{`{"a":1,"b":null}`, `{"b":null,"a":1}`, true},
		{`{"b":null}`, `{}`, false},
		{`[1,2]`, `[2,1]`, false},
	} {
		t.Run(c.primary+" and "+c.replica, func(t *testing.T) {
			r := newRig(t)
			item := func(v string) string { return `{"id":"i","v":` + v + `}` }
			r.write.Bag("b")
			r.onReplica().Bag("b")
			for side, cl := range []*chef.Client{r.primary.Client, r.replica.Client} {
				text := item([]string{c.primary, c.replica}[side])
				if err := cl.CreateDataBagItem(t.Context(), "b", "i", json.RawMessage(text)); err != nil {
					t.Fatal(err)
				}
			}
			// As the servers would answer that print numbers as they got them.
			p := fault(r.primary, http.MethodGet, "/data/b/i$", chefserver.Status(http.StatusOK, item(c.primary)))
			q := fault(r.replica, http.MethodGet, "/data/b/i$", chefserver.Status(http.StatusOK, item(c.replica)))
			if got := r.compare(); got.Equal() != c.equal {
				t.Errorf("Compare says %v; want equal: %t", got.Differences, c.equal)
			}
			if got, _ := r.take(update("/data/b/i")); got.Equal == 1 != c.equal {
				t.Errorf("equal when fetched: %d; want equal: %t", got.Equal, c.equal)
			}
			p.Remove()
			q.Remove()
			r.settled()
		})
	}
}

// Servers spell run lists in their own way when they are written. A primary that
// keeps another spelling (goiardi, one of long ago) is not copied at every poll.
func TestTrapRunLists(t *testing.T) {
	r := newRig(t)
	r.also(object.KindNode)
	role := `{"name":"r","run_list":["a","recipe[a]","role[b]","a","recipe[c::d]","e@1.0.0"],"env_run_lists":{"prod":["a","a","b::c"]}}`
	node := `{"name":"n","run_list":["a","recipe[a]","role[b]","a"]}`
	r.write.Do(http.MethodPost, "roles", role)
	r.write.Do(http.MethodPost, "nodes", node)
	fault(r.primary, http.MethodGet, "/roles/r$", chefserver.Status(http.StatusOK, role))
	fault(r.primary, http.MethodGet, "/nodes/n$", chefserver.Status(http.StatusOK, node))
	r.complete(r.sync())
	r.replica.ResetStats()
	for range 2 {
		if got, _ := r.sync(); got.Staged != 0 {
			t.Errorf("staged %d, want none", got.Staged)
		}
	}
	if n := r.replica.Stats().WriteTotal(); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
	r.primary.Faults().Clear()
	r.settled(object.KindNode)
}

// An ACL that names somebody unknown would be refused as a whole, and a name that
// is both a user and a client too, unless it is said which.
func TestTrapACLNames(t *testing.T) {
	r := newRig(t)
	more := []object.Kind{object.KindClient, object.KindGroup, object.KindACL}
	r.also(more...)
	r.members("twin", "alice")
	r.write.Client("twin", "default")
	r.write.Role("r", "1")
	r.write.Allow("roles", "r", "update", chef.Allowed{Users: []string{"alice", harness.FastUser}, Clients: []string{"twin"}, Groups: []string{"admins"}})
	r.write.Allow("roles", "r", "delete", chef.Allowed{Users: []string{"twin", harness.FastUser}, Groups: []string{"admins"}})
	r.settled(more...)

	member(t, r.primary, "stranger")
	r.write.Allow("roles", "r", "read", chef.Allowed{Users: []string{"alice", "stranger", harness.FastUser}, Groups: []string{"admins"}})
	r.write.Allow("roles", "r", "create", chef.Allowed{Users: []string{"twin", harness.FastUser}, Groups: []string{"admins"}})
	r.complete(r.sync())
	acl, err := r.replica.Client.GetACL(t.Context(), "roles", "r")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(acl["read"].Users, "alice") || slices.Contains(acl["read"].Users, "stranger") || len(acl["read"].Clients) != 0 || !slices.Contains(acl["create"].Users, "twin") {
		t.Errorf("the ACL on the replica: %v", acl)
	}
	if c := r.compare(); !c.Equal() || !said(c.Left, "user stranger is not on the replica") {
		t.Errorf("Compare: %v, left %v", c.Differences, c.Left)
	}
}

// The delete of a revision takes the pointers to it along and leaves the group;
// that of a policy all of its revisions.
func TestTrapDeleteOfRevisionInUse(t *testing.T) {
	for _, path := range []string{"policies/web/revisions/1111", "policies/web", "policy_groups/prod"} {
		t.Run(path, func(t *testing.T) {
			r := newRig(t)
			r.write.Policies()
			r.settled()
			r.write.Do(http.MethodDelete, path, "")
			s, err := r.Survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Extras) == 0 {
				t.Fatal("nothing is to be deleted")
			}
			for _, ref := range s.Extras { // one by one: each may go with the one before
				if done := r.remove(ref.Path()); len(done.Failed) > 0 {
					t.Errorf("%s", reasons(done.Failed))
				}
			}
			r.settled()
		})
	}
}

// The environment _default is in every organization and nobody's to change.
func TestTrapDefaultEnvironment(t *testing.T) {
	r := newRig(t)
	r.write.Environment("e", "1")
	s, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.All() {
		if strings.Contains(c.Ref.Path(), "_default") {
			t.Errorf("%s is to be replicated", c.Ref)
		}
	}
	if _, err := object.ParseRef("/environments/_default"); !errors.Is(err, object.ErrUnknownPath) {
		t.Errorf("a change of _default in a feed is %v; want an unknown path", err)
	}
	requests := r.record()
	r.settled()
	for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		for _, s := range requests(m, "/environments/_default") {
			t.Errorf("%s %s was sent", s.method, s.path)
		}
	}
}

// A pointer moves only when all artifacts that its revision locks are there; then
// it does by itself.
func TestTrapPointerBeforeArtifacts(t *testing.T) {
	r := newRig(t)
	r.write.Policies()
	refuse := fault(r.replica, http.MethodPut, "/cookbook_artifacts/app/bbbb$", chefserver.Status(http.StatusRequestEntityTooLarge, `{"error":["too long"]}`))
	_, done := r.sync()
	var failed []string
	for _, f := range done.Failed {
		failed = append(failed, f.Ref.Path())
	}
	slices.Sort(failed)
	want := []string{"/cookbook_artifacts/app/bbbb", "/policy_groups/prod/policies/db", "/policy_groups/test/policies/web"}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	refuse.Remove()
	r.settled()
}

// A revision may lock what no server has; the pointer to it waits, and everything
// else arrives.
func TestTrapLockOfAbsentArtifact(t *testing.T) {
	r := newRig(t)
	r.write.Policies()
	r.write.Policy("bad", "1", "x", "app/none")
	r.write.Pointer("prod", "bad", "1")
	_, done := r.sync()
	r.wantFailed(done.Failed, "lacks", "/policy_groups/prod/policies/bad")
	if c := r.compare(); len(c.Differences) != 1 || c.Differences[0].Case != replicate.CaseMissing {
		t.Errorf("Compare says %v, want the one pointer", c.Differences)
	}
	if diff := harness.Diff(t, r.primary, r.replica); len(diff) != 1 {
		t.Errorf("the servers differ in %s", fmt.Sprint(diff))
	}
}
