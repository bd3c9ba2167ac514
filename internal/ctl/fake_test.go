package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/chef-sync/chef-sync/internal/doctor"
	reports "github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/workflows"
)

// fake is a Temporal namespace in memory, with a SyncWorkflow that obeys
// signals. Scripts write it as JSON.
type fake struct {
	mu    sync.Mutex
	now   func() time.Time
	calls []string

	Down      string    // the error of connecting; "" if Temporal answers
	Broken    bool      // Temporal stops answering after the greeting
	Until     time.Time // the end of Broken; zero for never
	Denied    bool
	NoSpace   bool           // the namespace does not exist
	Polled    *time.Duration // how long ago a worker last asked for work; nil = never
	Worker    string         // its identity
	Searches  bool           // the namespace has the search attributes
	Lacks     bool           // it has none, and takes some
	Keeps     time.Duration  // its retention
	Workflows map[string]*fakeWorkflow

	// Verify is what a VerifyWorkflow that is started is like, Once a pair.
	Verify, Once fakeWorkflow
}

// fakeWorkflow is a SyncWorkflow, or a VerifyWorkflow.
type fakeWorkflow struct {
	Execution Execution
	Status    workflows.Status
	Unsynced  []workflows.Unsynced

	// Histories are those of its runs, by ID, as the Temporal CLI prints them; Newest
	// is the last run.
	Histories map[string]json.RawMessage
	Newest    string

	Silent bool // no worker answers queries
	Busy   int  // how often Describe still shows an activity after stop

	// Later are statuses that the following ones of status queries turn into, one
	// after the other.
	Later []json.RawMessage

	// NextHalt is what it asks when this halt is decided; Deaf, that it hears of no
	// decision.
	NextHalt *workflows.Halt
	Deaf     bool

	// Runs counts down with each Describe; at zero the workflow ends by itself, if
	// EndsBy is not "", with the status of that name.
	Runs   int
	EndsBy string

	// Poll IDs change with each sync_now.
	Polls int

	// Progress and Report are those of a VerifyWorkflow.
	Progress workflows.VerifyProgress
	Report   *reports.Report
}

func newFake(now func() time.Time, state []byte) (*fake, error) {
	f := &fake{now: now, Workflows: map[string]*fakeWorkflow{}}
	if err := json.Unmarshal(state, f); err != nil {
		return nil, err
	}
	for id, w := range f.Workflows {
		w.Status.Pair.Replica, w.Status.Pair.Destination, _ = strings.Cut(strings.TrimPrefix(id, "chef-sync/"), "/")
		if w.Status.Pair.Source == "" {
			w.Status.Pair.Source = w.Status.Pair.Destination
		}
		if w.Execution.Status == 0 {
			w.Execution.Status = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		}
		w.Status.Unsynced = len(w.Unsynced)
	}
	return f, nil
}

// call notes a call, and returns what is wrong with Temporal as a whole.
func (f *fake) call(format string, args ...any) error {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	switch {
	case f.Broken && (f.Until.IsZero() || f.now().Before(f.Until)):
		return serviceerror.NewUnavailable("connection reset by peer")
	case f.Denied:
		return serviceerror.NewPermissionDenied("Request unauthorized.", "")
	case f.NoSpace:
		return serviceerror.NewNamespaceNotFound("nowhere")
	}
	return nil
}

func (f *fake) running(id string) *fakeWorkflow {
	if w := f.Workflows[id]; w != nil && w.Execution.Running() {
		return w
	}
	return nil
}

func (f *fake) Close() {}

func (f *fake) SignalWithStart(ctx context.Context, s Start) error {
	f.mu.Lock()
	id := s.Pair.WorkflowID()
	if f.running(id) == nil {
		started := fmt.Sprintf("start %s %s search_attributes=%t", id, s.Pair, s.Options.SearchAttributes)
		if s.Options.FromHead {
			started += " from_head=true"
		}
		f.calls = append(f.calls, started)
		w := &fakeWorkflow{Silent: f.Polled == nil, Status: workflows.Status{Pair: s.Pair, Mode: workflows.ModeBootstrapping}}
		if s.Options.Once {
			f.calls = append(f.calls, "once "+id)
			*w = f.Once
			w.Status.Pair = s.Pair
		}
		w.Execution.Status = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		f.Workflows[id] = w
	}
	f.mu.Unlock()
	return f.Signal(ctx, id, s.Signal, workflows.Signal{})
}

