package replicate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// everyKind are the paths of what [rig.writeEveryKind] writes, without the bag.
var everyKind = []string{"/cookbooks/c/1.0.0", "/data/b/i", "/environments/e", "/roles/r"}

func writeEveryKind(w *harness.Content, value string) {
	w.Role("r", value)
	w.Environment("e", value)
	w.Item("b", "i", value)
	w.Cookbook("c", "1.0.0", false, map[string]string{"recipes/default.rb": value, "README.md": "same"})
}

// TestHints: whatever the feed says about an object, the outcome is the same,
// and an equal object is not written.
func TestHints(t *testing.T) {
	all := append([]string{"/data/b"}, everyKind...)
	for _, c := range []struct {
		name  string
		held  string // on the replica; "" = nothing
		hint  func(...string) []object.Change
		want  replicate.Applied
		equal int
	}{
		{"create what is absent", "", create, replicate.Applied{Created: 5, Files: 2}, 0},
		{"update what is absent", "", update, replicate.Applied{Created: 5, Files: 2}, 0},
		{"update what differs", "old", update, replicate.Applied{Updated: 4, Files: 1}, 1},
		// A cookbook's PUT creates or replaces, and does not say which.
		{"create what differs", "old", create, replicate.Applied{Created: 1, Updated: 3, Equal: 1, Files: 1}, 0},
		{"update what is equal", "new", update, replicate.Applied{}, 5},
		{"create what is equal", "new", create, replicate.Applied{Equal: 4}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			writeEveryKind(r.write, "new")
			if c.held != "" {
				writeEveryKind(harness.Write(t, r.replica.Client), c.held)
			}
			r.replica.ResetStats()
			got, done := r.take(c.hint(all...))
			if diff := cmp.Diff(c.want, done); diff != "" || got.Equal != c.equal {
				t.Errorf("equal when fetched: %d, want %d; applied (-want +got):\n%s", got.Equal, c.equal, diff)
			}
			if n := r.replica.Stats().WriteTotal(); n != c.want.Created+c.want.Updated {
				t.Errorf("%d objects were written, want %d: %v", n, c.want.Created+c.want.Updated, r.replica.Stats().Writes)
			}
			r.inSync()
		})
	}
}

func TestDelete(t *testing.T) {
	r := newRig(t)
	writeEveryKind(harness.Write(t, r.replica.Client), "x")
	if done := r.remove(everyKind...); done.Deleted != 4 || len(done.Failed) > 0 {
		t.Errorf("deleted %d, %s; want 4", done.Deleted, reasons(done.Failed))
	}
	if done := r.remove(append([]string{"/data/b"}, everyKind...)...); done.Deleted != 5 || len(done.Failed) > 0 {
		t.Errorf("again: deleted %d, %s; want 5", done.Deleted, reasons(done.Failed))
	}
	r.inSync()

	writeEveryKind(harness.Write(t, r.replica.Client), "x")
	fault(r.replica, "DELETE", "/roles/r", chefserver.Status(500, `{"error":["no"]}`))
	skip := replicate.ApplyOptions{Skip: map[object.Ref]bool{object.MustRef("/environments/e"): true}}
	done, err := r.Delete(t.Context(), []object.Ref{object.MustRef("/roles/r"), object.MustRef("/environments/e"), object.MustRef("/data/b/i")}, skip, quiet)
	if err != nil || done.Deleted != 1 {
		t.Errorf("deleted %d, %v; want the item only", done.Deleted, err)
	}
	r.wantFailed(done.Failed, "500", "/roles/r")
	if _, err := r.replica.Client.GetEnvironment(t.Context(), "e"); err != nil {
		t.Errorf("a skipped delete was made: %v", err)
	}
}

