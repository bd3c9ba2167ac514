package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// refuse makes the replica refuse the named objects, for as long as *on is.
func (w *world) refuse(on *bool, names ...string) {
	w.onApply = func(ref object.Ref, _ int) string {
		if *on && (slices.Contains(names, ref.Name) || slices.Contains(names, "*")) {
			return "500 internal service error"
		}
		return ""
	}
}

func denied() error {
	return temporal.NewNonRetryableApplicationError("403", activities.TypePair, nil,
		activities.Trouble{Key: "pair/denied", Message: "every write was refused"})
}

// next is the input of the run that a workflow continued as.
func (w *world) next() workflows.SyncInput {
	w.t.Helper()
	var can *workflow.ContinueAsNewError
	if err := w.env.GetWorkflowError(); !errors.As(err, &can) {
		w.t.Fatalf("ended with %v; want continue-as-new", err)
	}
	var in workflows.SyncInput
	if err := converter.GetDefaultDataConverter().FromPayloads(can.Input, &in); err != nil {
		w.t.Fatal(err)
	}
	return in
}

func TestForgetCursorWhileThePairIsInTrouble(t *testing.T) {
	for _, stop := range []bool{false, true} {
		w := newWorld(t)
		w.change(object.ActionCreate, "/roles/r")
		down := true
		w.applyOp = func(activities.ApplyInput) error {
			if down {
				down = false
				if stop {
					w.env.SignalWorkflow(workflows.SignalStop, nil)
				}
				w.env.SignalWorkflow(workflows.SignalForgetCursor, nil)
				return denied()
			}
			return nil
		}
		w.signal(time.Minute, workflows.SignalStart)
		if got := w.run(following(0), time.Hour); got.Counters.Surveys != 1 || got.Mode != workflows.ModeFollowing {
			t.Errorf("stop %t: status %+v; want one full comparison", stop, got)
		}
	}
}

// An operator who starts a pair does not want to wait for what it waited for
// before it was stopped.
func TestStartDoesNotSitOutAnOldTrouble(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/roles/r")
	down := true
	w.applyOp = func(activities.ApplyInput) error {
		if down {
			w.env.SignalWorkflow(workflows.SignalStop, nil)
			return denied()
		}
		return nil
	}
	st := following(0)
	st.TroubleCount = 9 // an hour
	w.at(time.Minute, func() { down = false })
	w.signal(2*time.Minute, workflows.SignalStart)
	if got := w.run(st, 3*time.Minute); got.Cursor != cursor(1) {
		t.Errorf("status %+v a minute after the start; want the cursor at 1", got)
	}
}

// The write that a delete waits for changes again and fails again, or its page
// is interrupted: the delete still waits.
func TestDeletesWaitForAWriteThatComesAgain(t *testing.T) {
	old := object.MustRef("/cookbooks/old/1.0.0")
	for _, interrupt := range []bool{false, true} {
		w := newWorld(t)
		bad := true
		w.refuse(&bad, "bad")
		w.replica[old] = true
		w.change(object.ActionUpdate, "/roles/bad")
		w.change(object.ActionDelete, "/cookbooks/old/1.0.0")
		w.at(3*time.Second, func() {
			if interrupt { // stop in the middle of the next page, before the role's turn
				w.onFetch = func(object.Change) string {
					w.onFetch = nil
					w.env.SignalWorkflow(workflows.SignalStop, nil)
					return ""
				}
			}
			w.change(object.ActionUpdate, "/roles/bad")
		})
		w.signal(20*time.Second, workflows.SignalStart)
		w.at(2*time.Hour, func() {
			if !w.replica[old] {
				t.Errorf("interrupt %t: the cookbook is gone while the role that may need it could not be written: %v", interrupt, w.history())
			}
			bad = false
		})
		if got := w.run(following(0), 5*time.Hour); got.Unsynced != 0 || len(w.replica) != 1 || got.Cursor != cursor(3) {
			t.Errorf("interrupt %t: status %+v, replica %v; want the role only", interrupt, got, w.replica)
		}
	}
}

// A delete that waits is dropped when the page under way writes the object,
// whatever becomes of that page.
func TestAWaitingDeleteIsDroppedWhenTheObjectIsBack(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	back := object.MustRef("/roles/back")
	w.replica[back] = true
	w.change(object.ActionUpdate, "/roles/bad")
	w.change(object.ActionDelete, "/roles/back")
	w.at(3*time.Second, func() {
		w.onFetch = func(object.Change) string {
			w.onFetch = nil
			bad = false
			w.env.SignalWorkflow(workflows.SignalStop, nil)
			return ""
		}
		w.change(object.ActionUpdate, "/roles/bad", "/roles/back")
	})
	w.signal(20*time.Second, workflows.SignalStart)
	w.run(following(0), time.Hour)
	if slices.Contains(w.history(), "delete /roles/back") {
		t.Errorf("did %v; want no delete of an object that is back", w.history())
	}
}

