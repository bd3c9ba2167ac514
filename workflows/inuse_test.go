package workflows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// A policy group that can never be moved holds up neither the feed nor what only other
// policies use, however much is deleted meanwhile that it may use.
func TestAGroupThatCannotMoveStopsNobody(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "g")
	other, late := object.MustRef("/policies/other/revisions/1"), object.MustRef("/roles/late")
	w.replica[other] = true
	w.change(object.ActionUpdate, "/policy_groups/g/policies/p")
	w.survey = w.feed
	for i := range 20 {
		p := fmt.Sprintf("/cookbook_artifacts/a/%d", i)
		w.replica[object.MustRef(p)] = true
		w.at(time.Duration(i+1)*time.Hour, func() { w.change(object.ActionDelete, p) })
	}
	w.at(21*time.Hour, func() {
		w.change(object.ActionDelete, other.Path())
		w.change(object.ActionUpdate, late.Path())
	})
	w.at(30*time.Hour, func() {
		if s := w.status(); s.Mode != workflows.ModeFollowing || s.Counters.Surveys != 0 || s.Unsynced != 4 || !w.replica[late] || w.replica[other] || len(w.replica) != 21 {
			t.Errorf("status %+v, replica %v; want the pair to follow, and all artifacts kept", s, w.replica)
		}
		bad = false
	})
	in := workflows.SyncInput{Pair: pair, State: following(0), Options: workflows.Options{MaxUnsynced: 6}}
	if s := w.runWith(in, 40*time.Hour); s.Unsynced != 0 || s.Extras != 17 || len(w.replica) != 19 {
		t.Errorf("status %+v, replica %v; want those deleted that there was room for, and the others told", s, w.replica)
	}
}

// What a policy group may still use is kept also if there was no room to remember that
// the group could not be moved.
func TestWhatAForgottenGroupUsesIsKept(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "g", "old0", "old1", "old2")
	used := object.MustRef("/cookbook_artifacts/a/1")
	w.replica[used] = true
	w.change(object.ActionUpdate, "/policy_groups/g/policies/p")
	w.survey = w.feed
	w.at(time.Minute, func() {
		for i := range 3 {
			p := fmt.Sprintf("/roles/old%d", i)
			w.replica[object.MustRef(p)] = true
			w.change(object.ActionDelete, p)
		}
	})
	w.at(2*time.Minute, func() { w.change(object.ActionDelete, used.Path()) })
	w.at(5*time.Hour, func() {
		if !w.replica[used] {
			t.Errorf("the artifact is gone while the group still uses it: %v", w.history())
		}
		bad = false
	})
	in := workflows.SyncInput{Pair: pair, State: following(0), Options: workflows.Options{MaxUnsynced: 3}}
	if s := w.runWith(in, 12*time.Hour); s.Unsynced != 0 || w.replica[used] || len(w.replica) != 1 {
		t.Errorf("status %+v, replica %v; want the group alone", s, w.replica)
	}
}

// What was made anew, and holds something no longer that cannot be deleted yet, nor be
// remembered, is not tried again at once for ever.
func TestNoRoomForWhatIsLeftOver(t *testing.T) {
	w := newWorld(t)
	policy, old := object.MustRef("/policies/p"), object.MustRef("/policies/p/revisions/1")
	w.replica[policy], w.replica[old] = true, true
	w.leftOver = map[object.Ref]object.Ref{policy: old}
	st := following(0)
	st.Unsynced = []workflows.Unsynced{ // a full list, of what no comparison would find
		{Ref: object.MustRef("/cookbooks/c/1.0.0"), Action: object.ActionReplace, NextTry: time.Now().Add(100 * time.Minute)},
		{Ref: object.MustRef("/roles/x"), Action: object.ActionDelete, NextTry: time.Now().Add(100 * time.Minute)},
		{Ref: policy, Action: object.ActionReplace, NextTry: time.Now()},
	}
	slices.SortFunc(st.Unsynced, func(a, b workflows.Unsynced) int { return a.Ref.Compare(b.Ref) })
	fetches := 0
	w.onFetch = func(c object.Change) string {
		if c.Ref == policy {
			fetches++
		}
		if fetches > 100 {
			return "or else this would never end"
		}
		return ""
	}
	w.at(90*time.Minute, func() {
		if fetches > 12 || !w.replica[old] {
			t.Errorf("fetched %d times in 90 minutes; the revision is there: %t", fetches, w.replica[old])
		}
	})
	in := workflows.SyncInput{Pair: pair, State: st, Options: workflows.Options{MaxUnsynced: 3}}
	if s := w.runWith(in, 8*time.Hour); s.Unsynced != 0 || w.replica[old] {
		t.Errorf("status %+v, replica %v; want the revision gone when there was room", s, w.replica)
	}
}
