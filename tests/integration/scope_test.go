package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// restart gives ec-syncd another chef-sync.rb.
func (d *duo) restart(primary, replica harness.Side, settings string) {
	d.t.Helper()
	d.syncd.Stop()
	d.syncd.Configure(d.t, primary, replica, "poll_interval 1\n"+settings)
	d.syncd.Start(d.t)
}

// differs waits until the servers differ in exactly these objects.
func (d *duo) differs(when string, paths ...string) {
	d.t.Helper()
	var got []string
	harness.Until(d.t, when, func() bool {
		got = nil
		for _, line := range harness.Diff(d.t, d.primary, d.replica) {
			path, _, _ := strings.Cut(line, ":")
			got = append(got, path)
		}
		slices.Sort(got)
		slices.Sort(paths)
		return slices.Equal(got, paths)
	}, func() string {
		return fmt.Sprintf("the servers differ in %q, want %q\nstatus: %v", got, paths, d.syncd.Status(d.t))
	})
}

// followed waits until everything that was changed before is dealt with: a second
// change that is made when the first has arrived can only come after it.
func (d *duo) followed(mark string) {
	d.t.Helper()
	for _, name := range []string{"mark1", "mark2"} {
		d.write.Role(name, mark)
		want := snapshotOf(d.t, d.primary).Objects["/roles/"+name]
		harness.Until(d.t, "the change "+mark+" arrives", func() bool {
			return snapshotOf(d.t, d.replica).Objects["/roles/"+name] == want
		}, func() string { return fmt.Sprint(d.syncd.Status(d.t)) })
	}
}

func snapshotOf(t *testing.T, s *harness.ChefServer) *chefserver.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(harness.Organization)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// What filters leave out is neither copied nor deleted nor missed, in the first
// copy and afterwards; widening them, or the kinds, brings the rest; narrowing
// them deletes nothing, nor does it make deletes that are due.
func TestFilters(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "exclude ['/data/secrets', '/roles/local-*']\n")
	there := harness.Write(t, d.replica.Client)
	d.write.Small()
	d.write.Policies()
	d.write.Node("n", "1")
	d.write.Item("secrets", "root", "1")
	d.write.Role("local-a", "primary")
	d.write.Role("local-gone", "1")
	there.Role("local-a", "replica")
	there.Role("local-gone", "1")
	d.start()
	d.differs("all but what is left out", "/data/secrets", "/data/secrets/root", "/roles/local-a")
	d.is("state", "following")
	d.is("extras", 0)

	d.write.Item("secrets", "root", "2")
	d.write.Role("local-a", "changed")
	d.write.Do("DELETE", "roles/local-gone", "")
	d.followed("1")
	d.differs("what is left out is not followed", "/data/secrets", "/data/secrets/root", "/roles/local-a", "/roles/local-gone")

	// Deletes that wait for an operator's word, because they are many.
	for i := range 30 {
		d.write.Item("many", fmt.Sprintf("item%02d", i), "1")
	}
	d.followed("2")
	d.syncd.MustCtl(t, "sync-stop", harness.Organization)
	d.write.Do("DELETE", "data/many", "")
	for i := range 20 { // more than the limit, whoever counts
		d.write.Do("DELETE", fmt.Sprintf("data/users/user%d", i%5), "")
		d.write.Item("users", fmt.Sprintf("user%d", i%5), "1")
	}
	d.start()
	d.is("state", "halted")

	// Narrower: the deletes are not made although they are approved, nothing else is
	// deleted, and the pair goes on.
	held := len(snapshotOf(t, d.replica).Objects)
	d.restart(d.primary.Side(), d.replica.Side(), "nodes true\nexclude ['/data/many', '/environments/*', '/policies/*']\n")
	d.is("state", "halted") // the new process answers
	d.syncd.MustCtl(t, "approve-deletes", harness.Organization, "--yes")
	d.is("state", "following")
	d.followed("3")
	snap := snapshotOf(t, d.replica)
	for _, path := range []string{"/data/many/item29", "/environments/prod", "/policies/web/revisions/1111", "/roles/local-gone"} {
		if _, ok := snap.Objects[path]; !ok {
			t.Errorf("%s was deleted", path)
		}
	}
	// Wider at the same time: what was left out came, and so did the other kind.
	for _, path := range []string{"/data/secrets/root", "/nodes/n"} {
		if snap.Objects[path] != snapshotOf(t, d.primary).Objects[path] {
			t.Errorf("%s did not come: %q", path, snap.Objects[path])
		}
	}
	if len(snap.Objects) != held+3 { // the bag secrets, its item, the node
		t.Errorf("the replica holds %d objects, want %d and three", len(snap.Objects), held)
	}
	if !strings.Contains(d.syncd.Log(t), "other objects are replicated than before") {
		t.Error("the log does not say why everything is compared")
	}
}

