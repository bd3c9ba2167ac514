package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// runOnce runs a pair that runs once, and fails if it does not end by itself.
func (w *world) runOnce(state workflows.State) {
	w.t.Helper()
	ended := true
	w.at(24*time.Hour, func() { ended = false; w.env.SignalWorkflow(workflows.SignalRemove, nil) })
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if !in.Once {
			w.t.Error("the poll does not say that the pair runs once")
		}
		if in.Cursor == cursor(len(w.feed)) {
			return &activities.PollResult{Cursor: in.Cursor, UpToDate: true}, nil
		}
		return nil, nil
	}
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: state, Options: workflows.Options{Once: true, MaxUnsynced: w.max}})
	if err := w.env.GetWorkflowError(); err != nil || !ended {
		w.t.Fatalf("ended %t, %v", ended, err)
	}
}

// A pair that runs once compares, follows, tries what it could not copy a few
// times, and ends.
func TestOnceEnds(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/roles/good", "/roles/bad", "/roles/late")
	w.survey = []object.Change{
		{Action: object.ActionCreate, Ref: object.MustRef("/roles/bad")}, {Action: object.ActionCreate, Ref: object.MustRef("/roles/good")},
		{Action: object.ActionCreate, Ref: object.MustRef("/roles/late")},
	}
	w.onApply = func(ref object.Ref, try int) string {
		if ref.Name == "bad" || ref.Name == "late" && try < 3 {
			return "400"
		}
		return ""
	}
	w.runOnce(workflows.State{})
	if n := w.tries[object.MustRef("/roles/bad")]; n != 3 {
		t.Errorf("bad was tried %d times; want 3", n)
	}
	if u := w.unsynced(); len(u) != 1 || u[0].Ref.Name != "bad" || !w.replica[object.MustRef("/roles/late")] {
		t.Errorf("unsynced %v, replica %v; want bad alone to be missing", u, w.replica)
	}
}

// A full comparison that is asked for while a pair that runs once tries some
// objects again is made before it ends: what it forgot for that is not done.
func TestOnceComparesAgainBeforeItEnds(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/roles/slow")
	w.survey = []object.Change{{Action: object.ActionCreate, Ref: object.MustRef("/roles/slow")}}
	w.onApply = func(_ object.Ref, try int) string {
		if try < 3 {
			return "500"
		}
		return ""
	}
	w.signal(5*time.Second, workflows.SignalForgetCursor)
	w.runOnce(workflows.State{})
	surveys := len(slices.DeleteFunc(w.polls, func(in activities.PollInput) bool { return !in.Cursor.IsZero() }))
	if surveys != 2 || !w.replica[object.MustRef("/roles/slow")] {
		t.Errorf("compared %d times, replica %v; want twice, and all of it copied", surveys, w.replica)
	}
}

// A delete that the feed has not told yet when everything is compared anew is
// found nowhere else: the comparison keeps what only the replica has. Only of a
// cursor that is lost nothing more can be had.
func TestWhatTheFeedHadToTellIsToldAfterAComparison(t *testing.T) {
	old := object.MustRef("/roles/old")
	ids := object.Identities{Primary: object.Identity{URL: "https://a"}, Replica: object.Identity{URL: "https://b"}}
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		w.replica[old] = true
		reset := false
		w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
			if reset || in.Cursor.IsZero() {
				return nil, nil
			}
			reset = true // with a delete after the cursor
			w.feed = append(w.feed, object.Change{ID: 1, Action: object.ActionDelete, Ref: old})
			return &activities.PollResult{Reset: "other objects are replicated", CursorLost: lost, Identities: ids}, nil
		}
		state := following(0)
		state.Identities = ids
		got := w.run(state, time.Hour)
		if w.replica[old] != lost || got.Counters.Surveys != 1 || got.Cursor != cursor(1) {
			t.Errorf("cursor lost %v: old is on the replica: %v; status %+v", lost, w.replica[old], got)
		}
	}
}
