package ctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/workflows"
)

const (
	// dialTimeout is how long Temporal may take to greet.
	dialTimeout = 5 * time.Second

	// callTimeout bounds one call, with the retries that the SDK makes.
	callTimeout = 10 * time.Second

	// queryTimeout is short: a worker that runs answers in milliseconds, and
	// without one Temporal would make the operator wait for nothing.
	queryTimeout = 3 * time.Second
)

// Dial connects to Temporal. It returns an error if it does not answer within
// seconds.
func Dial(ctx context.Context, t Target) (Temporal, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	o := t.Options
	o.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, err
	}
	return &sdk{client: c, namespace: t.Namespace}, nil
}

// sdk is Temporal over the SDK's client.
type sdk struct {
	client    client.Client
	namespace string
}

func (s *sdk) Close() { s.client.Close() }

func (s *sdk) SignalWithStart(ctx context.Context, in Start) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	o := workflows.StartOptions(in.Pair, in.Options.SearchAttributes)
	_, err := s.client.SignalWithStartWorkflow(ctx, o.ID, in.Signal, workflows.Signal{At: in.At}, o,
		workflows.Name, workflows.SyncInput{Pair: in.Pair, Options: in.Options})
	return err
}

func (s *sdk) Signal(ctx context.Context, workflowID, name string, in workflows.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return notRunning(s.client.SignalWorkflow(ctx, workflowID, "", name, in))
}

func (s *sdk) Describe(ctx context.Context, workflowID string) (Execution, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.client.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return Execution{}, notRunning(err)
	}
	e := execution(got)
	if e.TaskAttempt > 1 {
		e.TaskFailure = s.taskFailure(ctx, got.GetWorkflowExecutionInfo().GetExecution())
	}
	return e, nil
}

// taskFailure is what a worker last failed to run a workflow's code with, as the end
// of the history has it: Temporal records the first of several failures. "" if that
// cannot be read; everything else can be told without it.
func (s *sdk) taskFailure(ctx context.Context, of *common.WorkflowExecution) string {
	got, err := s.client.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
		Namespace: s.namespace, Execution: of, MaximumPageSize: 10,
	})
	if err != nil {
		return ""
	}
	for _, e := range got.GetHistory().GetEvents() {
		if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_FAILED {
			text, _, _ := strings.Cut(e.GetWorkflowTaskFailedEventAttributes().GetFailure().GetMessage(), "\n")
			return text
		}
	}
	return ""
}

func (s *sdk) Query(ctx context.Context, workflowID, query string, into any) error {
	qctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	got, err := s.client.QueryWorkflow(qctx, workflowID, "", query)
	switch {
	case err == nil:
		return got.Get(into)
	case ctx.Err() != nil:
		return ctx.Err()
	case unanswered(err):
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	default:
		return notRunning(err)
	}
}

// unanswered reports whether a query reached Temporal and no worker.
func unanswered(err error) bool {
	var (
		deadline *serviceerror.DeadlineExceeded
		noPoller *serviceerror.FailedPrecondition
		notReady *serviceerror.WorkflowNotReady
		failed   *serviceerror.QueryFailed
	)
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &deadline) ||
		errors.As(err, &noPoller) || errors.As(err, &notReady) || errors.As(err, &failed)
}

// notRunning makes ErrNotRunning of Temporal's error for it.
func notRunning(err error) error {
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	return err
}

func (s *sdk) StartVerify(ctx context.Context, in workflows.VerifyInput) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.ExecuteWorkflow(ctx, workflows.VerifyStartOptions(in.Pair), workflows.VerifyName, in)
	return err
}

func (s *sdk) Result(ctx context.Context, workflowID string, into any) error {
	rctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.client.GetWorkflow(rctx, workflowID, "").Get(rctx, into)
	var failed *temporal.WorkflowExecutionError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrNoResult, err)
	default:
		return notRunning(err)
	}
}

func (s *sdk) Running(ctx context.Context, replica string) ([]string, error) {
	return s.open(ctx, workflows.Name, replica)
}

func (s *sdk) Verifying(ctx context.Context, replica string) ([]string, error) {
	return s.open(ctx, workflows.VerifyName, replica)
}

// open returns the IDs of the workflows of a type that run. It asks by task queue,
// which every visibility store can, and not by the beginning of the ID, which some
// cannot.
func (s *sdk) open(ctx context.Context, workflowType, replica string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.namespace,
		Query: fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Running'",
			workflowType, strings.ReplaceAll(workflows.TaskQueue(replica), "'", "''")),
	}
	var ids []string
	for {
		page, err := s.client.ListWorkflow(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, w := range page.GetExecutions() {
			ids = append(ids, w.GetExecution().GetWorkflowId())
		}
		if in.NextPageToken = page.GetNextPageToken(); len(in.NextPageToken) == 0 {
			return ids, nil
		}
	}
}

func (s *sdk) LastPoller(ctx context.Context, queue string) (time.Time, error) {
	pollers, err := s.Pollers(ctx, queue)
	var last time.Time
	for _, p := range pollers {
		if p.Seen.After(last) {
			last = p.Seen
		}
	}
	return last, err
}

func (s *sdk) Pollers(ctx context.Context, queue string) ([]doctor.Poller, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.client.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return nil, err
	}
	var out []doctor.Poller
	for _, p := range got.GetPollers() {
		out = append(out, doctor.Poller{Identity: p.GetIdentity(), Seen: p.GetLastAccessTime().AsTime()})
	}
	return out, nil
}

func (s *sdk) SearchAttributes(ctx context.Context) (map[string]enums.IndexedValueType, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.client.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: s.namespace})
	return got.GetCustomAttributes(), err
}
