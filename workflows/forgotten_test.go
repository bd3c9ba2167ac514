package workflows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// answering has the servers answer again whenever a pair in trouble asks.
func (w *world) answering() {
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Trouble != "" && in.Cursor == cursor(len(w.feed)) {
			return &activities.PollResult{Cursor: in.Cursor}, nil
		}
		return nil, nil
	}
}

// A cookbook version that is tried again, and whose write breaks off then, is not
// remembered as what it was tried as, nor as tried twice.
func TestARetryThatBreaksOffIsReplaced(t *testing.T) {
	c := object.MustRef("/cookbooks/c/1.0.0")
	w := newWorld(t)
	w.answering()
	var did []object.Action
	w.onFetch = func(f object.Change) string {
		did = append(did, f.Action)
		if len(did) == 1 {
			return "400"
		}
		return ""
	}
	broken := 0
	w.applyOp = func(activities.ApplyInput) error {
		if broken == 2 {
			return nil
		}
		broken++
		want := 1 + broken
		w.at(time.Second, func() {
			if u := w.unsynced(); len(u) != 1 || u[0].Attempts != want || u[0].Action != object.ActionReplace {
				t.Errorf("after the write broke off: %+v; want %d tries, and a replacement next", u, want)
			}
		})
		return denied()
	}
	w.change(object.ActionUpdate, c.Path())
	got := w.run(following(0), time.Hour)
	if broken != 2 || got.Unsynced != 0 || did[len(did)-1] != object.ActionReplace {
		t.Errorf("fetched as %v, status %+v; want it replaced at last", did, got)
	}
}

// What goes for a moment while something else is made anew may have been read
// before that. It is looked at again.
func TestWhatWasTouchedIsLookedAtAgain(t *testing.T) {
	revision, pointer := object.MustRef("/policies/p/revisions/1"), object.MustRef("/policy_groups/g/policies/p")
	w := newWorld(t)
	w.touches = map[object.Ref]object.Ref{revision: pointer}
	w.replica[pointer] = true
	w.equal = func(c object.Change) bool { return c.Ref == pointer && w.replica[pointer] }
	w.onApply = func(ref object.Ref, _ int) string {
		if ref == revision { // and whoever did it died before the pointer was back
			delete(w.replica, pointer)
		}
		return ""
	}
	w.change(object.ActionUpdate, revision.Path(), pointer.Path())
	if got := w.run(following(0), time.Hour); !w.replica[pointer] || got.Unsynced != 0 {
		t.Errorf("the pointer is on the replica: %t, status %+v, did %v", w.replica[pointer], got, w.history())
	}
}

// What a data bag that was made anew holds no longer is deleted, whatever comes
// between writing the bag and that.
func TestWhatIsLeftOverIsDeletedAfterAll(t *testing.T) {
	bag, old := object.MustRef("/data/b"), object.MustRef("/data/b/old")
	parked := workflows.Unsynced{Ref: bag, Action: object.ActionReplace, NextTry: time.Now()}
	for _, c := range []struct {
		name  string
		state []workflows.Unsynced // or else it is in a page
		how   string
	}{
		{"tried again, the replica is down", []workflows.Unsynced{parked}, "down"},
		{"tried again, stopped", []workflows.Unsynced{parked}, "stop"},
		{"in a page, the replica is down", nil, "down"},
		{"in a page, stopped", nil, "stop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.answering()
			w.replica[bag], w.replica[old], w.holds[bag] = true, true, true
			w.leftOver = map[object.Ref]object.Ref{bag: old}
			st := following(0)
			if st.Unsynced = c.state; st.Unsynced == nil {
				late := parked
				late.Action, late.NextTry = object.ActionDelete, time.Now().Add(time.Hour)
				st.Unsynced = []workflows.Unsynced{late}
				w.change(object.ActionCreate, bag.Path())
			} else {
				w.feed = append(w.feed, object.Change{Action: object.ActionUpdate, Ref: object.MustRef("/roles/r")})
				st.Cursor = cursor(1)
			}
			hit := false
			w.applyOp = func(in activities.ApplyInput) error {
				if hit || c.how == "down" && len(in.Deletes) == 0 {
					return nil
				}
				hit = true
				if c.how == "stop" {
					w.env.SignalWorkflow(workflows.SignalStop, nil)
					return nil
				}
				return denied()
			}
			w.signal(time.Minute, workflows.SignalStart)
			got := w.run(st, 2*time.Hour)
			if !hit || w.replica[old] || !w.replica[bag] || got.Unsynced != 0 {
				t.Errorf("hit %t, replica %v, status %+v, did %v; want the bag alone", hit, w.replica, got, w.history())
			}
		})
	}
}

