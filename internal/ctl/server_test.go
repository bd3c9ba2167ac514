package ctl

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// server is the part of Temporal's gRPC interface that Dial's client calls. It
// knows one workflow, chef-sync/sync/acme.
type server struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	mu       sync.Mutex
	started  *workflowservice.SignalWithStartWorkflowExecutionRequest
	queryErr error
	lists    []string
}

const knownID = "chef-sync/sync/acme"

// known returns Temporal's error for any other workflow.
func known(w *common.WorkflowExecution) error {
	if w.GetWorkflowId() != knownID {
		return serviceerror.ToStatus(serviceerror.NewNotFound("workflow not found for ID: " + w.GetWorkflowId())).Err()
	}
	return nil
}

func (s *server) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (s *server) SignalWithStartWorkflowExecution(
	_ context.Context, in *workflowservice.SignalWithStartWorkflowExecutionRequest,
) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = in
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{RunId: "r"}, nil
}

func (s *server) SignalWorkflowExecution(
	_ context.Context, in *workflowservice.SignalWorkflowExecutionRequest,
) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	return &workflowservice.SignalWorkflowExecutionResponse{}, known(in.GetWorkflowExecution())
}

func (s *server) QueryWorkflow(
	_ context.Context, in *workflowservice.QueryWorkflowRequest,
) (*workflowservice.QueryWorkflowResponse, error) {
	if err := known(in.GetExecution()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queryErr != nil {
		return nil, serviceerror.ToStatus(s.queryErr).Err()
	}
	out, err := converter.GetDefaultDataConverter().ToPayloads(workflows.Status{Mode: workflows.ModeFollowing, Unsynced: 3})
	return &workflowservice.QueryWorkflowResponse{QueryResult: out}, err
}

func (s *server) DescribeWorkflowExecution(
	_ context.Context, in *workflowservice.DescribeWorkflowExecutionRequest,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if err := known(in.GetExecution()); err != nil {
		return nil, err
	}
	beat, err := converter.GetDefaultDataConverter().ToPayloads(activities.Beat{Polls: 7, LastPoll: at(5), Fails: 2, Problem: "503"},
		[]activities.Slow{{Side: "primary", Reasons: []string{"503"}, Parallel: 2, Most: 4}})
	if err != nil {
		return nil, err
	}
	refs, err := converter.GetDefaultDataConverter().ToPayloads([]string{"/roles/r"}, []activities.Slow{
		{Side: "primary", Reasons: []string{"earlier"}}, {Side: "replica", Reasons: []string{"slow answers"}},
	})
	return &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
			Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, StartTime: timestamppb.New(at(0)),
		},
		PendingWorkflowTask: &workflow.PendingWorkflowTaskInfo{Attempt: 3},
		PendingActivities: []*workflow.PendingActivityInfo{
			{
				ActivityType: &common.ActivityType{Name: activities.NamePoll}, HeartbeatDetails: beat,
				NextAttemptScheduleTime: timestamppb.New(at(9)),
				LastFailure: &failurepb.Failure{
					Message: "503; next try in 4s",
					FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
						ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: activities.TypeWaiting},
					},
				},
			},
			{
				ActivityType: &common.ActivityType{Name: activities.NameFetch},
				LastFailure:  &failurepb.Failure{Message: "connection refused"},
			},
			{ActivityType: &common.ActivityType{Name: activities.NameApply}, HeartbeatDetails: refs},
		},
	}, err
}

// GetWorkflowExecutionHistoryReverse has the failure of a workflow task.
func (s *server) GetWorkflowExecutionHistoryReverse(
	context.Context, *workflowservice.GetWorkflowExecutionHistoryReverseRequest,
) (*workflowservice.GetWorkflowExecutionHistoryReverseResponse, error) {
	return &workflowservice.GetWorkflowExecutionHistoryReverseResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{
		{EventType: enums.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED},
		{
			EventType: enums.EVENT_TYPE_WORKFLOW_TASK_FAILED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
				WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
					Failure: &failurepb.Failure{Message: "written by a newer chef-sync\nand a stack"},
				},
			},
		},
	}}}, nil
}

