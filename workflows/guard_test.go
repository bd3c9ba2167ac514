package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// parents are objects that take along what they hold, and how that is named.
var parents = map[string]string{"/data/b": "/data/b/i%02d", "/policies/b": "/policies/b/revisions/i%02d", "/policy_groups/b": "/policy_groups/b/policies/i%02d"}

// without deletes a parent with what it holds on the primary.
func (w *world) without(parent string, held int) {
	w.replica[object.MustRef(parent)] = true
	for i := range held {
		p := fmt.Sprintf(parents[parent], i)
		w.replica[object.MustRef(p)] = true
		w.change(object.ActionDelete, p)
	}
	w.change(object.ActionDelete, parent)
}

// What goes with a bag, a policy or a policy group counts for the delete guard,
// also when the page holds an object that is gone, and when the deletes had to
// wait.
func TestContentsCountForTheGuard(t *testing.T) {
	for parent := range parents {
		for _, name := range []string{"gone", "waits", "fails"} {
			t.Run(parent+" "+name, func(t *testing.T) { contentsCount(t, parent, name) })
		}
	}
}

func contentsCount(t *testing.T, parent, name string) {
	ref := object.MustRef(parent)
	held, _ := ref.Kind.Contains()
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	w.without(parent, 30)
	switch name {
	case "gone":
		w.change(object.ActionUpdate, "/roles/ghost")
		delete(w.holds, object.MustRef("/roles/ghost"))
	case "waits":
		w.change(object.ActionUpdate, "/roles/bad")
	case "fails":
		w.refuse(&bad, "b")
		w.signal(20*time.Second, workflows.SignalApproveDeletes) // fails then, and is weighed again
	}
	w.at(time.Minute, func() { bad = false })
	w.at(2*time.Hour, func() {
		if s := w.status(); s.Mode != workflows.ModeHalted || !strings.Contains(s.Reason, string(held)+": 30") || !w.replica[ref] {
			t.Errorf("status %+v, there: %t; want halted before 30 of kind %s go", s, w.replica[ref], held)
		}
		w.env.SignalWorkflow(workflows.SignalApproveDeletes, nil)
	})
	if got := w.run(following(0), 3*time.Hour); got.Mode != workflows.ModeFollowing || w.replica[ref] || got.Unsynced != 0 {
		t.Errorf("status %+v; want %s deleted after the word", got, parent)
	}
}

// Deletes that were approved, and that a trouble kept from being made, are made when it
// is over; and the approval is good for nothing else.
func TestAnApprovalOutlivesATrouble(t *testing.T) {
	for name, operator := range map[string]string{"alone": "", "and a stop": workflows.SignalStop} {
		t.Run("trouble "+name, func(t *testing.T) {
			w, bag := newWorld(t), object.MustRef("/data/b")
			w.without("/data/b", 30)
			rests := true
			w.applyOp = func(activities.ApplyInput) error {
				if rests {
					return temporal.NewNonRetryableApplicationError("maintenance", activities.TypePair, nil,
						activities.Trouble{Key: activities.TroubleMaintenance, Message: "maintenance until 05:00"})
				}
				return nil
			}
			w.signal(time.Minute, workflows.SignalApproveDeletes)
			w.at(30*time.Minute, func() {
				if s := w.status(); s.Mode != workflows.ModeWaiting || !w.replica[bag] {
					t.Errorf("%+v, there: %t; want to wait for the window to close", s, w.replica[bag])
				}
				rests = false
				if operator != "" {
					w.env.SignalWorkflow(operator, nil)
				}
			})
			w.signal(31*time.Minute, workflows.SignalStart)
			w.at(4*time.Hour, func() {
				if operator != "" {
					return
				}
				if s := w.status(); s.Mode != workflows.ModeFollowing || w.replica[bag] {
					t.Errorf("%+v, there: %t; want what was approved to be done", s, w.replica[bag])
				}
				w.without("/data/b", 30)
			})
			if got := w.run(following(0), 9*time.Hour); got.Mode != workflows.ModeHalted || !w.replica[bag] {
				t.Errorf("%+v, there: %t; want what is deleted next to be asked about", got, w.replica[bag])
			}
		})
	}
}

// survey40 is a full comparison of one write and 40 deletes, in pages of 10.
func survey40(w *world) {
	w.pageLimit = 10
	w.change(object.ActionCreate, "/roles/real")
	w.survey = append(w.survey, object.Change{Action: object.ActionUpdate, Ref: object.MustRef("/roles/real")})
	for i := range 40 {
		ref := object.MustRef(fmt.Sprintf("/environments/e%02d", i))
		w.replica[ref] = true
		w.survey = append(w.survey, object.Change{Action: object.ActionDelete, Ref: ref})
	}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Survey == nil && !in.Cursor.IsZero() {
			return nil, nil
		}
		page := w.surveyPage(in)
		page.Deletes = map[object.Kind]int{object.KindEnvironment: 40}
		return &page, nil
	}
}

// A full comparison is weighed as a whole, also where an object turns out to be
// gone, or a write fails.
func TestAFullComparisonIsWeighedAsAWhole(t *testing.T) {
	for _, name := range []string{"plain", "gone", "fails"} {
		w := newWorld(t)
		survey40(w)
		bad := true
		switch name {
		case "gone":
			delete(w.holds, object.MustRef("/roles/real"))
		case "fails":
			w.refuse(&bad, "real")
		}
		w.at(30*time.Second, func() { bad = false })
		w.at(time.Hour, func() {
			left := 0
			for ref := range w.replica {
				if ref.Kind == object.KindEnvironment {
					left++
				}
			}
			if s := w.status(); s.Mode != workflows.ModeHalted || left != 40 {
				t.Errorf("%s: %s with %d of 40 left; want halted with all", name, s.Mode, left)
			}
		})
		w.run(workflows.State{}, 2*time.Hour)
	}
}

