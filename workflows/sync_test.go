package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func TestBootstrapThenFollow(t *testing.T) {
	w := newWorld(t)
	w.pageLimit = 2
	for _, p := range []string{"/cookbooks/a/1.0.0", "/data/b", "/data/b/i", "/roles/r", "/environments/e"} {
		w.survey = append(w.survey, object.Change{Action: object.ActionCreate, Ref: object.MustRef(p)})
	}
	w.at(time.Minute, func() { w.change(object.ActionCreate, "/roles/late") })
	got := w.run(workflows.State{}, 5*time.Minute)
	if got.Mode != workflows.ModeFollowing || got.Cursor != cursor(1) || got.Counters.Surveys != 1 || got.Counters.Created != 6 || got.Extras != 3 {
		t.Errorf("status %+v; want following at 1, 1 survey, 6 created, 3 extras", got)
	}
	if len(w.replica) != 6 {
		t.Errorf("replica holds %v", w.replica)
	}
}

// A reader of the replica never sees a pointer before what it points to.
func TestWritesByRankAndDeletesLastInReverse(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionDelete, "/cookbooks/old/1.0.0", "/data/gone", "/roles/old")
	w.change(object.ActionCreate, "/environments/e", "/roles/r", "/data/b/i", "/data/b", "/cookbooks/a/1.0.0")
	w.run(following(0), time.Minute)
	var order []string
	for _, l := range w.history() {
		if !strings.HasPrefix(l, "fetch") {
			order = append(order, l)
		}
	}
	want := []string{
		"write /cookbooks/a/1.0.0", "write /data/b", // nothing depends on anything of its own rank
		"write /data/b/i", "write /environments/e", "write /roles/r",
		"delete /roles/old",
		"delete /data/gone", "delete /cookbooks/old/1.0.0",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestOneBadObjectStopsNobodyAndLeavesTheListWhenFixed(t *testing.T) {
	w := newWorld(t)
	w.onApply = func(ref object.Ref, try int) string {
		if ref.Name == "bad" && try < 3 {
			return "400 Field 'run_list' invalid"
		}
		return ""
	}
	w.change(object.ActionCreate, "/roles/bad", "/roles/good")
	w.at(5*time.Second, func() {
		u := w.unsynced()
		if len(u) != 1 || u[0].Ref.Name != "bad" || u[0].Attempts != 1 || !strings.Contains(u[0].Reason, "400") {
			t.Errorf("unsynced %+v; want /roles/bad after one try", u)
		}
		if s := w.status(); s.Cursor != cursor(2) || s.Mode != workflows.ModeFollowing || s.Unsynced != 1 {
			t.Errorf("status %+v; want following at 2 with one unsynced", s)
		}
	})
	w.at(20*time.Second, func() { // 15 s after the first, 30 s after the second
		if u := w.unsynced(); len(u) != 1 || u[0].Attempts != 2 {
			t.Errorf("unsynced %+v; want two tries", u)
		}
	})
	got := w.run(following(0), 5*time.Minute)
	if got.Unsynced != 0 || len(w.replica) != 2 {
		t.Errorf("in the end %d unsynced and %v on the replica; want 0 and both", got.Unsynced, w.replica)
	}
}

func TestUnsyncedIsTriedAtOnceWhenTheObjectChanges(t *testing.T) {
	w := newWorld(t)
	fixed := false
	w.onApply = func(ref object.Ref, _ int) string {
		if ref.Name == "bad" && !fixed {
			return "413 too large"
		}
		return ""
	}
	w.change(object.ActionCreate, "/roles/bad")
	w.at(2*time.Second, func() { fixed = true; w.change(object.ActionUpdate, "/roles/bad") })
	w.at(14*time.Second, func() { // the poll is due at 10 s, the retry at 15 s
		if s := w.status(); s.Unsynced != 0 {
			t.Errorf("still unsynced after the object changed: %+v", w.unsynced())
		}
	})
	w.run(following(0), time.Minute)
}

// Deletes wait while a write of their page is still being retried.
func TestDeletesWaitForTheWritesOfTheirPage(t *testing.T) {
	w := newWorld(t)
	fixed := false
	w.onApply = func(ref object.Ref, _ int) string {
		if ref.Name == "bad" && !fixed {
			return "500 internal service error"
		}
		return ""
	}
	w.replica[object.MustRef("/cookbooks/old/1.0.0")] = true
	w.change(object.ActionUpdate, "/roles/bad")
	w.change(object.ActionDelete, "/cookbooks/old/1.0.0")
	w.at(2*time.Minute, func() {
		if !w.replica[object.MustRef("/cookbooks/old/1.0.0")] {
			t.Error("the cookbook was deleted while the role that may need it could not be written")
		}
		if u := w.unsynced(); len(u) != 2 || !u[0].Waits {
			t.Errorf("unsynced %+v; want the waiting delete and the role", u)
		}
		fixed = true
	})
	got := w.run(following(0), time.Hour)
	if len(w.replica) != 1 || got.Unsynced != 0 {
		t.Errorf("replica %v, unsynced %d; want the role only", w.replica, got.Unsynced)
	}
}

func TestGoneObjectsAreDeletedLast(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionUpdate, "/roles/ghost", "/roles/real")
	delete(w.holds, object.MustRef("/roles/ghost"))
	w.replica[object.MustRef("/roles/ghost")] = true
	w.run(following(0), time.Minute)
	if h := w.history(); h[len(h)-1] != "delete /roles/ghost" || len(w.replica) != 1 {
		t.Errorf("did %v; want the delete last", h)
	}
}

