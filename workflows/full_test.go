package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// More deletes than can be remembered wait for a write: none is forgotten.
func TestNoDeleteIsForgotten(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	w.change(object.ActionUpdate, "/roles/bad")
	w.survey = []object.Change{{Action: object.ActionUpdate, Ref: object.MustRef("/roles/bad")}}
	for i := range 9 {
		p := fmt.Sprintf("/roles/old%d", i)
		w.replica[object.MustRef(p)] = true
		w.change(object.ActionDelete, p)
	}
	w.at(2*time.Hour, func() {
		if len(w.replica) != 9 {
			t.Errorf("%d are left; want the deletes to wait", len(w.replica))
		}
		bad = false
	})
	in := workflows.SyncInput{Pair: pair, State: following(0), Options: workflows.Options{MaxUnsynced: 3}}
	if got := w.runWith(in, 9*time.Hour); got.Unsynced != 0 || len(w.replica) != 1 {
		t.Errorf("status %+v, replica %v; want the role alone", got, w.replica)
	}
}

// deletesRefused is a primary that has deleted nine roles which the replica keeps,
// and a replica that refuses that; three objects can be remembered.
func deletesRefused(t *testing.T) (*world, workflows.Options) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "*")
	for i := range 9 {
		p := fmt.Sprintf("/roles/old%d", i)
		w.replica[object.MustRef(p)] = true
		w.change(object.ActionDelete, p)
	}
	w.at(10*time.Hour, func() { bad = false })
	return w, workflows.Options{MaxUnsynced: 3}
}

// A list that is full is no reason to try ever the same at short intervals.
func TestAFullListBacksOff(t *testing.T) {
	w, o := deletesRefused(t)
	w.at(10*time.Hour, func() {
		s := w.status()
		if s.Mode != workflows.ModeWaiting || s.Unsynced != 3 || s.Cursor != cursor(0) || s.Hint != "chef-sync-ctl unsynced-objects acme" {
			t.Errorf("status %+v; want it to wait before the page, and to say what helps", s)
		}
		for ref, n := range w.tries {
			if n > 40 {
				t.Errorf("%s was tried %d times in ten hours", ref, n)
			}
		}
	})
	if got := w.runWith(workflows.SyncInput{Pair: pair, State: following(0), Options: o}, 13*time.Hour); got.Unsynced != 0 || len(w.replica) != 0 || got.Mode != workflows.ModeFollowing {
		t.Errorf("status %+v, %d left; want all deleted", got, len(w.replica))
	}
}

// A pair that runs once ends all the same, with a list that says that not all is well.
func TestOnceEndsWithAFullList(t *testing.T) {
	w, o := deletesRefused(t)
	w.max = o.MaxUnsynced
	w.runOnce(following(0))
	if u := w.unsynced(); len(u) != 3 {
		t.Errorf("ended with %+v; want a full list", u)
	}
}

// There is room to remember what may be half written, however full the list is.
func TestAFullListHasRoomForWhatBrokeOff(t *testing.T) {
	w, o := deletesRefused(t)
	c := object.MustRef("/cookbooks/c/1.0.0")
	w.onApply = nil
	st := following(9)
	for i := range 3 {
		st.Unsynced = append(st.Unsynced, workflows.Unsynced{
			Ref: object.MustRef(fmt.Sprintf("/roles/old%d", i)), Action: object.ActionDelete, NextTry: time.Now().Add(time.Hour),
		})
	}
	var last object.Action
	w.onFetch = func(f object.Change) string {
		last = f.Action
		return ""
	}
	broken := false
	w.applyOp = func(in activities.ApplyInput) error {
		if broken || len(in.Deletes) > 0 {
			return nil
		}
		broken = true
		return denied()
	}
	w.change(object.ActionUpdate, c.Path())
	if got := w.runWith(workflows.SyncInput{Pair: pair, State: st, Options: o}, time.Minute); !broken || last != object.ActionReplace {
		t.Errorf("broken %t, fetched to %s at last, status %+v; want it replaced", broken, last, got)
	}
}

// Extras that cannot be deleted do not keep a full comparison from being completed:
// the next one finds again what there was no room to remember.
func TestExtrasThatStayDoNotHoldUpTheFeed(t *testing.T) {
	w, o := deletesRefused(t)
	w.survey, w.feed = w.feed, nil
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Survey == nil && !in.Cursor.IsZero() {
			return nil, nil
		}
		out := w.surveyPage(in)
		out.Deletes = map[object.Kind]int{object.KindRole: len(w.survey)}
		return &out, nil
	}
	w.at(time.Hour, func() {
		if s := w.status(); s.Cursor.IsZero() || s.Unsynced != 3 || s.Counters.Surveys == 0 {
			t.Errorf("status %+v; want it to follow", s)
		}
	})
	got := w.runWith(workflows.SyncInput{Pair: pair, Options: o}, 13*time.Hour)
	if got.Unsynced != 0 || len(w.replica) != 0 || got.Mode != workflows.ModeFollowing {
		t.Errorf("status %+v, %d left; want all deleted", got, len(w.replica))
	}
}
