package replicate_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// The tests named TestTrap are one for each oddity of real Chef servers that a
// copy falls for.

// halfMade makes the trace of a create that failed: a version that is listed and
// has a manifest, without its files.
func halfMade(t *testing.T, s *harness.ChefServer, name string, frozen bool, text string) {
	t.Helper()
	err := harness.Write(t, s.Client).Try(http.MethodPut, "cookbooks/"+name+"/1.0.0",
		manifest(name, "1.0.0", frozen, `"description":"d"`, harness.AllFiles(map[string]string{"recipes/default.rb": sum(text)})))
	if err == nil {
		t.Fatal("the server took a manifest whose files it has not")
	}
	if m, err := s.Client.GetCookbook(t.Context(), name, "1.0.0"); err != nil || m.Frozen() != frozen {
		t.Fatalf("no phantom: %v", err)
	}
}

// A phantom on the replica looks like a copy, and frozen it refuses to become
// one; it is repaired all the same, whatever the change says.
func TestTrapPhantomCreate(t *testing.T) {
	for _, frozen := range []bool{true, false} {
		for _, hint := range []object.Action{object.ActionCreate, object.ActionUpdate} {
			t.Run(fmt.Sprintf("frozen %t, %s", frozen, hint), func(t *testing.T) {
				r := newRig(t)
				halfMade(t, r.replica, "c", frozen, "lost")
				r.write.Cookbook("c", "1.0.0", frozen, map[string]string{"recipes/default.rb": "lost"})
				if c := r.compare(); c.Equal() {
					t.Error("Compare takes the phantom for a copy")
				}
				r.complete(r.take(changes(hint, "/cookbooks/c/1.0.0")))
				r.settled()
			})
		}
	}
}

// An update that failed leaves the old manifest, and its files doomed: the version
// looks right until the server cleans up. It is repaired before that, and after.
func TestTrapHalfUpdatedCookbook(t *testing.T) {
	for _, cleaned := range []bool{false, true} {
		t.Run(fmt.Sprint("cleaned up ", cleaned), func(t *testing.T) {
			r := newRig(t)
			files := map[string]string{"recipes/default.rb": "old"}
			r.write.Cookbook("c", "1.0.0", false, files)
			r.settled()
			err := r.onReplica().Try(http.MethodPut, "cookbooks/c/1.0.0",
				manifest("c", "1.0.0", false, "", harness.AllFiles(map[string]string{"recipes/default.rb": sum("never uploaded")})))
			if err == nil {
				t.Fatal("the server took a manifest whose files it has not")
			}
			if v := r.snapshot(r.replica).Cookbooks["/cookbooks/c/1.0.0"]; v.Complete() {
				t.Fatal("the update did no harm: the test tests nothing")
			}
			if cleaned {
				if _, err := r.replica.CleanUpBlobs(harness.Organization); err != nil {
					t.Fatal(err)
				}
				if c := r.compare(); c.Equal() {
					t.Error("Compare does not see that the file is lost")
				}
			}
			got, done := r.sync()
			r.complete(got, done)
			if got.Staged != 1 || done.Files != 1 {
				t.Errorf("staged %d, uploaded %d files; want the version and its file", got.Staged, done.Files)
			}
			r.settled()
		})
	}
}

// The replica holds 1.0.0, and the primary the same version under its short name,
// or the other way round.
func TestTrapShortVersionOverLong(t *testing.T) {
	for _, c := range [][2]string{{"1.0", "1.0.0"}, {"1.0.0", "1.0"}, {"1", "1.0"}} {
		for _, frozen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s over %s, frozen %t", c[0], c[1], frozen), func(t *testing.T) {
				r := newRig(t)
				putCookbook(r.write, "c", c[0], frozen, "", map[string]string{"x": "primary"})
				putCookbook(r.onReplica(), "c", c[1], frozen, "", map[string]string{"x": "replica"})
				r.settled()
			})
		}
	}
}