// A full comparison that is begun anew in the middle of one does not forget what
// the primary has deleted of what that one wrote.
func TestAComparisonThatIsBegunAnewForgetsNoDelete(t *testing.T) {
	w := newWorld(t)
	w.pageLimit = 1
	a, b := object.Change{Action: object.ActionCreate, Ref: object.MustRef("/roles/a")}, object.Change{Action: object.ActionCreate, Ref: object.MustRef("/roles/b")}
	w.survey = []object.Change{a, b}
	w.applyOp = func(activities.ApplyInput) error {
		if len(w.replica) == 1 && len(w.feed) == 0 {
			w.holds[b.Ref] = true
			w.feed = []object.Change{{ID: 1, Action: object.ActionDelete, Ref: a.Ref}}
			w.survey = []object.Change{b}
			w.env.SignalWorkflow(workflows.SignalForgetCursor, nil)
		}
		return nil
	}
	if got := w.run(workflows.State{}, time.Hour); w.replica[a.Ref] || !w.replica[b.Ref] || got.Cursor != cursor(1) {
		t.Errorf("replica %v, status %+v; want b alone", w.replica, got)
	}
}

// The same if its list is lost; unless the place that it began from is lost with it.
func TestAComparisonWhoseListIsLostForgetsNoDelete(t *testing.T) {
	ids := object.Identities{Primary: object.Identity{URL: "https://a"}, Replica: object.Identity{URL: "https://b"}}
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		w.pageLimit = 1
		a, b := object.Change{Action: object.ActionCreate, Ref: object.MustRef("/roles/a")}, object.Change{Action: object.ActionCreate, Ref: object.MustRef("/roles/b")}
		w.survey = []object.Change{a, b}
		w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
			if in.Survey == nil && !in.Cursor.IsZero() {
				return nil, nil
			}
			if in.Survey == nil || in.Survey.Offset == 0 || len(w.feed) > 0 {
				out := w.surveyPage(in)
				out.Identities = ids
				return &out, nil
			}
			w.holds[b.Ref] = true
			w.feed = []object.Change{{ID: 1, Action: object.ActionDelete, Ref: a.Ref}}
			w.survey = []object.Change{b}
			return &activities.PollResult{Reset: "the list is gone", CursorLost: lost, Identities: ids}, nil
		}
		if got := w.run(workflows.State{}, time.Hour); w.replica[a.Ref] != lost || !w.replica[b.Ref] || got.Cursor != cursor(1) {
			t.Errorf("cursor lost %t: replica %v, status %+v", lost, w.replica, got)
		}
	}
}

// A delete still waits for the writes of its page when everything was compared
// meanwhile and they failed once more; also for those that there was no room to
// remember.
func TestDeletesWaitAcrossAComparison(t *testing.T) {
	old := object.MustRef("/cookbooks/old/1.0.0")
	for _, n := range []int{1, 5} { // writes that fail; 3 can be remembered
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t)
			bad := "*"
			w.onApply = func(ref object.Ref, _ int) string {
				if ref.Kind == object.KindRole && (bad == "*" || bad == ref.Name) {
					return "413"
				}
				return ""
			}
			w.replica[old] = true
			for i := range n {
				p := fmt.Sprintf("/roles/r%d", i)
				w.survey = append(w.survey, object.Change{Action: object.ActionUpdate, Ref: object.MustRef(p)})
				w.change(object.ActionUpdate, p)
			}
			last := fmt.Sprintf("r%d", n-1)
			w.change(object.ActionDelete, old.Path())
			w.at(time.Minute, func() { bad = last })
			w.signal(2*time.Minute, workflows.SignalForgetCursor)
			w.at(5*time.Hour, func() {
				if !w.replica[old] {
					t.Errorf("the cookbook is gone while the role %s that may need it could not be written: %v", last, w.history())
				}
				bad = ""
			})
			in := workflows.SyncInput{Pair: pair, State: following(0), Options: workflows.Options{MaxUnsynced: 3}}
			if got := w.runWith(in, 9*time.Hour); got.Unsynced != 0 || len(w.replica) != n || got.Counters.Surveys == 0 {
				t.Errorf("status %+v, replica %v; want the roles only", got, w.replica)
			}
		})
	}
}

