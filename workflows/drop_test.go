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

// halted is a pair that will halt over 40 roles.
func halted(t *testing.T) *world {
	w := newWorld(t)
	for i := range 40 {
		ref := fmt.Sprintf("/roles/r%02d", i)
		w.replica[object.MustRef(ref)] = true
		w.change(object.ActionDelete, ref)
	}
	return w
}

func (w *world) say(name, halt string) { w.env.SignalWorkflow(name, workflows.Signal{Halt: halt}) }

// A word about another halt than the present one does nothing.
func TestAWordAboutAnotherHaltDoesNothing(t *testing.T) {
	w := halted(t)
	w.at(time.Hour, func() { w.say(workflows.SignalApproveDeletes, "stale"); w.say(workflows.SignalDropDeletes, "stale") })
	w.at(2*time.Hour, func() {
		s := w.status()
		if s.Mode != workflows.ModeHalted || len(w.replica) != 40 {
			t.Errorf("%s with %d left; want halted with all", s.Mode, len(w.replica))
			return
		}
		w.say(workflows.SignalApproveDeletes, s.Halt.ID)
	})
	if s := w.run(following(0), 3*time.Hour); s.Mode != workflows.ModeFollowing || len(w.replica) != 0 {
		t.Errorf("%s with %d left; want the right word to count", s.Mode, len(w.replica))
	}
}

// After deletes were dropped, a word that they may be made has nothing to be about.
func TestApprovalAfterADropDeletesNothing(t *testing.T) {
	w := halted(t)
	w.at(time.Hour, func() {
		w.say(workflows.SignalDropDeletes, "")
		w.say(workflows.SignalApproveDeletes, "")
	})
	w.signal(2*time.Hour, workflows.SignalApproveDeletes)
	if s := w.run(following(0), 3*time.Hour); s.Mode != workflows.ModeFollowing || len(w.replica) != 40 || s.Extras != 40 {
		t.Errorf("%s with %d left and %d extras; want 40 of both", s.Mode, len(w.replica), s.Extras)
	}
}

// A full comparison whose deletes were dropped asks once, not for each page.
func TestDroppedComparisonAsksOnce(t *testing.T) {
	w := newWorld(t)
	survey40(w)
	w.pageLimit = 25
	before := len(w.replica)
	w.signal(time.Hour, workflows.SignalDropDeletes)
	if s := w.run(workflows.State{}, 2*time.Hour); s.Mode != workflows.ModeFollowing || len(w.replica) < before {
		t.Errorf("%s with %d of %d left; want following with all", s.Mode, len(w.replica), before)
	}
}

// Deletes of the servers of before are not made on others, however the pair learns
// that these are others.
func TestDeletesOfOtherServersAreForgotten(t *testing.T) {
	was := object.Identities{Replica: object.Identity{URL: "https://old"}}
	is := object.Identities{Replica: object.Identity{URL: "https://new"}}
	for _, lost := range []bool{false, true} { // the cursor, before anybody asks who they are
		w := newWorld(t)
		ref := object.MustRef("/roles/kept")
		w.replica[ref] = true
		w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
			switch {
			case in.Cursor == cursor(0):
				ids := is
				if lost {
					ids = in.Identities
				}
				return &activities.PollResult{Reset: "something else", Identities: ids}, nil
			case in.Cursor.IsZero():
				return &activities.PollResult{Cursor: cursor(1), Identities: is}, nil
			}
			return nil, nil
		}
		state := following(0)
		state.Identities = was
		state.Unsynced = []workflows.Unsynced{{Ref: ref, Action: object.ActionDelete, NextTry: time.Now().Add(time.Hour)}}
		w.change(object.ActionCreate, "/roles/other")
		w.run(state, 24*time.Hour)
		if !w.replica[ref] {
			t.Errorf("cursor lost %t: a delete of the old replica was made on the new one", lost)
		}
	}
}

// If an approval and a drop come at once, nothing is deleted, whichever was first.
func TestInDoubtNothingIsDeleted(t *testing.T) {
	words := []string{workflows.SignalApproveDeletes, workflows.SignalDropDeletes}
	for range words {
		words[0], words[1] = words[1], words[0]
		w := halted(t)
		w.at(time.Hour, func() {
			w.env.SignalWorkflowSkippingWorkflowTask(words[0], nil)
			w.env.SignalWorkflow(words[1], nil) // and both are in one workflow task
		})
		if s := w.run(following(0), 2*time.Hour); s.Mode != workflows.ModeFollowing || len(w.replica) != 40 || s.Extras != 40 {
			t.Errorf("%v: %s with %d left and %d extras; want 40 of both", words, s.Mode, len(w.replica), s.Extras)
		}
	}
}

// What goes along with a data bag that is kept counts among what is kept.
func TestWhatGoesAlongIsDroppedWithIt(t *testing.T) {
	w := newWorld(t)
	w.without("/data/b", 30)
	w.signal(time.Hour, workflows.SignalDropDeletes)
	if s := w.run(following(0), 2*time.Hour); s.Extras != 31 || len(w.replica) != 31 {
		t.Errorf("%d extras, %d left; want the bag and its 30 items", s.Extras, len(w.replica))
	}
}

// What a full comparison would have deleted, and what waits for a write that failed,
// is dropped with the rest of it, whether the word comes before or after.
func TestADropIsAboutWhatWaitsToo(t *testing.T) {
	for _, at := range []int{0, 25} { // where the write is
		w := newWorld(t)
		bad := true
		survey40(w)
		w.refuse(&bad, "real")
		write := w.survey[0]
		w.survey = slices.Insert(w.survey[1:], at, write)
		w.signal(time.Hour, workflows.SignalDropDeletes)
		w.at(2*time.Hour, func() { bad = false })
		s := w.run(workflows.State{}, 6*time.Hour)
		if s.Mode != workflows.ModeFollowing || s.Unsynced != 0 || len(w.replica) != 41 || s.Extras != 43 { // 3 of them from surveyPage
			t.Errorf("write at %d: %s, %d unsynced, %d left, %d extras; want all kept", at, s.Mode, s.Unsynced, len(w.replica), s.Extras)
		}
	}
}