// ListWorkflowExecutions has one workflow on each of two pages.
func (s *server) ListWorkflowExecutions(
	_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists = append(s.lists, in.GetQuery())
	out := &workflowservice.ListWorkflowExecutionsResponse{}
	id := "chef-sync/sync/b"
	if len(in.GetNextPageToken()) == 0 {
		id, out.NextPageToken = "chef-sync/sync/a", []byte("more")
	}
	out.Executions = []*workflow.WorkflowExecutionInfo{{Execution: &common.WorkflowExecution{WorkflowId: id}}}
	return out, nil
}

func (s *server) DescribeTaskQueue(
	_ context.Context, in *workflowservice.DescribeTaskQueueRequest,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	out := &workflowservice.DescribeTaskQueueResponse{}
	if in.GetTaskQueue().GetName() == "chef-sync/sync" {
		out.Pollers = []*taskqueue.PollerInfo{{LastAccessTime: timestamppb.New(at(4))}, {LastAccessTime: timestamppb.New(at(2))}}
	}
	return out, nil
}

func (s *server) ListSearchAttributes(
	context.Context, *operatorservice.ListSearchAttributesRequest,
) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: workflows.SearchAttributes()}, nil
}

// at is a number of seconds after some noon.
func at(seconds int) time.Time { return time.Date(2026, 11, 23, 12, 0, seconds, 0, time.UTC) }