// When the primary is replaced by another server with an organization of the same
// name, everything is compared, nothing is deleted, and following goes on.
func TestRepointing(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	d.write.Policies()
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")
	held := snapshotOf(t, d.replica).Objects

	other := harness.Chef(t, chefserver.Options{Feed: true})
	w := harness.Write(t, other.Client)
	w.Role("role0", "of the other")
	w.Role("new", "1")
	w.Policy("web", "4444", "4")
	w.Pointer("prod", "web", "4444")
	d.restart(other.Side(), d.replica.Side(), "")
	d.primary, d.write = other, w
	d.followed("1")
	now := snapshotOf(t, d.replica).Objects
	for path, text := range held {
		moved := path == "/roles/role0" || path == "/policy_groups/prod/policies/web"
		if now[path] == "" || now[path] != text && !moved {
			t.Errorf("%s: %q, was %q", path, now[path], text)
		}
	}
	for path, text := range snapshotOf(t, other).Objects {
		if kind := strings.Split(path, "/")[1]; !slices.Contains([]string{"clients", "groups", "containers"}, kind) && now[path] != text {
			t.Errorf("%s: %q, want that of the new primary %q", path, now[path], text)
		}
	}
	d.is("state", "following")
	if extras := fmt.Sprint(d.syncd.Status(t)["extras"]); extras == "0" {
		t.Error("status does not say that the replica has objects of its own")
	}
	w.Do("DELETE", "roles/new", "")
	harness.Until(t, "a delete on the new primary is followed", func() bool {
		_, held := snapshotOf(t, d.replica).Objects["/roles/new"]
		return !held
	}, func() string { return fmt.Sprint(d.syncd.Status(t)) })
}

// A pair that may thaw makes a version anew at once that is frozen on the replica
// only, files included; a pair that may not waits for a person.
func TestThaw(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "thaw true\n")
	files := map[string]string{"recipes/default.rb": "only here", "README.md": "shared"}
	d.write.Small()
	d.write.Cookbook("c", "1.0.0", false, files)
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")
	harness.Write(t, d.replica.Client).Cookbook("c", "1.0.0", true, files)
	d.write.Cookbook("c", "1.0.0", false, map[string]string{"recipes/default.rb": "only here", "README.md": "shared", "new": "new"})
	d.equal("thawed, with no wait for a later try")
	d.is("unsynced", 0)
	if v := snapshotOf(t, d.replica).Cookbooks["/cookbooks/c/1.0.0"]; v.Frozen || !v.Complete() {
		t.Errorf("the replica holds %+v", v)
	}

	d.restart(d.primary.Side(), d.replica.Side(), "thaw false\n")
	harness.Write(t, d.replica.Client).Cookbook("c", "1.0.0", true, map[string]string{"recipes/default.rb": "only here", "README.md": "shared", "new": "new"})
	d.write.Cookbook("c", "1.0.0", false, files)
	d.followed("1")
	d.is("unsynced", 1)
	stdout, _, code := d.syncd.Ctl(t, "unsynced-objects", harness.Organization)
	if code != 1 || !strings.Contains(stdout, "/cookbooks/c/1.0.0") || !strings.Contains(stdout, "thaw") {
		t.Errorf("unsynced-objects ends with %d:\n%s\nwant 1, the version and what helps", code, stdout)
	}
	if v := snapshotOf(t, d.replica).Cookbooks["/cookbooks/c/1.0.0"]; !v.Frozen {
		t.Error("a pair that may not thaw did")
	}
}