func TestFrozenCookbooks(t *testing.T) {
	const path = "/cookbooks/c/1.0.0"
	put := func(t *testing.T, s *harness.ChefServer, content string, frozen, force bool) {
		t.Helper()
		err := harness.PutCookbook(t.Context(), s.Client, "c", "1.0.0", frozen, map[string]string{"recipes/a.rb": content}, force)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, hint := range []object.Action{object.ActionCreate, object.ActionUpdate} {
		t.Run(string(hint), func(t *testing.T) {
			t.Run("frozen later", func(t *testing.T) {
				r := newRig(t)
				put(t, r.replica, "a", false, false)
				put(t, r.primary, "a", true, false)
				if _, done := r.take(changes(hint, path)); len(done.Failed) > 0 {
					t.Error(reasons(done.Failed))
				}
				r.inSync()
			})
			t.Run("forced on the primary", func(t *testing.T) {
				r := newRig(t)
				put(t, r.replica, "a", true, false)
				put(t, r.primary, "a", true, false)
				put(t, r.primary, "b", true, true)
				got, done := r.take(changes(hint, path))
				if len(done.Failed) > 0 || done.Updated != 1 || got.Files != 1 {
					t.Errorf("fetched %+v, applied %+v", got, done)
				}
				r.inSync()
			})
			t.Run("frozen and equal", func(t *testing.T) {
				r := newRig(t)
				put(t, r.replica, "a", true, false)
				put(t, r.primary, "a", true, false)
				r.replica.ResetStats()
				if got, _ := r.take(changes(hint, path)); got.Equal != 1 || r.replica.Stats().WriteTotal() != 0 {
					t.Errorf("equal %d, written %d; want 1, 0", got.Equal, r.replica.Stats().WriteTotal())
				}
			})
			t.Run("frozen on the replica only", func(t *testing.T) {
				r := newRig(t)
				put(t, r.replica, "a", true, false)
				put(t, r.primary, "b", false, false)
				r.write.Cookbook("other", "1.0.0", false, map[string]string{"x": "x"})
				_, done := r.take(changes(hint, path, "/cookbooks/other/1.0.0"))
				r.wantFailed(done.Failed, "with thaw true", path)
				if done.Created != 1 {
					t.Errorf("created %d, want the other cookbook", done.Created)
				}
				r.remove(path) // what the failure asks for
				r.take(update(path))
				r.inSync()
			})
		})
	}
}

func TestNumbersAndUnknownKeysSurvive(t *testing.T) {
	r := newRig(t)
	r.write.Bag("b")
	for i, body := range []string{
		`{"id":"i0","n":123456789012345678901234567890,"f":1.50,"e":1e3,"neg":-0.0,"json_class":"x","chef_type":"t","data_bag":"other"}`,
		`{"id":"i1","json_class":"Chef::DataBagItem","raw_data":{"id":"i1","inner":true},"` + " " + `":"<&>\u0000\u2028"}`,
		`{"id":"i2","empty":{},"list":[],"null":null,"deep":{"a":[{"b":[1,2,{"c":"` + strings.Repeat("x", 5000) + `"}]}]}}`,
	} {
		if err := r.primary.Client.CreateDataBagItem(t.Context(), "b", fmt.Sprint("i", i), json.RawMessage(body)); err != nil {
			t.Fatal(err)
		}
	}
	var m chef.Manifest
	err := json.Unmarshal([]byte(`{"name":"meta-1.0.0","cookbook_name":"meta","version":"1.0.0","json_class":"Chef::CookbookVersion",
		"chef_type":"cookbook_version","frozen?":false,"all_files":[],
		"metadata":{"name":"meta","version":"1.0.0","dependencies":{},"x-unknown":{"n":12345678901234567890123,"html":"<&>"}}}`), &m)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.primary.Client.PutCookbook(t.Context(), &m, chef.PutCookbookOptions{}); err != nil {
		t.Fatal(err)
	}
	r.sync()
	r.inSync()
	if got, _ := r.sync(); got.Staged != 0 {
		t.Errorf("second time: staged %d, want 0", got.Staged)
	}
}

// TestSkipAndDoubt: what is done is left alone, and all else is compared.
func TestSkipAndDoubt(t *testing.T) {
	r := newRig(t)
	onReplica := harness.Write(t, r.replica.Client)
	for _, name := range []string{"done", "perhaps", "not"} {
		onReplica.Role(name, "0")
		r.write.Role(name, "1")
	}
	f, err := r.Fetch(t.Context(), update("/roles/done", "/roles/perhaps", "/roles/not"), quiet)
	if err != nil || f.Staged != 3 {
		t.Fatalf("staged %d, %v", f.Staged, err)
	}
	onReplica.Role("perhaps", "1")
	r.replica.ResetStats()
	var mu sync.Mutex
	told := 0
	done, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{
		Skip: map[object.Ref]bool{object.MustRef("/roles/done"): true}, Doubt: true,
	}, func(object.Ref) { mu.Lock(); defer mu.Unlock(); told++ })
	if diff := cmp.Diff(replicate.Applied{Updated: 1, Equal: 1}, done); err != nil || diff != "" {
		t.Errorf("apply: %v (-want +got):\n%s", err, diff)
	}
	if w := r.replica.Stats().Writes; len(w) != 1 || w["acme/roles/not"] != 1 {
		t.Errorf("writes %v, want /roles/not only", w)
	}
	if told != 2 {
		t.Errorf("progress told of %d objects, want 2", told)
	}
}

// TestGoneOrUnreadable: a 404 alone proves nothing.
func TestGoneOrUnreadable(t *testing.T) {
	r := newRig(t)
	writeEveryKind(r.write, "1")
	for _, p := range everyKind {
		fault(r.primary, "GET", p+"$", chefserver.Status(404, `{"error":["Cannot load it"]}`))
	}
	absent := []string{"/cookbooks/c/2.0.0", "/data/b/absent", "/data/nobag", "/data/nobag/i", "/environments/absent", "/roles/absent"}
	got, err := r.Fetch(t.Context(), update(append(absent, everyKind...)...), quiet)
	if err != nil {
		t.Fatal(err)
	}
	r.wantFailed(got.Failed, "the primary lists", everyKind...)
	var gone []string
	for _, ref := range got.Gone {
		gone = append(gone, ref.String())
	}
	want := []string{"/cookbooks/c/2.0.0", "/data/nobag", "/data/b/absent", "/data/nobag/i", "/environments/absent", "/roles/absent"}
	if diff := cmp.Diff(want, gone); diff != "" || got.Batch != "" {
		t.Errorf("gone (-want +got):\n%s, batch %q", diff, got.Batch)
	}

	// A list that cannot be had proves nothing either.
	fault(r.primary, "GET", "/roles$", chefserver.Forbidden("read"))
	if got, err := r.Fetch(t.Context(), update("/roles/absent"), quiet); err == nil {
		t.Errorf("gone %v without a list", got.Gone)
	}
}