// The URLs of files are of one server and one day. A server stores what it is
// sent in their place.
func TestTrapFileURLsAreNotStored(t *testing.T) {
	r := newRig(t)
	requests := r.record()
	r.write.Small()
	r.write.Policies()
	r.settled()
	puts := requests(http.MethodPut, "/cookbook(s|_artifacts)/")
	for _, p := range puts {
		if strings.Contains(p.body, `"url"`) || strings.Contains(p.body, "http://") {
			t.Errorf("%s sent a URL: %s", p.path, p.body)
		}
	}
	if len(puts) != 5 {
		t.Errorf("%d manifests were sent, want 5", len(puts))
	}
}

// The delete of the last version that has a file drops the file. A version that
// is to be written right then finds it gone, and arrives the next time.
func TestTrapDeleteDropsFiles(t *testing.T) {
	for _, path := range []string{"/cookbook_artifacts/a/1111", "/cookbooks/other/1.0.0"} {
		t.Run(path, func(t *testing.T) {
			r := newRig(t)
			shared := map[string]string{"recipes/default.rb": "shared"}
			r.onReplica().Artifact("a", "1111", "", shared)
			if path != "/cookbook_artifacts/a/1111" {
				r.onReplica().Do(http.MethodDelete, "cookbook_artifacts/a/1111", "")
				r.onReplica().Cookbook("other", "1.0.0", true, shared)
			}
			r.write.Cookbook("c", "1.0.0", true, shared)
			got, err := r.Fetch(t.Context(), create("/cookbooks/c/1.0.0"), quiet)
			if err != nil || got.Files != 0 {
				t.Fatalf("fetched %d files, %v; want none, the replica has it", got.Files, err)
			}
			r.remove(path)
			if _, err := r.Apply(t.Context(), got.Batch, replicate.ApplyOptions{}, quiet); err != nil {
				t.Fatal(err)
			}
			r.settled()
		})
	}
}

// A version takes over a file that another one gives up in the same batch, which
// goes first: the server has dropped the file by then, and the version keeps its
// manifest and loses its files. When the primary goes back to that manifest, and a
// third version has brought the old file again, nothing shows that the version
// does not have it.
func TestTrapHalfWrittenVersionLooksWhole(t *testing.T) {
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprint("made anew ", made), func(t *testing.T) {
			r := newRig(t)
			text := func(text string) map[string]string { return map[string]string{"recipes/default.rb": text} }
			const path = "/cookbooks/c/1.0.0"
			if !made {
				r.write.Cookbook("c", "1.0.0", false, text("old"))
			}
			r.write.Cookbook("giver", "1.0.0", false, text("new"))
			r.settled()
			r.write.Cookbook("c", "1.0.0", false, text("new"))
			got, err := r.Fetch(t.Context(), update(path), quiet)
			if err != nil {
				t.Fatal(err)
			}
			r.write.Cookbook("giver", "1.0.0", false, text("old"))
			r.complete(r.take(update("/cookbooks/giver/1.0.0")))
			done, err := r.Apply(t.Context(), got.Batch, replicate.ApplyOptions{}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			r.wantFailed(done.Failed, "hasn't", path)
			if !done.Failed[0].Half {
				t.Error("the failure does not say that half of it may be there")
			}

			r.write.Cookbook("third", "1.0.0", false, text("new"))
			if !made {
				r.write.Cookbook("c", "1.0.0", false, text("old"))
			}
			r.complete(r.take(create("/cookbooks/third/1.0.0")))
			if r.snapshot(r.replica).Cookbooks[path].Complete() {
				t.Fatal("the version is whole; this shows nothing")
			}
			r.complete(r.take(changes(object.ActionReplace, path)))
			r.settled()
			if !r.snapshot(r.replica).Cookbooks[path].Complete() {
				t.Error("the version is not whole")
			}
		})
	}
}