// What an interrupted page of a full comparison has written may be deleted on the
// primary before the page is taken again. Another comparison would keep it as an
// extra; this one follows from where it began, and sees the delete.
func TestAnInterruptedComparisonGoesOn(t *testing.T) {
	w := newWorld(t)
	w.survey = []object.Change{{Action: object.ActionCreate, Ref: object.MustRef("/cookbooks/a/1.0.0")}, {Action: object.ActionCreate, Ref: object.MustRef("/roles/r")}}
	w.applyOp = func(activities.ApplyInput) error {
		if len(w.replica) == 0 {
			w.env.SignalWorkflow(workflows.SignalStop, nil)
		}
		return nil
	}
	w.at(10*time.Second, func() {
		w.change(object.ActionDelete, "/cookbooks/a/1.0.0")
		w.holds[object.MustRef("/roles/r")] = true
		w.survey = w.survey[1:]
	})
	w.signal(time.Minute, workflows.SignalStart)
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Survey == nil && in.Cursor.IsZero() && len(w.replica) > 0 {
			t.Error("another comparison was begun")
		}
		return nil, nil
	}
	if got := w.run(workflows.State{}, time.Hour); got.Cursor != cursor(1) || len(w.replica) != 1 || got.Counters.Surveys != 1 {
		t.Errorf("status %+v, replica %v; want the role only", got, w.replica)
	}
}

// The same of a page of a feed that compares lists.
func TestAnInterruptedPageIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/cookbooks/a/1.0.0", "/roles/r")
	steady := object.Cursor{Feed: "listing", Position: "base>target"}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		switch {
		case in.Cursor == cursor(0) && len(w.replica) == 0, in.Cursor == steady:
			return &activities.PollResult{Changes: w.feed, FromCursor: steady, Cursor: cursor(2)}, nil
		case in.Cursor == cursor(0):
			t.Error("asked from the old cursor, which knows nothing of what was written")
		}
		return nil, nil
	}
	w.applyOp = func(activities.ApplyInput) error {
		if len(w.replica) == 0 {
			w.env.SignalWorkflow(workflows.SignalStop, nil)
		}
		return nil
	}
	w.signal(time.Minute, workflows.SignalStart)
	if got := w.run(following(0), time.Hour); got.Cursor != cursor(2) || len(w.replica) != 2 {
		t.Errorf("status %+v, replica %v; want both at 2", got, w.replica)
	}
}

// Deletes are not found by a full comparison that keeps what only the replica
// has, so an overflow of the list must not forget them.
func TestOverflowKeepsDeletes(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "*")
	w.pageLimit = 2000
	old := object.MustRef("/cookbooks/old/1.0.0")
	w.replica[old] = true
	for i := range 1005 {
		p := fmt.Sprintf("/roles/r%04d", i)
		w.survey = append(w.survey, object.Change{Action: object.ActionUpdate, Ref: object.MustRef(p)})
		w.change(object.ActionCreate, p)
	}
	w.change(object.ActionDelete, "/cookbooks/old/1.0.0")
	w.at(9*time.Minute, func() {
		if s := w.status(); s.Unsynced != 1000 || !w.replica[old] {
			t.Errorf("%d unsynced, old there: %t; want the list full and nothing deleted", s.Unsynced, w.replica[old])
		}
	})
	w.at(25*time.Minute, func() { bad = false })
	got := w.run(following(0), 5*time.Hour)
	if got.Unsynced != 0 || w.replica[old] || len(w.replica) != 1005 {
		t.Errorf("%d unsynced, %d on the replica, old there: %t; want 0, 1005, false", got.Unsynced, len(w.replica), w.replica[old])
	}
}

// A server that fails in ever another way is not asked ever faster.
func TestTroubleThatChangesIsNoTightLoop(t *testing.T) {
	w := newWorld(t)
	n := 0
	w.onPoll = func(activities.PollInput) (*activities.PollResult, error) {
		n++
		return &activities.PollResult{Trouble: &activities.Trouble{Key: fmt.Sprint(n % 2), Message: "401, or 404"}}, nil
	}
	w.at(time.Minute, func() {
		if n > 10 {
			t.Errorf("%d polls in a minute of trouble", n)
		}
		n = -1 << 30
	})
	w.run(following(0), time.Minute+time.Second)
}

// An unsynced object that makes trouble for the whole pair is tried ever more
// rarely, like any other, and the feed is followed meanwhile.
func TestARetryInTroubleBacksOff(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/roles/a")
	w.onFetch = func(c object.Change) string {
		if c.Ref.Name == "a" && len(w.polls) < 2 {
			return "400"
		}
		return ""
	}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Trouble != "" { // the servers answer
			return &activities.PollResult{Cursor: in.Cursor}, nil
		}
		return nil, nil
	}
	n := 0
	w.applyOp = func(in activities.ApplyInput) error {
		if w.staged[in.Batch][0].Ref.Name == "a" {
			n++
			return denied()
		}
		return nil
	}
	w.at(time.Hour, func() { w.change(object.ActionCreate, "/roles/b") })
	if got := w.run(following(0), 2*time.Hour); n > 12 || got.Cursor != cursor(2) || got.Unsynced != 1 {
		t.Errorf("%d tries in two hours, status %+v; want a dozen, the cursor at 2", n, got)
	}
}

