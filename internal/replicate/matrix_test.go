package replicate_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// cycle takes a page as the workflow does: what errs is repeated, what fails is
// taken again when the page is done, and deletes wait for it. It returns how often
// something was not done at once.
func (r *rig) cycle(page []object.Change) (repeats int) {
	r.t.Helper()
	for turn := 1; len(page) > 0; turn++ {
		if turn > 8 {
			r.t.Fatalf("after %d turns not done: %v", turn, page)
		}
		var again []object.Change
		for _, b := range plan.Batches(plan.Coalesce(page), plan.Limits{}) {
			if b.Delete && len(again) > 0 && again[0].Action != object.ActionDelete {
				again = append(again, b.Changes...)
				continue
			}
			failed, n := r.batch(b)
			repeats += n + len(failed)
			for _, f := range failed {
				c := object.Change{Action: object.ActionUpdate, Ref: f.Ref}
				if b.Delete {
					c.Action = object.ActionDelete
				}
				again = append(again, c)
			}
		}
		page, r.touched = append(r.touched, again...), nil
	}
	return repeats
}

// batch takes one batch until it ends without an error, and returns what failed in
// it and how many errors there were.
func (r *rig) batch(b plan.Batch) (failed []replicate.Failure, repeats int) {
	r.t.Helper()
	batch := ""
	for attempt := 1; ; attempt++ {
		var err error
		if !b.Delete && batch == "" {
			var f replicate.Fetched
			if f, err = r.Fetch(r.t.Context(), b.Changes, quiet); err == nil {
				batch, failed, attempt = f.Batch, f.Failed, 1
				for _, ref := range f.Touched {
					r.touched = append(r.touched, object.Change{Action: object.ActionUpdate, Ref: ref})
				}
			}
		}
		var done replicate.Applied
		o := replicate.ApplyOptions{Doubt: attempt > 1}
		switch {
		case err != nil || !b.Delete && batch == "":
		case b.Delete:
			done, err = r.Delete(r.t.Context(), b.Refs(), o, quiet)
		default:
			done, err = r.Apply(r.t.Context(), batch, o, quiet)
		}
		if err == nil {
			return append(failed, done.Failed...), repeats
		}
		if errors.Is(err, staging.ErrNotFound) {
			batch = ""
		}
		if repeats++; attempt == 6 {
			r.t.Fatalf("after %d attempts: %v", attempt, err)
		}
	}
}

// clientTries is how often the client asks before it gives up.
const clientTries = 4

// matrixWays are how one write goes wrong.
var matrixWays = []struct {
	name   string
	effect chefserver.Effect
	done   bool // the write is made each time
	passes bool // the client asks again by itself
}{
	{"500", chefserver.Status(500, `{"error":["internal service error"]}`), false, true},
	{"done, answer lost", chefserver.CutAfter(), true, true},
	{"done, but 500", chefserver.DoneBut(500, `{"error":["internal service error"]}`), true, true},
	{"409", chefserver.Status(409, `{"error":["already exists"]}`), false, false},
	{"404", chefserver.Status(404, `{"error":["not found"]}`), false, false},
	{"cut before", chefserver.CutBefore(), false, true},
	{"503", chefserver.Status(503, `{"error":["down"]}`), false, true},
}

// recreated is how many objects of the page are deleted in the first turn and made
// in the second.
const recreated = 2

// nested is how many groups of the page name others of it.
const nested = 1

// TestFailureMatrix breaks every write of a page that makes all writes there are,
// in every way, for a moment or for longer than the client tries. In the end the
// servers are equal, as their insides say, and nothing was written more often than
// the fault makes unavoidable.
//
// The writes are those of a run without faults, so that none can be forgotten.
// CHEF_SYNC_MATRIX=all has all combinations.
func TestFailureMatrix(t *testing.T) {
	m := newMatrixWorld(t)
	// A group may be read before the one that it names was made beside it, and is
	// then written once more.
	if n := m.cycle(m.page); n < recreated || n > recreated+nested {
		t.Errorf("without faults: %d repetitions", n)
	}
	clean := m.wire.taken()
	for _, d := range m.differences() {
		t.Error(d)
	}
	m.checkPage(clean)
	if t.Failed() {
		return
	}
	writes := slices.Sorted(maps.Keys(clean))
	const worlds = 4
	for w := range worlds {
		t.Run(fmt.Sprintf("part %d", w+1), func(t *testing.T) {
			t.Parallel()
			m := newMatrixWorld(t)
			for i := w; i < len(writes); i += worlds {
				for _, c := range matrixCases(i / worlds) {
					m.break1(t, writes[i], c.way, c.times, clean)
				}
			}
		})
	}
}

