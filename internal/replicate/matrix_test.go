package replicate_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// matrixPoints are all writes of [matrixRig]'s sync.
var matrixPoints = []struct{ method, path, object string }{
	{"POST", "/sandboxes$", ""},
	{"PUT", "^/bookshelf/.*" + sum("new file"), ""},
	{"PUT", "/sandboxes/", ""},
	{"PUT", "/cookbooks/new/1.0.0$", "/cookbooks/new/1.0.0"},
	{"PUT", "/cookbooks/c/1.0.0$", "/cookbooks/c/1.0.0"},
	{"POST", "/data$", "/data/new"},
	{"POST", "/data/new$", "/data/new/i"},
	{"PUT", "/data/b/i$", "/data/b/i"},
	{"POST", "/roles$", "/roles/new"},
	{"PUT", "/roles/r$", "/roles/r"},
	{"POST", "/environments$", "/environments/new"},
	{"PUT", "/environments/e$", "/environments/e"},
	{"DELETE", "/roles/gone$", "/roles/gone"},
	{"DELETE", "/cookbooks/gone/1.0.0$", "/cookbooks/gone/1.0.0"},
	{"DELETE", "/data/gone$", "/data/gone"},
}

func matrixRig(t *testing.T) (*rig, []object.Change) {
	r := newRig(t)
	onReplica := harness.Write(t, r.replica.Client)
	for value, w := range map[string]*harness.Content{"old": onReplica, "changed": r.write} {
		writeEveryKind(w, value)
	}
	onReplica.Role("gone", "1")
	onReplica.Cookbook("gone", "1.0.0", true, map[string]string{"x": "gone"})
	onReplica.Item("gone", "i", "1")
	r.write.Role("new", "1")
	r.write.Environment("new", "1")
	r.write.Item("new", "i", "1")
	r.write.Cookbook("new", "1.0.0", true, map[string]string{"recipes/a.rb": "new file"})
	page := update(append([]string{"/data/b"}, everyKind...)...)
	page = append(page, create("/data/new", "/data/new/i", "/roles/new", "/environments/new", "/cookbooks/new/1.0.0")...)
	return r, append(page, changes(object.ActionDelete, "/roles/gone", "/cookbooks/gone/1.0.0", "/data/gone")...)
}

// cycle takes a page as the workflow does: what errs is repeated, what fails is
// taken again when the page is done. It returns how often something was not done
// at once.
func (r *rig) cycle(page []object.Change) (repeats int) {
	r.t.Helper()
	var again []object.Change
	for _, b := range plan.Batches(plan.Coalesce(page), plan.Limits{}) {
		batch := ""
		for attempt := 1; ; attempt++ {
			var failed []replicate.Failure
			var err error
			if !b.Delete && batch == "" {
				var f replicate.Fetched
				if f, err = r.Fetch(r.t.Context(), b.Changes, quiet); err == nil {
					batch, failed = f.Batch, f.Failed
					attempt = 1
				}
			}
			var done replicate.Applied
			switch {
			case err != nil || !b.Delete && batch == "":
			case b.Delete:
				done, err = r.Delete(r.t.Context(), b.Refs(), replicate.ApplyOptions{Doubt: attempt > 1}, quiet)
			default:
				done, err = r.Apply(r.t.Context(), batch, replicate.ApplyOptions{Doubt: attempt > 1}, quiet)
			}
			if err == nil {
				for _, f := range append(failed, done.Failed...) {
					again = append(again, object.Change{Action: b.Changes[0].Action, Ref: f.Ref})
				}
				break
			}
			if errors.Is(err, staging.ErrNotFound) {
				batch = ""
			}
			repeats++
			if attempt == 6 {
				r.t.Fatalf("after %d attempts: %v", attempt, err)
			}
		}
	}
	if len(again) == 0 {
		return repeats
	}
	for i := range again {
		if again[i].Action == object.ActionCreate {
			again[i].Action = object.ActionUpdate
		}
	}
	return repeats + 1 + r.cycle(again)
}

// TestFailureMatrix breaks every write, in every way, for a moment and for longer
// than the client tries. In the end the servers are equal, and nothing was
// written more often than the fault makes unavoidable.
func TestFailureMatrix(t *testing.T) {
	ways := []struct {
		name   string
		effect chefserver.Effect
		done   bool // the write is made each time
	}{
		{"cut before", chefserver.CutBefore(), false},
		{"done, answer lost", chefserver.CutAfter(), true},
		{"500", chefserver.Status(500, `{"error":["internal service error"]}`), false},
		{"503", chefserver.Status(503, `{"error":["down"]}`), false},
	}
	const clientTries = 4
	for _, point := range matrixPoints {
		for _, way := range ways {
			for _, times := range []int{1, clientTries} {
				if testing.Short() && times == 1 {
					continue // the client's business, mostly
				}
				t.Run(fmt.Sprintf("%s %s %s x%d", point.method, point.path, way.name, times), func(t *testing.T) {
					r, page := matrixRig(t)
					r.replica.ResetStats()
					rule := r.replica.Faults().Add(chefserver.Fault{
						Method: point.method, Path: regexp.MustCompile(point.path), Count: times, Effect: way.effect,
					})
					repeats := r.cycle(page)
					if rule.Hits() != times && !(way.done && rule.Hits() >= 1) {
						t.Fatalf("the fault hit %d times, want %d", rule.Hits(), times)
					}
					if times == 1 && repeats > 0 {
						t.Errorf("one passing fault was noticed %d times", repeats)
					}
					if times == clientTries && !way.done && repeats == 0 {
						t.Error("a fault that the client gave up on was not noticed")
					}
					for path, n := range r.replica.Stats().Writes {
						most := 1
						if way.done && path == harness.Organization+point.object {
							most += rule.Hits()
						}
						if n > most {
							t.Errorf("%s was written %d times, want at most %d", path, n, most)
						}
					}
					harness.CheckInSync(t, r.primary, r.replica)
				})
			}
		}
	}
}
