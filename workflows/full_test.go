package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
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
		if s := w.status(); !strings.Contains(s.Reason, "deletes that wait for /roles/bad,") {
			t.Errorf("it waits because %q; want the role named that could not be written", s.Reason)
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

// Batches that break off again and again, each of them another one because the primary
// goes on, do not have the list grow for ever: Temporal could not keep it.
func TestWhatBreaksOffDoesNotFillTheList(t *testing.T) {
	w := newWorld(t)
	made := 0
	next := func() { // what is gone of the feed is gone
		ref := object.MustRef(fmt.Sprintf("/cookbooks/c%03d/1.0.0", made))
		made++
		w.holds = map[object.Ref]bool{ref: true}
		w.feed = []object.Change{{ID: 1, Action: object.ActionUpdate, Ref: ref}}
	}
	next()
	down, most := true, 0
	w.applyOp = func(activities.ApplyInput) error {
		if !down {
			return nil
		}
		next()
		w.at(time.Millisecond, func() { most = max(most, w.status().Unsynced) })
		return denied()
	}
	w.at(time.Hour, func() { down = false })
	o := workflows.Options{MaxUnsynced: 2, Limits: plan.Limits{Objects: 5}, RetryMost: time.Minute}
	got := w.runWith(workflows.SyncInput{Pair: pair, State: following(0), Options: o}, 3*time.Hour)
	if most != 7 || made < 20 || got.Unsynced != 0 || len(w.replica) != 1 {
		t.Errorf("%d of %d were unsynced; status %+v, on the replica %v", most, made, got, w.replica)
	}
}

// A pair that runs once ends also if there is no room to remember what could break off.
func TestOnceEndsWithoutRoomForWhatBreaksOff(t *testing.T) {
	w, o := deletesRefused(t)
	st := following(9)
	for i := range o.MaxUnsynced + plan.DefaultBatchObjects {
		ref := object.MustRef(fmt.Sprintf("/data/x%04d", i))
		w.holds[ref] = true
		st.Unsynced = append(st.Unsynced, workflows.Unsynced{Ref: ref, Action: object.ActionReplace})
	}
	w.onApply = func(ref object.Ref, _ int) string {
		if ref.Kind == object.KindDataBag {
			return "500"
		}
		return ""
	}
	c := object.MustRef("/cookbooks/c/1.0.0")
	w.change(object.ActionUpdate, c.Path())
	w.max = o.MaxUnsynced
	w.runOnce(st)
	if !w.replica[c] || len(w.unsynced()) != len(st.Unsynced) {
		t.Errorf("ended with %d unsynced, the cookbook is there: %t", len(w.unsynced()), w.replica[c])
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