// A pair that runs once does not end as if all were well while objects are
// forgotten that there was no room to remember.
func TestOnceDoesNotEndBeforeItHasComparedAgain(t *testing.T) {
	for _, lasts := range []bool{false, true} {
		w := newWorld(t)
		w.onApply = func(_ object.Ref, try int) string {
			if try < 2 || lasts {
				return "500"
			}
			return ""
		}
		for i := range 5 {
			p := fmt.Sprintf("/roles/r%d", i)
			w.survey = append(w.survey, object.Change{Action: object.ActionUpdate, Ref: object.MustRef(p)})
			w.change(object.ActionUpdate, p)
		}
		w.max = 3
		w.runOnce(following(0))
		if u := w.unsynced(); lasts && len(u) != 3 || !lasts && (len(u) != 0 || len(w.replica) != 5) {
			t.Errorf("lasts %t: ended with %d of 5 on the replica, %d unsynced", lasts, len(w.replica), len(u))
		}
	}
}

// A delete that waited for a write is made before a pair that runs once ends.
func TestOnceMakesTheDeletesThatWaited(t *testing.T) {
	w := newWorld(t)
	old := object.MustRef("/roles/old")
	w.replica[old] = true
	w.onApply = func(ref object.Ref, try int) string {
		if ref.Name == "late" && try < 3 {
			return "500"
		}
		return ""
	}
	w.change(object.ActionUpdate, "/roles/late")
	w.change(object.ActionDelete, "/roles/old")
	w.runOnce(following(0))
	if u := w.unsynced(); len(u) != 0 || w.replica[old] {
		t.Errorf("ended with %+v unsynced, replica %v; want the delete made", u, w.replica)
	}
}

// What a policy group that could not be moved still uses on the replica is not
// deleted, although it is of a later page: the primary's group has moved, so that
// nobody there uses it.
func TestWhatAGroupStillUsesIsKept(t *testing.T) {
	used := []string{"/policies/p/revisions/1", "/cookbook_artifacts/a/1"}
	for i := range 30 { // more than need no word, if they were to be deleted now
		used = append(used, fmt.Sprintf("/cookbook_artifacts/b/%d", i))
	}
	for _, name := range []string{"", "compared", "waits already", "gone"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bad := []string{"g"}
			w.onApply = func(ref object.Ref, _ int) string {
				if slices.Contains(bad, ref.Name) {
					return "the replica lacks what it points at"
				}
				return ""
			}
			for _, p := range append(used, "/roles/old") {
				w.replica[object.MustRef(p)] = true
			}
			w.change(object.ActionUpdate, "/policy_groups/g/policies/p")
			w.survey = w.feed
			w.at(time.Minute, func() {
				if name == "waits already" {
					bad = append(bad, "r")
					w.change(object.ActionUpdate, "/roles/r")
				}
				gone := len(used) // of the primary, as a list says, and no word of the feed
				if name == "gone" {
					gone = 0
					w.change(object.ActionUpdate, used...)
					for _, p := range used {
						delete(w.holds, object.MustRef(p))
					}
				}
				w.change(object.ActionDelete, append(used[:gone:gone], "/roles/old")...)
			})
			w.at(10*time.Minute, func() { bad = bad[:1] })
			if name == "compared" {
				w.signal(20*time.Minute, workflows.SignalForgetCursor)
			}
			fetches := 0
			w.at(5*time.Hour, func() {
				for _, p := range used {
					if !w.replica[object.MustRef(p)] {
						t.Errorf("%s is gone while the group still uses it: %v", p, w.history())
					}
				}
				if w.replica[object.MustRef("/roles/old")] {
					t.Error("the role is still there, which has nothing to do with it")
				}
				bad, fetches = nil, len(w.history())
			})
			w.signal(7*time.Hour, workflows.SignalApproveDeletes)
			if got := w.run(following(0), 9*time.Hour); got.Unsynced != 0 || w.replica[object.MustRef(used[0])] || w.replica[object.MustRef(used[1])] {
				t.Errorf("status %+v, replica %v; want it deleted when the group has moved", got, w.replica)
			}
			if fetches > 40 {
				t.Errorf("%d steps in five hours: %v", fetches, w.history())
			}
		})
	}
}

// What will succeed if it is tried again at once is tried again at once.
func TestTriedAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	w.again = true
	w.onApply = func(_ object.Ref, try int) string {
		if try == 1 {
			return "deleted, to be made anew"
		}
		return ""
	}
	w.change(object.ActionUpdate, "/roles/r")
	if got := w.run(following(0), time.Second); got.Unsynced != 0 || len(w.replica) != 1 {
		t.Errorf("after a second: status %+v, replica %v", got, w.replica)
	}
}