// The word about objects that turned out to be gone is one about what else the
// full comparison wants to delete, so that must be said.
func TestApprovalOfGoneObjectsInAComparison(t *testing.T) {
	w := newWorld(t)
	survey40(w)
	var gone []object.Change
	for i := range 30 {
		ref := object.MustRef(fmt.Sprintf("/roles/g%02d", i))
		w.replica[ref] = true
		gone = append(gone, object.Change{Action: object.ActionUpdate, Ref: ref})
	}
	w.survey = append(gone, w.survey...)
	w.pageLimit = 30
	w.at(time.Hour, func() {
		if s := w.status(); s.Mode != workflows.ModeHalted || !strings.Contains(s.Reason, "role: 30") || !strings.Contains(s.Reason, "environment: 40") {
			t.Errorf("status %s %s; want halted for all that would be deleted", s.Mode, s.Reason)
		} else if want := "(everything is compared: the primary is another server)"; !strings.Contains(s.Reason, want) {
			t.Errorf("halted: %s; want %s in it", s.Reason, want)
		}
		w.env.SignalWorkflow(workflows.SignalApproveDeletes, nil)
	})
	if got := w.run(workflows.State{ResetReason: "the primary is another server"}, 2*time.Hour); got.Mode != workflows.ModeFollowing || len(w.replica) != 1 {
		t.Errorf("status %+v, %d on the replica; want one word for all pages of the comparison", got, len(w.replica))
	}
}

// Objects are tried again on the servers that they were tried on, and no others:
// no poll has asked just now who these are.
func TestARetryNamesItsServers(t *testing.T) {
	w := newWorld(t)
	ids := object.Identities{Replica: object.Identity{URL: "https://replica", OrgGUID: "1"}}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Cursor == cursor(0) {
			return &activities.PollResult{Changes: w.feed, Cursor: cursor(1), Identities: ids}, nil
		}
		return nil, nil
	}
	w.onApply = func(_ object.Ref, try int) string {
		if try == 1 {
			return "400"
		}
		return ""
	}
	var got []object.Identities
	w.applyOp = func(in activities.ApplyInput) error { got = append(got, in.Identities); return nil }
	w.change(object.ActionCreate, "/roles/r")
	w.run(following(0), time.Minute)
	if len(got) != 2 || got[1] != ids {
		t.Errorf("applied to %v; want the retry to name the servers", got)
	}
}

// Before a word comes that deletes may be made, days may pass, and the worker be
// pointed at another replica: the deletes name the servers that they are about.
func TestApprovedDeletesNameTheirServers(t *testing.T) {
	w := newWorld(t)
	ids := object.Identities{Replica: object.Identity{URL: "https://replica", OrgGUID: "1"}}
	for i := range 40 {
		w.change(object.ActionDelete, fmt.Sprintf("/roles/r%02d", i))
	}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Cursor == cursor(0) {
			return &activities.PollResult{
				Changes: w.feed, Cursor: cursor(40), Identities: ids, Deletes: map[object.Kind]int{object.KindRole: 40},
			}, nil
		}
		return nil, nil
	}
	var got []object.Identities
	w.applyOp = func(in activities.ApplyInput) error { got = append(got, in.Identities); return nil }
	w.signal(72*time.Hour, workflows.SignalApproveDeletes)
	w.run(following(0), 73*time.Hour)
	if len(got) == 0 || slices.ContainsFunc(got, func(one object.Identities) bool { return one != ids }) {
		t.Errorf("deleted on %v; want on %v and no other", got, ids)
	}
}

// An object that has to be made anew time and again is tried ever more rarely.
func TestMakingAnewForEverBacksOff(t *testing.T) {
	w := newWorld(t)
	w.again = true
	w.change(object.ActionUpdate, "/roles/r")
	w.onApply = func(_ object.Ref, try int) string {
		if try > 100 { // a loop without an end would take this test along
			return ""
		}
		return "deleted on the replica, to be made anew"
	}
	w.run(following(0), time.Hour)
	if n := w.tries[object.MustRef("/roles/r")]; n < 4 || n > 15 {
		t.Errorf("tried %d times in an hour; want a few at once and then ever fewer", n)
	}
}

// A data bag that turns out to be gone takes its items along, whether or not the
// page names them.
func TestContentsOfWhatIsGoneCount(t *testing.T) {
	for _, c := range []struct {
		items, named int
		halts        bool
	}{{40, 0, true}, {15, 0, false}, {15, 15, false}, {0, 30, true}} {
		w := newWorld(t)
		w.goneAlong = map[object.Ref]int{object.MustRef("/data/bag"): c.items}
		w.feed = []object.Change{{ID: 1, Action: object.ActionUpdate, Ref: object.MustRef("/data/bag")}}
		for i := range c.named {
			w.feed = append(w.feed, object.Change{ID: int64(i + 2), Action: object.ActionUpdate, Ref: object.MustRef(fmt.Sprintf("/data/bag/i%02d", i))})
		}
		want := workflows.ModeFollowing
		if c.halts {
			want = workflows.ModeHalted
		}
		if got := w.run(following(0), time.Hour); got.Mode != want {
			t.Errorf("%+v: %s; want %s", c, got.Mode, want)
		}
	}
}