// serve starts a server and returns it with a connection to it.
func serve(t *testing.T) (*server, Temporal) {
	t.Helper()
	s := &server{}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(g, s)
	operatorservice.RegisterOperatorServiceServer(g, s)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	c, err := Dial(t.Context(), targetAt(l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func targetAt(address string) Target {
	t := Target{Address: address, Namespace: "default", From: "from the test"}
	t.Options.HostPort, t.Options.Namespace = t.Address, t.Namespace
	return t
}

func TestStartOverGRPC(t *testing.T) {
	t.Parallel()
	s, c := serve(t)
	p := object.Pair{Replica: "sync", Source: "uk", Destination: "eu"}
	err := c.SignalWithStart(t.Context(), Start{Pair: p, Signal: workflows.SignalStart, Options: workflows.Options{SearchAttributes: true}})
	if err != nil {
		t.Fatal(err)
	}
	in := s.started
	var got workflows.SyncInput
	var summary string
	data := converter.GetDefaultDataConverter()
	if err := errors.Join(data.FromPayloads(in.GetInput(), &got), data.FromPayload(in.GetUserMetadata().GetSummary(), &summary)); err != nil {
		t.Fatal(err)
	}
	want := workflows.SyncInput{Pair: p, Options: workflows.Options{SearchAttributes: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("input: %s", diff)
	}
	if diff := cmp.Diff([]string{
		"chef-sync/sync/eu", "SyncWorkflow", "chef-sync/sync", "start", workflows.StaticSummary(p),
	}, []string{
		in.GetWorkflowId(), in.GetWorkflowType().GetName(), in.GetTaskQueue().GetName(), in.GetSignalName(), summary,
	}); diff != "" {
		t.Errorf("start: %s", diff)
	}
	for name, payload := range in.GetSearchAttributes().GetIndexedFields() {
		if workflows.SearchAttributes()[name] != enums.INDEXED_VALUE_TYPE_KEYWORD {
			t.Errorf("search attribute %s = %s is none of workflows.SearchAttributes, or of another type", name, payload.GetData())
		}
	}
	if got := len(in.GetSearchAttributes().GetIndexedFields()); got != 2 {
		t.Errorf("%d search attributes at start, want 2", got)
	}
	// Without them in the namespace, a start that sets one would be refused.
	if err := c.SignalWithStart(t.Context(), Start{Pair: p, Signal: workflows.SignalStart}); err != nil {
		t.Fatal(err)
	}
	if got := s.started.GetSearchAttributes().GetIndexedFields(); len(got) > 0 {
		t.Errorf("search attributes %v, want none", got)
	}
}

func TestDescribeOverGRPC(t *testing.T) {
	t.Parallel()
	_, c := serve(t)
	got, err := c.Describe(t.Context(), knownID)
	if err != nil {
		t.Fatal(err)
	}
	want := Execution{
		Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, Started: at(0), TaskAttempt: 3, TaskFailure: "written by a newer chef-sync",
		Poll: &PendingPoll{
			Beat: activities.Beat{Polls: 7, LastPoll: at(5), Fails: 2, Problem: "503"},
			Next: at(9), Ended: activities.TypeWaiting, Message: "503; next try in 4s",
		},
		Copying: []string{"Apply", "Fetch"}, Problem: "Fetch: connection refused",
		Slowed: []activities.Slow{
			{Side: "primary", Reasons: []string{"503"}, Parallel: 2, Most: 4}, {Side: "replica", Reasons: []string{"slow answers"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Describe(t.Context(), "chef-sync/sync/other"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("describe of an unknown workflow: %v, want ErrNotRunning", err)
	}
}

func TestSignalAndQueryOverGRPC(t *testing.T) {
	t.Parallel()
	s, c := serve(t)
	if err := c.Signal(t.Context(), knownID, workflows.SignalStop, workflows.Signal{}); err != nil {
		t.Error(err)
	}
	if err := c.Signal(t.Context(), "chef-sync/sync/other", workflows.SignalStop, workflows.Signal{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("signal to an unknown workflow: %v, want ErrNotRunning", err)
	}
	var status workflows.Status
	if err := c.Query(t.Context(), knownID, workflows.QueryStatus, &status); err != nil || status.Unsynced != 3 {
		t.Errorf("query: %+v, %v", status, err)
	}
	for _, e := range []error{
		serviceerror.NewFailedPrecondition("no poller seen for task queue recently"),
		serviceerror.NewDeadlineExceeded("context deadline exceeded"),
		serviceerror.NewWorkflowNotReady("no workflow task completed yet"),
		&serviceerror.QueryFailed{Message: "unknown queryType"},
	} {
		s.mu.Lock()
		s.queryErr = e
		s.mu.Unlock()
		if err := c.Query(t.Context(), knownID, workflows.QueryStatus, &status); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("query answered with %T: %v, want ErrNoAnswer", e, err)
		}
	}
	if err := c.Query(t.Context(), "chef-sync/sync/other", workflows.QueryStatus, &status); !errors.Is(err, ErrNotRunning) {
		t.Errorf("query of an unknown workflow: %v, want ErrNotRunning", err)
	}
}

func TestNamespaceOverGRPC(t *testing.T) {
	t.Parallel()
	s, c := serve(t)
	ids, err := c.Running(t.Context(), "o'hara")
	if diff := cmp.Diff([]string{"chef-sync/sync/a", "chef-sync/sync/b"}, ids); diff != "" || err != nil {
		t.Errorf("running: %v %s", err, diff)
	}
	if want := "WorkflowType = 'SyncWorkflow' AND TaskQueue = 'chef-sync/o''hara' AND ExecutionStatus = 'Running'"; s.lists[0] != want {
		t.Errorf("listed with %s, want %s", s.lists[0], want)
	}
	last, err := c.LastPoller(t.Context(), "chef-sync/sync")
	if err != nil || !last.Equal(at(4)) {
		t.Errorf("last poller: %v, %v", last, err)
	}
	last, err = c.LastPoller(t.Context(), "chef-sync/idle")
	if err != nil || !last.IsZero() {
		t.Errorf("last poller of a queue that nobody polls: %v, %v", last, err)
	}
	have, err := c.SearchAttributes(t.Context())
	if diff := cmp.Diff(workflows.SearchAttributes(), have); diff != "" || err != nil {
		t.Errorf("search attributes: %v %s", err, diff)
	}
}

// TestMainUnreachable runs the real thing against a port that nobody listens on.
// It is not parallel because the command line library keeps --help in a variable.
func TestMainUnreachable(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	code := Main(t.Context(), []string{program, "sync-status", "--address", address, "--replica", "sync"},
		strings.NewReader(""), &out, &errs)
	if code != ExitUnreachable || out.Len() > 0 || !strings.Contains(errs.String(), "Temporal at "+address) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
}
