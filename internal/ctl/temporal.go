package ctl

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

var (
	// ErrNotRunning says that Temporal knows no such workflow, or, from Signal,
	// that it has ended.
	ErrNotRunning = errors.New("not running")

	// ErrNoAnswer says that Temporal took a query and no worker answered it.
	ErrNoAnswer = errors.New("no worker answers")

	// ErrNoResult says that a workflow was cancelled or terminated, has failed, or
	// still runs.
	ErrNoResult = errors.New("no result")
)

// Temporal is what chef-sync-ctl uses of a Temporal namespace. Methods return
// within seconds; an error that is neither of those named is Temporal's own.
type Temporal interface {
	// SignalWithStart signals the workflow of a pair, having started it if it
	// does not run, in one step.
	SignalWithStart(ctx context.Context, s Start) error

	// Signal returns ErrNotRunning if nobody will read the signal.
	Signal(ctx context.Context, workflowID, name string, s workflows.Signal) error

	// Describe returns the last run of a workflow, also one that has ended, or
	// ErrNotRunning. It needs no worker.
	Describe(ctx context.Context, workflowID string) (Execution, error)

	// Query decodes the answer into the value that into points to. It returns
	// ErrNoAnswer if no worker answers soon, ErrNotRunning if there is no such
	// workflow.
	Query(ctx context.Context, workflowID, query string, into any) error

	// StartVerify starts the VerifyWorkflow of a pair, or does nothing if one with
	// the pair's own ID runs.
	StartVerify(ctx context.Context, in workflows.VerifyInput) error

	// Verifying returns the IDs of the VerifyWorkflows of a replica that run, those
	// of a schedule too.
	Verifying(ctx context.Context, replica string) ([]string, error)

	// Result decodes what the last run of a workflow that has ended returned into
	// the value that into points to. It returns ErrNoResult if that is nothing.
	Result(ctx context.Context, workflowID string, into any) error

	// Running returns the IDs of the SyncWorkflows of a replica that run.
	Running(ctx context.Context, replica string) ([]string, error)

	// LastPoller returns when a worker last asked for workflow tasks of a task
	// queue; zero if none did in the last minutes.
	LastPoller(ctx context.Context, queue string) (time.Time, error)

	// Pollers returns who asked for workflow tasks of a task queue in the last
	// minutes.
	Pollers(ctx context.Context, queue string) ([]doctor.Poller, error)

	// History returns the events of a run of a workflow; "" is the last one. It
	// returns ErrNotRunning if there is no such run.
	History(ctx context.Context, workflowID, runID string) ([]*history.HistoryEvent, error)

	// SearchAttributes returns the custom search attributes of the namespace.
	SearchAttributes(ctx context.Context) (map[string]enums.IndexedValueType, error)

	// Those that only doctor --setup calls are explained at [doctor.Temporal].
	Retention(ctx context.Context) (time.Duration, error)
	SetRetention(ctx context.Context, keep time.Duration) error
	Register(ctx context.Context, keep time.Duration) error
	AddSearchAttributes(ctx context.Context, add map[string]enums.IndexedValueType) error

	Close()
}

// Start is the start of a pair's SyncWorkflow, and the signal that comes with it.
type Start struct {
	Pair    object.Pair
	Options workflows.Options
	Signal  string
	At      time.Time // when the operator said so
}

// Execution is what Temporal itself knows of a workflow.
type Execution struct {
	Status          enums.WorkflowExecutionStatus
	Started, Closed time.Time // Closed is zero while it runs

	// Poll is the Poll that is pending; nil if none is.
	Poll *PendingPoll

	// Copying are the types of the other activities that are pending, and
	// Problem is what the last attempt of one of them failed with.
	Copying []string
	Problem string

	// Slowed is what the heartbeats of all of these say of the servers, once for each
	// side.
	Slowed []activities.Slow

	// TaskAttempt is above 1 while workers fail to run the workflow's code, and
	// TaskFailure is what the first of them failed with.
	TaskAttempt int
	TaskFailure string
}

// Running reports whether the workflow has not ended.
func (e Execution) Running() bool {
	return e.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING || e.Status == enums.WORKFLOW_EXECUTION_STATUS_PAUSED
}

// PendingPoll is a Poll that waits for changes, or polls right now.
type PendingPoll struct {
	// ID tells one Poll from the next.
	ID string

	Beat activities.Beat // zero before the first one

	// Next is the time of the next attempt; zero if it is due or under way.
	Next time.Time

	// Ended is the type of the error that the last attempt ended with:
	// activities.TypeUpToDate, TypeWaiting or TypeMaintenance; "" before the first.
	Ended string

	// Message is that error's text.
	Message string
}

// Rests says until when the pair rests, as "maintenance until 05:00 UTC"; "" if it
// does not.
func (p *PendingPoll) Rests(now time.Time) string {
	if p == nil || p.Ended != activities.TypeMaintenance || !p.Beat.Maintenance.After(now) {
		return ""
	}
	text, _, _ := strings.Cut(p.Message, ";")
	return text
}

// UpToDate reports whether the last poll was answered and found nothing new. One that
// goes on says so with its heartbeat.
func (p *PendingPoll) UpToDate() bool {
	return p != nil && (p.Ended == activities.TypeUpToDate || p.Ended == "" && p.Beat.Polls > 0) && p.Beat.Fails == 0
}