func TestMassDeleteHaltsUntilApproved(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		p := fmt.Sprintf("/roles/r%02d", i)
		w.replica[object.MustRef(p)] = true
		w.change(object.ActionDelete, p)
	}
	w.change(object.ActionCreate, "/roles/new")
	w.totals = map[object.Kind]int{object.KindRole: 100}
	w.at(time.Hour, func() {
		s := w.status()
		if s.Mode != workflows.ModeHalted || !strings.Contains(s.Reason, "30 of 100") || s.Cursor != cursor(0) {
			t.Errorf("status %+v; want halted at 0, 30 of 100", s)
		}
		if len(w.replica) != 31 {
			t.Errorf("replica holds %d objects; want nothing deleted and the new one written", len(w.replica))
		}
		w.env.SignalWorkflow(workflows.SignalApproveDeletes, nil)
	})
	got := w.run(following(0), 2*time.Hour)
	if got.Mode != workflows.ModeFollowing || got.Cursor != cursor(31) || len(w.replica) != 1 {
		t.Errorf("status %+v, replica %v; want following at 31 with one object", got, w.replica)
	}
}

func TestDeletesBelowTheLimitNeedNoWord(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.change(object.ActionDelete, fmt.Sprintf("/roles/r%02d", i))
	}
	if got := w.run(following(0), time.Minute); got.Mode != workflows.ModeFollowing || got.Counters.Deleted != 20 {
		t.Errorf("status %+v; want 20 deleted", got)
	}
}

func TestPairTroubleIsShownAndPasses(t *testing.T) {
	w := newWorld(t)
	down := true
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		switch {
		case down && in.Trouble == "":
			return &activities.PollResult{Trouble: &activities.Trouble{Key: "pair/401", Message: "GET …: 401", Hint: "check the key"}}, nil
		case down:
			return nil, temporal.NewApplicationErrorWithOptions("still 401", activities.TypeWaiting,
				temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute})
		}
		return nil, nil
	}
	w.change(object.ActionCreate, "/roles/r")
	w.at(10*time.Minute, func() {
		s := w.status()
		if s.Mode != workflows.ModeWaiting || !strings.Contains(s.Reason, "401") || s.Hint != "check the key" || len(w.replica) != 0 {
			t.Errorf("status %+v; want waiting for the key, nothing written", s)
		}
		if n := len(w.polls); n > 12 {
			t.Errorf("%d polls in ten minutes of trouble; want one a minute", n)
		}
		down = false
	})
	if got := w.run(following(0), time.Hour); got.Mode != workflows.ModeFollowing || got.Cursor != cursor(1) {
		t.Errorf("status %+v; want following at 1", got)
	}
}

func TestApplyTroubleBacksOffAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	refused := 0
	w.applyOp = func(activities.ApplyInput) error {
		if refused < 4 {
			refused++
			return temporal.NewNonRetryableApplicationError("403", activities.TypePair, nil,
				activities.Trouble{Key: "pair/denied", Message: "every write was refused"})
		}
		return nil
	}
	w.change(object.ActionCreate, "/roles/r")
	w.at(10*time.Second, func() {
		if s := w.status(); s.Mode != workflows.ModeWaiting || s.Reason != "every write was refused" || s.Cursor != cursor(0) {
			t.Errorf("status %+v; want waiting at 0", s)
		}
	})
	if got := w.run(following(0), time.Hour); got.Mode != workflows.ModeFollowing || got.Cursor != cursor(1) || refused != 4 {
		t.Errorf("status %+v after %d refusals; want following at 1", got, refused)
	}
}

