package workflows_test

import (
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func TestStopKeepsTheCursorAndStartResumes(t *testing.T) {
	w := newWorld(t)
	w.signal(time.Second, workflows.SignalStop)
	w.at(2*time.Second, func() { w.change(object.ActionCreate, "/roles/r") })
	w.at(time.Hour, func() {
		if s := w.status(); s.Mode != workflows.ModeStopped || s.Cursor != cursor(0) || len(w.replica) != 0 {
			t.Errorf("status %+v, replica %v; want stopped at 0, nothing written", s, w.replica)
		}
		w.env.SignalWorkflow(workflows.SignalStart, nil)
	})
	got := w.run(following(0), 2*time.Hour)
	if got.Mode != workflows.ModeFollowing || got.Cursor != cursor(1) || len(w.replica) != 1 {
		t.Errorf("status %+v; want following at 1", got)
	}
}

// Why a pair stands still is not forgotten when somebody stops it again, and is when
// it goes on.
func TestAStopWithoutReasonKeepsTheEarlierOne(t *testing.T) {
	w := newWorld(t)
	w.at(time.Second, func() {
		w.env.SignalWorkflow(workflows.SignalStop, workflows.Signal{Reason: "maintenance"})
	})
	w.signal(time.Minute, workflows.SignalStop)
	w.at(2*time.Minute, func() {
		if s := w.status(); s.Reason != "maintenance" {
			t.Errorf("the reason is %q after a second stop", s.Reason)
		}
	})
	w.signal(3*time.Minute, workflows.SignalStart)
	w.signal(4*time.Minute, workflows.SignalStop)
	if s := w.run(following(0), time.Hour); s.Mode != workflows.ModeStopped || s.Reason == "maintenance" {
		t.Errorf("status %+v; want stopped, for no reason", s)
	}
}

// A stop in the middle of a page writes nothing more, and the page is taken
// again after the start.
func TestStopInTheMiddleOfAPage(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/cookbooks/a/1.0.0", "/roles/r")
	w.applyOp = func(activities.ApplyInput) error {
		if len(w.replica) == 0 {
			w.env.SignalWorkflow(workflows.SignalStop, workflows.Signal{Reason: "maintenance"})
		}
		return nil
	}
	w.at(time.Hour, func() {
		s := w.status()
		if s.Mode != workflows.ModeStopped || s.Reason != "maintenance" || s.Cursor != cursor(0) || w.replica[object.MustRef("/roles/r")] {
			t.Errorf("status %+v, replica %v; want stopped at 0 with the cookbook only", s, w.replica)
		}
		w.env.SignalWorkflow(workflows.SignalStart, nil)
	})
	if got := w.run(following(0), 2*time.Hour); got.Cursor != cursor(2) || len(w.replica) != 2 {
		t.Errorf("status %+v, replica %v; want both at 2", got, w.replica)
	}
}

func TestForgetCursorComparesEverything(t *testing.T) {
	w := newWorld(t)
	w.signal(time.Minute, workflows.SignalForgetCursor)
	if got := w.run(following(0), time.Hour); got.Counters.Surveys != 1 || got.Mode != workflows.ModeFollowing {
		t.Errorf("status %+v; want one full comparison", got)
	}
}

func TestSyncNowPollsDeepAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signal(3*time.Second, workflows.SignalSyncNow)
	w.run(following(0), 5*time.Second)
	if n := len(w.polls); n < 2 || !w.polls[1].Deep {
		t.Errorf("polls %+v; want a second, deep one before the first is due again", w.polls)
	}
}

func TestSignalsNeedNoInputAndSurviveAny(t *testing.T) {
	for _, input := range []any{nil, "just words", 42, []string{"x"}, map[string]any{"reason": 7}, workflows.Signal{Reason: "why"}} {
		w := newWorld(t)
		w.at(time.Second, func() { w.env.SignalWorkflow(workflows.SignalStop, input) })
		if got := w.run(following(0), time.Minute); got.Mode != workflows.ModeStopped {
			t.Errorf("stop with %v left the pair %s", input, got.Mode)
		}
	}
}

// Signals that no worker has taken yet arrive together.
func TestTheLaterOfStopAndStartCounts(t *testing.T) {
	early, late := workflows.Signal{At: time.Unix(1, 0)}, workflows.Signal{At: time.Unix(2, 0)}
	for _, c := range []struct {
		name        string
		start, stop any
		want        workflows.Mode
	}{
		{"start, then stop", early, late, workflows.ModeStopped},
		{"stop, then start", late, early, workflows.ModeFollowing},
		{"nobody knows", nil, nil, workflows.ModeStopped},
	} {
		w := newWorld(t)
		w.at(time.Second, func() {
			w.env.SignalWorkflow(workflows.SignalStart, c.start)
			w.env.SignalWorkflow(workflows.SignalStop, c.stop)
		})
		if got := w.run(following(0), time.Minute); got.Mode != c.want {
			t.Errorf("%s: %s; want %s", c.name, got.Mode, c.want)
		}
	}
}

// A signal that arrives in the very task that continues as new has been put into
// its channel and not been heard yet.
func TestSignalsOfTheLastTaskAreCarriedOn(t *testing.T) {
	w := newWorld(t)
	w.env.SetContinueAsNewSuggested(true)
	w.at(0, func() { w.env.SignalWorkflow(workflows.SignalStop, workflows.Signal{Reason: "maintenance"}) })
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
	var can *workflow.ContinueAsNewError
	if err := w.env.GetWorkflowError(); !errors.As(err, &can) {
		t.Fatalf("ended with %v; want continue-as-new", err)
	}
	var next workflows.SyncInput
	if err := converter.GetDefaultDataConverter().FromPayloads(can.Input, &next); err != nil {
		t.Fatal(err)
	}
	if !next.State.Stopped || next.State.StopReason != "maintenance" {
		t.Errorf("carried %+v; want the stop", next.State)
	}
}