// matrixCase is a way to break a write, and for how many requests.
type matrixCase struct{ way, times int }

// matrixCases are those of the nth write: with CHEF_SYNC_MATRIX=all all there are,
// otherwise every way or its neighbour, in turn.
func matrixCases(n int) (out []matrixCase) {
	if os.Getenv("CHEF_SYNC_MATRIX") == "all" {
		for i, way := range matrixWays {
			out = append(out, matrixCase{i, 1})
			if way.passes {
				out = append(out, matrixCase{i, clientTries})
			}
		}
		return out
	}
	times := []int{1, clientTries}
	out = []matrixCase{{0, clientTries}, {1 + n%2, times[n/2%2]}, {3 + n%2, 1}}
	if testing.Short() {
		return out[:max(0, 1-n%4)]
	}
	return out
}

// checkPage makes sure that the page has everything: each kind comes, changes and
// goes if its kind can, and each of the requests below is made.
func (m *matrixWorld) checkPage(clean map[string]int) {
	m.t.Helper()
	actions := map[object.Kind]map[object.Action]bool{}
	for _, c := range m.page {
		if actions[c.Ref.Kind] == nil {
			actions[c.Ref.Kind] = map[object.Action]bool{}
		}
		actions[c.Ref.Kind][c.Action] = true
	}
	nameOnly := []object.Kind{object.KindPolicy, object.KindPolicyGroup, object.KindContainer}
	for _, k := range object.Kinds() {
		if k.Deletable() && (!actions[k][object.ActionCreate] || !actions[k][object.ActionDelete]) {
			m.t.Errorf("the page does not create and delete an object of kind %s", k)
		}
		if !actions[k][object.ActionUpdate] && !slices.Contains(nameOnly, k) {
			m.t.Errorf("the page does not update an object of kind %s", k)
		}
	}
	for _, p := range chef.Permissions() {
		if clean["PUT /organizations/acme/roles/r/_acl/"+string(p)] == 0 {
			m.t.Errorf("the page does not write the permission %s", p)
		}
	}
}

// point is the pattern of a write's path.
func point(path string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(path), "/sandboxes/ID", "/sandboxes/[^/]+") + "$")
}

// break1 takes the page with one write broken.
func (m *matrixWorld) break1(t *testing.T, write string, way, times int, clean map[string]int) {
	t.Run(fmt.Sprintf("%s %s x%d", write, matrixWays[way].name, times), func(t *testing.T) {
		outer := m.t
		m.t = t
		defer func() { m.t = outer }()
		m.reset()
		method, path, _ := strings.Cut(write, " ")
		w := matrixWays[way]
		path = strings.Replace(path, "/organization-GUID/", "/organization-"+m.guid()+"/", 1)
		rule := m.replica.Faults().Add(chefserver.Fault{Method: method, Path: point(path), Count: times, Effect: w.effect})
		repeats := m.cycle(m.page) - recreated
		if rule.Hits() != times && (!w.done || rule.Hits() == 0) {
			t.Fatalf("the fault hit %d times, want %d", rule.Hits(), times)
		}
		alone := clean[write] == 1 // and not one try each of several requests
		if times == clientTries && !w.done && alone && repeats == 0 {
			t.Error("a fault that the client gave up on was not noticed")
		}
		for write, n := range m.wire.taken() {
			if most := clean[write] + rule.Hits() + extra(write, path); n > most {
				t.Errorf("%s: %d times, want at most %d", write, n, most)
			}
		}
		for _, d := range m.differences() {
			t.Error(d)
		}
	})
}

// extra is how much more often than asked for a write may be made, because of a
// broken one: cookbooks share sandboxes until one has to be taken again, and a
// sandbox that was not committed is nothing; a policy whose first revision failed
// is made empty; a group that is found made meanwhile, for one that names it, is
// looked at again.
func extra(write, broken string) int {
	switch {
	case strings.HasSuffix(write, "/sandboxes"), strings.Contains(write, "/bookshelf/") && strings.Contains(broken, "/sandboxes/"),
		strings.HasPrefix(write, "POST /organizations/acme/policies/"), write == "POST /organizations/acme/groups":
		return 1
	}
	return 0
}

func (m *matrixWorld) guid() string {
	guid, err := m.replica.OrganizationGUID("acme")
	m.must(err)
	return guid
}