func TestStagingLostIsFetchedAgain(t *testing.T) {
	w := newWorld(t)
	lost := 0
	w.applyOp = func(in activities.ApplyInput) error {
		if in.Batch != "" && lost < 2 {
			lost++
			return temporal.NewNonRetryableApplicationError("gone", activities.TypeStagingLost, nil)
		}
		return nil
	}
	w.change(object.ActionCreate, "/roles/r")
	if got := w.run(following(0), time.Minute); got.Cursor != cursor(1) || len(w.replica) != 1 {
		t.Errorf("status %+v, replica %v", got, w.replica)
	}
}

func TestResetComparesEverythingAndDropsOldState(t *testing.T) {
	w := newWorld(t)
	w.survey = []object.Change{{Action: object.ActionUpdate, Ref: object.MustRef("/roles/r")}}
	asked := false
	w.onPoll = func(activities.PollInput) (*activities.PollResult, error) {
		if asked {
			return nil, nil
		}
		asked = true
		return &activities.PollResult{Reset: "the epoch changed"}, nil
	}
	st := following(7)
	st.Unsynced = []workflows.Unsynced{{Ref: object.MustRef("/roles/x"), Action: object.ActionUpdate, NextTry: time.Now().Add(time.Hour)}}
	got := w.run(st, time.Minute)
	if got.Cursor != cursor(0) || got.Counters.Surveys != 1 || got.Unsynced != 0 || !w.replica[object.MustRef("/roles/r")] {
		t.Errorf("status %+v; want one full comparison and a new cursor", got)
	}
}

func TestUnsyncedOverflowFallsBackToAFullComparison(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.onApply = func(object.Ref, int) string {
		if bad {
			return "500"
		}
		return ""
	}
	for i := range 1005 {
		p := fmt.Sprintf("/roles/r%04d", i)
		w.survey = append(w.survey, object.Change{Action: object.ActionUpdate, Ref: object.MustRef(p)})
		w.change(object.ActionCreate, p)
	}
	w.pageLimit = 2000
	w.at(5*time.Minute, func() {
		if s := w.status(); s.Unsynced != 1000 {
			t.Errorf("%d unsynced; want the list full", s.Unsynced)
		}
		bad = false
	})
	got := w.run(following(0), 3*time.Hour)
	if got.Unsynced != 0 || len(w.replica) != 1005 || got.Counters.Surveys != 1 {
		t.Errorf("%d unsynced, %d on the replica, %d surveys; want 0, 1005, 1", got.Unsynced, len(w.replica), got.Counters.Surveys)
	}
}

func TestContinueAsNewCarriesEverything(t *testing.T) {
	w := newWorld(t)
	w.onApply = func(ref object.Ref, _ int) string {
		if ref.Name == "bad" {
			return "400"
		}
		return ""
	}
	w.change(object.ActionCreate, "/roles/bad")
	var before workflows.Status
	w.at(5*time.Second, func() {
		before = w.status()
		w.env.SetContinueAsNewSuggested(true)
		w.change(object.ActionCreate, "/roles/next")
	})
	w.signal(9*time.Second, workflows.SignalStop) // arrives while the last page is under way or before it
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
	var can *workflow.ContinueAsNewError
	err := w.env.GetWorkflowError()
	if !errors.As(err, &can) {
		t.Fatalf("ended with %v; want continue-as-new", err)
	}
	var next workflows.SyncInput
	if err := converter.GetDefaultDataConverter().FromPayloads(can.Input, &next); err != nil {
		t.Fatal(err)
	}
	s := next.State
	if next.Pair != pair || s.Cursor != before.Cursor && s.Cursor != cursor(2) || len(s.Unsynced) != 1 || !s.Stopped || s.Counters.Restarts != 1 || s.Counters.Failed == 0 {
		t.Errorf("carried %+v; want the cursor, the unsynced object, the stop and the counters", next)
	}
}

func TestIdlePairAddsNothing(t *testing.T) {
	w := newWorld(t)
	w.run(following(0), 24*time.Hour)
	w.mu.Lock() // a poll may still be under way when the workflow has ended
	n := len(w.polls)
	w.mu.Unlock()
	if n < 8000 {
		t.Errorf("%d polls in a day; want one every 10 s", n)
	}
	if h := w.history(); len(h) != 0 {
		t.Errorf("an idle pair did %v", slices.Compact(h))
	}
}
