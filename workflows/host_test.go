package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// TestPagesAreAskedForWhereTheirListIs: a full comparison's list stands in one
// host's staging. Following a feed that needs none is anybody's.
func TestPagesAreAskedForWhereTheirListIs(t *testing.T) {
	w := newWorld(t)
	w.pageLimit = 1
	for _, p := range []string{"/roles/a", "/roles/b", "/roles/c"} {
		ref := object.MustRef(p)
		w.survey, w.holds[ref] = append(w.survey, object.Change{Action: object.ActionCreate, Ref: ref}), true
	}
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if in.Survey == nil && !in.Cursor.IsZero() {
			return nil, nil
		}
		out := w.surveyPage(in)
		out.Queue = "here"
		return &out, nil
	}
	if got := w.run(workflows.State{}, time.Minute); got.Mode != workflows.ModeFollowing || len(w.replica) != 3 {
		t.Fatalf("mode %s, %d of 3 objects", got.Mode, len(w.replica))
	}
	anywhere := w.queues[0]
	if diff := cmp.Diff([]string{anywhere, "here", "here", anywhere}, w.queues[:4]); diff != "" || anywhere == "here" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
}

// TestListingPairStaysWithItsHost, and goes to another when that one is away.
func TestListingPairStaysWithItsHost(t *testing.T) {
	w := newWorld(t)
	listing := func(id string) object.Cursor { return object.Cursor{Feed: "listing", Position: id} }
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		switch len(w.polls) {
		case 1:
			return &activities.PollResult{Cursor: listing("1"), Queue: "here"}, nil
		case 2, 4:
			return &activities.PollResult{Cursor: listing("2"), Queue: "there"}, nil
		case 3:
			return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
		default:
			return nil, temporal.NewApplicationErrorWithOptions("up to date", activities.TypeUpToDate,
				temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
		}
	}
	got := w.run(workflows.State{Cursor: listing("0")}, time.Minute)
	anywhere := w.queues[0]
	if diff := cmp.Diff([]string{anywhere, "here", "there", anywhere, "there"}, w.queues); diff != "" || anywhere == "here" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	if got.Mode != workflows.ModeFollowing || got.Cursor != listing("2") {
		t.Errorf("a host that is away is no trouble of the pair: %s, %s, %s", got.Mode, got.Reason, got.Cursor)
	}
}

// TestAHostIsWaitedForOnce: the host that is away with a staged batch is not asked for
// the next page, too.
func TestAHostIsWaitedForOnce(t *testing.T) {
	w := newWorld(t)
	w.stagedOn = "here"
	ref := object.MustRef("/roles/r")
	w.holds[ref] = true
	w.onPoll = func(activities.PollInput) (*activities.PollResult, error) {
		if len(w.polls) == 1 {
			return &activities.PollResult{
				Cursor: object.Cursor{Feed: "listing", Position: "1"}, Queue: "here",
				Changes: []object.Change{{Action: object.ActionCreate, Ref: ref}},
			}, nil
		}
		return nil, temporal.NewApplicationErrorWithOptions("up to date", activities.TypeUpToDate,
			temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
	}
	w.applyOp = func(activities.ApplyInput) error {
		if w.stagedOn == "here" {
			w.stagedOn = "there"
			return temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
		}
		return nil
	}
	w.run(workflows.State{Cursor: object.Cursor{Feed: "listing", Position: "0"}}, time.Minute)
	if len(w.replica) != 1 || len(w.queues) < 2 || w.queues[1] != w.queues[0] {
		t.Errorf("replica %v, polls on %v; want the object, and the second poll anywhere", w.replica, w.queues)
	}
}

// TestNewerStateIsLeftAlone: a worker that was downgraded must not go on with what it
// does not understand.
func TestNewerStateIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.signal(time.Minute, workflows.SignalRemove) // ends one that goes on
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: workflows.State{Format: workflows.StateFormat + 1, Cursor: cursor(1)}})
	err := w.env.GetWorkflowError()
	var failed *temporal.PanicError // fails the workflow task, not the workflow
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), workflows.NewerState) {
		t.Errorf("error %v; want a panic that says %q", err, workflows.NewerState)
	}
	if len(w.polls) > 0 {
		t.Errorf("it was polled: %+v", w.polls)
	}
}
