package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

const (
	// listTime and lookTime bound what Temporal, and the worker that answers a query,
	// may take.
	listTime = 10 * time.Second
	lookTime = 3 * time.Second
)

// temporalClient is what a Watcher needs of Temporal.
type temporalClient interface {
	// open lists the workflows of a type that are open on the replica's task queue:
	// their IDs, and a text that changes when their search attributes do. It may be
	// some seconds late.
	open(ctx context.Context, workflowType string) (map[string]string, error)

	// look looks at a pair.
	look(ctx context.Context, p object.Pair) (look, error)

	// news tells the pair's incident of an event, and opens one if none is open.
	news(ctx context.Context, p object.Pair, e activities.Event) error

	// over tells the pair's incident that the pair has recovered; none is fine.
	over(ctx context.Context, p object.Pair, e activities.Event) error
}

// sdk is a temporalClient over the SDK's.
type sdk struct {
	client    client.Client
	namespace string
	replica   string
}

func (s sdk) open(ctx context.Context, workflowType string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	in := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.namespace, PageSize: 1000,
		Query: fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Running'",
			workflowType, strings.ReplaceAll(workflows.TaskQueue(s.replica), "'", "''")),
	}
	out := map[string]string{}
	for {
		page, err := s.client.ListWorkflow(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list the open workflows of %s: %w", s.replica, err)
		}
		for _, w := range page.GetExecutions() {
			fields := w.GetSearchAttributes().GetIndexedFields()
			text := w.GetExecution().GetRunId()
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				text += " " + name + "=" + string(fields[name].GetData())
			}
			out[w.GetExecution().GetWorkflowId()] = text
		}
		if in.NextPageToken = page.GetNextPageToken(); len(in.NextPageToken) == 0 {
			return out, nil
		}
	}
}

func (s sdk) look(ctx context.Context, p object.Pair) (look, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	d, err := s.client.DescribeWorkflowExecution(ctx, p.WorkflowID(), "")
	l := look{at: time.Now()}
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
		return l, nil
	case err != nil:
		return l, fmt.Errorf("describe %s: %w", p.WorkflowID(), err)
	case d.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return l, nil
	}
	l.running = true
	for _, a := range d.GetPendingActivities() {
		if a.GetActivityType().GetName() == activities.NamePoll {
			l.polling, l.beat = true, beat(a)
		} else {
			l.copying = true
		}
	}
	v, err := s.client.QueryWorkflow(ctx, p.WorkflowID(), "", workflows.QueryStatus)
	if err != nil {
		return l, fmt.Errorf("query %s of %s: %w", workflows.QueryStatus, p.WorkflowID(), err)
	}
	return l, v.Get(&l.status)
}

// beat reads the heartbeat of a Poll. One that cannot be read, of another release or
// encrypted, is as none.
func beat(a *workflow.PendingActivityInfo) activities.Beat {
	var b activities.Beat
	if err := converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &b); err != nil {
		return activities.Beat{}
	}
	return b
}

func (s sdk) news(ctx context.Context, p object.Pair, e activities.Event) error {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	o := workflows.IncidentStartOptions(p)
	_, err := s.client.SignalWithStartWorkflow(ctx, o.ID, workflows.SignalNews, e, o, workflows.IncidentName, workflows.IncidentInput{Pair: p})
	return err
}

func (s sdk) over(ctx context.Context, p object.Pair, e activities.Event) error {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	err := s.client.SignalWorkflow(ctx, workflows.IncidentWorkflowID(p), "", workflows.SignalNews, e)
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return nil
	}
	return err
}