func TestSyncNowSurvivesContinueAsNew(t *testing.T) {
	w := newWorld(t)
	w.at(5*time.Second, func() {
		w.env.SetContinueAsNewSuggested(true)
		w.env.SignalWorkflow(workflows.SignalSyncNow, nil)
	})
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
	next := w.next()
	again := newWorld(t)
	again.run(next.State, time.Second)
	if len(again.polls) == 0 || !again.polls[0].Deep {
		t.Errorf("polls %+v; want the first one deep, as an operator asked", again.polls)
	}
}

// A halted pair does not fill its history, whoever signals it.
func TestHaltedPairContinuesAsNew(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.change(object.ActionDelete, fmt.Sprintf("/roles/r%02d", i))
	}
	w.at(time.Minute, func() {
		if s := w.status(); s.Mode != workflows.ModeHalted {
			t.Errorf("status %+v; want halted", s)
		}
		w.env.SetContinueAsNewSuggested(true)
		w.env.SignalWorkflow(workflows.SignalSyncNow, nil)
	})
	w.signal(time.Hour, workflows.SignalRemove)
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
	if s := w.next().State; s.Cursor != cursor(0) || s.Halt != nil {
		t.Errorf("carried %+v; want the cursor before the page, which is asked about again", s)
	}
}

// Temporal refuses payloads beyond 2 MiB, and a workflow with such a state could
// never continue.
func TestTheLargestStateFitsAPayload(t *testing.T) {
	w := newWorld(t)
	w.pageLimit = 2000
	w.onApply = func(object.Ref, int) string { return strings.Repeat("<\"&>\x01", 80) }
	for i := range 1000 {
		w.change(object.ActionCreate, "/data/"+strings.Repeat("b", 120)+fmt.Sprintf("/%0120d", i))
	}
	w.at(5*time.Second, func() { w.env.SetContinueAsNewSuggested(true) })
	w.signal(6*time.Second, workflows.SignalSyncNow)
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
	data, err := json.Marshal(w.next())
	if err != nil || len(data) > 3<<19 {
		t.Errorf("%d bytes, %v; want a wide margin below 2 MiB", len(data), err)
	}
}

// Clocks of two operators differ. A stop that comes later counts, whatever they
// say; they only order what waits side by side.
func TestAStopCountsWhateverTheClock(t *testing.T) {
	w := newWorld(t)
	w.at(time.Second, func() {
		w.env.SignalWorkflow(workflows.SignalStart, workflows.Signal{At: time.Unix(1000, 0)})
	})
	w.at(time.Minute, func() {
		w.env.SignalWorkflow(workflows.SignalStop, workflows.Signal{At: time.Unix(900, 0)})
	})
	if got := w.run(following(0), time.Hour); got.Mode != workflows.ModeStopped {
		t.Errorf("a stop left the pair %s", got.Mode)
	}
}

// The same of a start.
func TestAStartCountsWhateverTheClock(t *testing.T) {
	w := newWorld(t)
	w.at(time.Second, func() {
		w.env.SignalWorkflow(workflows.SignalStop, workflows.Signal{At: time.Unix(1000, 0)})
	})
	w.at(time.Minute, func() {
		w.env.SignalWorkflow(workflows.SignalStart, workflows.Signal{At: time.Unix(900, 0)})
	})
	if got := w.run(following(0), time.Hour); got.Mode != workflows.ModeFollowing {
		t.Errorf("a start left the pair %s", got.Mode)
	}
}

// Whenever an operator cancels it, the workflow ends and does nothing more.
func TestCancelEndsTheWorkflow(t *testing.T) {
	for _, name := range []string{"waiting for changes", "stopped", "halted", "in trouble"} {
		w := newWorld(t)
		switch name {
		case "stopped":
			w.signal(time.Second, workflows.SignalStop)
		case "halted":
			for i := range 30 {
				w.change(object.ActionDelete, fmt.Sprintf("/roles/r%02d", i))
			}
		case "in trouble":
			w.change(object.ActionCreate, "/roles/r")
			w.applyOp = func(activities.ApplyInput) error { return denied() }
		}
		w.at(time.Minute, w.env.CancelWorkflow)
		w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
		if err := w.env.GetWorkflowError(); !w.env.IsWorkflowCompleted() || !temporal.IsCanceledError(err) {
			t.Errorf("%s: ended with %v; want cancelled", name, err)
		}
	}
}
