package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/workflows"
)

// Deletes that waited for a write are weighed with the limit of their pair, and need
// no word that they would not have needed in their page.
func TestDeletesThatWaitedAreWeighedWithTheirLimit(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	w.change(object.ActionUpdate, "/roles/bad")
	for i := range 30 { // more than the default allows
		p := fmt.Sprintf("/roles/old%02d", i)
		w.replica[object.MustRef(p)] = true
		w.change(object.ActionDelete, p)
	}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Cursor != cursor(0) {
			return nil, nil
		}
		return &activities.PollResult{Changes: w.feed, Cursor: cursor(len(w.feed)), DeleteLimit: plan.DeleteLimit{Objects: 100}}, nil
	}
	w.at(time.Minute, func() { bad = false })
	if got := w.run(following(0), 3*time.Hour); got.Mode != workflows.ModeFollowing || got.Unsynced != 0 || len(w.replica) != 1 {
		t.Errorf("status %+v, %d on the replica; want the role alone", got, len(w.replica))
	}
}

// A staging store that loses every batch is the pair's trouble, and no loop.
func TestStagingThatLosesEverythingIsTrouble(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionUpdate, "/roles/r")
	n := 0
	w.applyOp = func(activities.ApplyInput) error {
		if n++; n > 1000 { // or else this would never end
			return nil
		}
		return temporal.NewNonRetryableApplicationError("gone", activities.TypeStagingLost, nil)
	}
	if got := w.run(following(0), 10*time.Second); got.Mode != workflows.ModeWaiting || n > 20 {
		t.Errorf("%d tries, status %+v; want a few, and the pair to wait", n, got)
	}
}

// Who says that a pair should synchronize now does not want to wait for the next try of
// an object.
func TestSyncNowTriesUnsyncedObjects(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	w.change(object.ActionUpdate, "/roles/bad")
	w.at(5*time.Second, func() { bad = false })
	w.signal(6*time.Second, workflows.SignalSyncNow)
	if got := w.run(following(0), 8*time.Second); got.Unsynced != 0 || len(w.replica) != 1 {
		t.Errorf("status %+v; want it tried again before its time", got)
	}
}

// Deletes that are refused do not keep the others of their page from being made.
func TestARefusedDeleteHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "b")
	for _, p := range []string{"/data/a", "/environments/a", "/roles/b", "/roles/c"} {
		w.replica[object.MustRef(p)] = true
		w.change(object.ActionDelete, p)
	}
	if got := w.run(following(0), 5*time.Second); got.Unsynced != 1 || len(w.replica) != 1 {
		t.Errorf("status %+v, replica %v; want the refused one alone to be left", got, w.replica)
	}
}