func (f *fake) Signal(_ context.Context, id, name string, s workflows.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	about := ""
	if s.Halt != "" {
		about = " halt=" + s.Halt
	}
	if err := f.call("signal %s %s %q%s", id, name, s.Reason, about); err != nil {
		return err
	}
	w := f.running(id)
	if w == nil {
		return ErrNotRunning
	}
	switch name {
	case workflows.SignalStop:
		w.Status.Mode, w.Status.Reason = workflows.ModeStopped, s.Reason
	case workflows.SignalStart:
		if w.Status.Mode == workflows.ModeStopped {
			w.Status.Mode, w.Status.Reason = workflows.ModeFollowing, ""
		}
	case workflows.SignalApproveDeletes, workflows.SignalDropDeletes:
		w.decide(s.Halt)
	case workflows.SignalSyncNow:
		if p := w.Execution.Poll; p != nil {
			w.Polls++
			p.ID = strconv.Itoa(w.Polls)
		}
	case workflows.SignalForgetCursor:
		w.Status.Mode = workflows.ModeBootstrapping
	case workflows.SignalRemove:
		w.Execution.Status = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	return nil
}

// decide is an operator's word about a halt.
func (w *fakeWorkflow) decide(halt string) {
	switch h := w.Status.Halt; {
	case w.Deaf || h == nil || halt != "" && h.ID != halt:
	case w.NextHalt != nil:
		w.Status.Halt, w.NextHalt = w.NextHalt, nil
	default:
		w.Status.Mode, w.Status.Halt = workflows.ModeFollowing, nil
	}
}

// passes lets a workflow end when its time has come.
func (w *fakeWorkflow) passes() {
	if w.EndsBy == "" || !w.Execution.Running() {
		return
	}
	if w.Runs--; w.Runs < 0 {
		w.Execution.Status, _ = enums.WorkflowExecutionStatusFromString(w.EndsBy)
	}
}

func (f *fake) StartVerify(_ context.Context, in workflows.VerifyInput) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := workflows.VerifyWorkflowID(in.Pair)
	if err := f.call("verify %s %s repair=%t", id, in.Pair, in.Repair); err != nil || f.running(id) != nil {
		return err
	}
	w := f.Verify
	w.Execution.Status = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	if w.Report != nil {
		w.Report.Pair = in.Pair
	}
	f.Workflows[id] = &w
	return nil
}

func (f *fake) Result(_ context.Context, id string, into any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("result %s", id); err != nil {
		return err
	}
	w := f.Workflows[id]
	switch {
	case w == nil:
		return ErrNotRunning
	case w.Execution.Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return fmt.Errorf("%w: terminated", ErrNoResult)
	}
	data, err := json.Marshal(w.Report)
	return errors.Join(err, json.Unmarshal(data, into))
}

func (f *fake) Describe(_ context.Context, id string) (Execution, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.Workflows[id]
	if err := f.call("describe %s", id); err != nil {
		return Execution{}, err
	}
	if w == nil {
		return Execution{}, ErrNotRunning
	}
	w.passes()
	if e := w.Execution; w.Busy > 0 {
		w.Busy--
		e.Copying = []string{"Apply"}
		return e, nil
	}
	return w.Execution, nil
}

func (f *fake) Query(_ context.Context, id, query string, into any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("query %s %s", id, query); err != nil {
		return err
	}
	w := f.Workflows[id]
	switch {
	case w == nil:
		return ErrNotRunning
	case w.Silent:
		return fmt.Errorf("%w: context deadline exceeded", ErrNoAnswer)
	}
	var answer any
	switch query {
	case workflows.QueryUnsynced:
		answer = w.Unsynced
	case workflows.QueryProgress:
		answer = w.Progress
	default:
		answer = w.Status
		if len(w.Later) > 0 {
			p := w.Status.Pair
			w.Status = workflows.Status{}
			if err := json.Unmarshal(w.Later[0], &w.Status); err != nil {
				return err
			}
			w.Status.Pair, w.Later = p, w.Later[1:]
		}
	}
	data, err := json.Marshal(answer)
	return errors.Join(err, json.Unmarshal(data, into))
}

func (f *fake) Running(_ context.Context, replica string) ([]string, error) {
	return f.list("list", "chef-sync/"+replica+"/")
}

func (f *fake) Verifying(_ context.Context, replica string) ([]string, error) {
	return f.list("list verifications of", "chef-sync-verify/"+replica+"/")
}

func (f *fake) list(what, prefix string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("%s %s", what, strings.Split(prefix, "/")[1]); err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(f.Workflows)) {
		if strings.HasPrefix(id, prefix) && f.running(id) != nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (f *fake) LastPoller(_ context.Context, queue string) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("pollers %s", queue); err != nil || f.Polled == nil {
		return time.Time{}, err
	}
	return f.now().Add(-*f.Polled), nil
}

func (f *fake) Pollers(ctx context.Context, queue string) ([]doctor.Poller, error) {
	last, err := f.LastPoller(ctx, queue)
	if err != nil || last.IsZero() {
		return nil, err
	}
	return []doctor.Poller{{Identity: f.Worker, Seen: last}}, nil
}

func (f *fake) SearchAttributes(context.Context) (map[string]enums.IndexedValueType, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Lacks {
		return nil, nil
	}
	if !f.Searches {
		return nil, serviceerror.NewPermissionDenied("operator service", "")
	}
	return workflows.SearchAttributes(), nil
}

func (f *fake) Retention(context.Context) (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Keeps, f.call("describe namespace")
}

func (f *fake) SetRetention(_ context.Context, keep time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("retention %s", keep); err != nil {
		return err
	}
	f.Keeps = keep
	return nil
}

func (f *fake) Register(_ context.Context, keep time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.NoSpace = false
	f.Keeps = keep
	return f.call("register %s", keep)
}

func (f *fake) AddSearchAttributes(_ context.Context, add map[string]enums.IndexedValueType) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Lacks, f.Searches = false, true
	return f.call("add %s", strings.Join(slices.Sorted(maps.Keys(add)), " "))
}