// Whatever the server says of a write that it did not finish, the version may be half
// written; of one that it refuses it is not.
func TestTrapUnfinishedWriteMayBeHalf(t *testing.T) {
	for _, c := range []struct {
		name   string
		effect chefserver.Effect
		half   bool
	}{
		{"no connection free", chefserver.Status(503, `{"error":["service unavailable"]}`), true},
		{"500", chefserver.Status(500, `{"error":["internal service error"]}`), true},
		{"refused", chefserver.Status(400, `{"error":["Field 'name' invalid"]}`), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.write.Cookbook("c", "1.0.0", false, map[string]string{"recipes/default.rb": "text"})
			fault(r.replica, "PUT", "/cookbooks/", c.effect)
			_, done := r.sync()
			if len(done.Failed) != 1 || done.Failed[0].Half != c.half {
				t.Errorf("failed %+v; want it to say half: %t", done.Failed, c.half)
			}
		})
	}
}

// A version that is frozen on the replica and not on the primary waits for a
// person, unless the pair may thaw: then it is deleted and made anew, with the
// files that went with it.
func TestTrapThaw(t *testing.T) {
	r := newRig(t)
	files := map[string]string{"recipes/default.rb": "only here", "README.md": "shared"}
	r.write.Cookbook("c", "1.0.0", false, files)
	r.write.Cookbook("other", "1.0.0", false, map[string]string{"README.md": "shared"})
	r.settled()
	r.onReplica().Cookbook("c", "1.0.0", true, files)

	for range 2 {
		_, done := r.sync()
		r.wantFailed(done.Failed, "with thaw true", "/cookbooks/c/1.0.0")
		if done.Failed[0].Again {
			t.Error("trying again at once will not help")
		}
	}
	if v := r.snapshot(r.replica).Cookbooks["/cookbooks/c/1.0.0"]; !v.Frozen || !v.Complete() {
		t.Errorf("it was touched: %+v", v)
	}
	r.Recreate = true
	_, done := r.sync()
	r.wantFailed(done.Failed, "to be made anew", "/cookbooks/c/1.0.0")
	if !done.Failed[0].Again {
		t.Error("trying again at once will help, and the failure does not say so")
	}
	if _, err := r.replica.CleanUpBlobs(harness.Organization); err != nil {
		t.Fatal(err)
	}
	r.replica.ResetStats()
	r.complete(r.take(update("/cookbooks/c/1.0.0")))
	if up := r.replica.Stats().Uploads; len(up) != 1 || up["acme/"+sum("only here")] != 1 {
		t.Errorf("uploads %v, want the one file that was dropped", up)
	}
	r.settled()
	if _, err := r.replica.Client.GetCookbook(t.Context(), "c", "1.0.0"); chef.IsNotFound(err) {
		t.Error("the version is gone")
	}
}

// An artifact and a revision that differ are made anew, too, and the pointer to
// the revision comes back.
func TestTrapRecreateWhatNeverChanges(t *testing.T) {
	r := newRig(t)
	r.write.Policies()
	other := r.onReplica()
	other.Artifact("app", "aaaa", "another", map[string]string{"recipes/default.rb": "another"})
	other.Policy("web", "1111", "another", "app/aaaa")
	other.Pointer("prod", "web", "1111")
	other.Pointer("keep", "web", "1111")
	_, done := r.sync()
	r.wantFailed(done.Failed, "another under this name", "/cookbook_artifacts/app/aaaa", "/policies/web/revisions/1111")
	r.Recreate = true
	got, err := r.Fetch(t.Context(), update("/policies/web/revisions/1111"), quiet)
	if want := []object.Ref{object.MustRef("/policy_groups/prod/policies/web")}; err != nil || !slices.Equal(got.Touched, want) {
		t.Errorf("touched: %v, %v; want %v, and nothing that the primary does not have", got.Touched, err, want)
	}
	for range 3 { // each kind when its turn has come
		if _, done = r.sync(); len(done.Failed) == 0 {
			break
		}
	}
	r.remove("/policy_groups/keep/policies/web", "/policy_groups/keep")
	r.settled()
}
