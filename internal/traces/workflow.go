package traces

import (
	"context"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
)

// workerInterceptor gives activities their place, and makes spans of them.
type workerInterceptor struct {
	interceptor.WorkerInterceptorBase
	traces *Traces
}

// InterceptWorkflow implements [interceptor.WorkerInterceptor].
func (*workerInterceptor) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	in := &workflowInbound{}
	in.Next = next
	return in
}

// InterceptActivity implements [interceptor.WorkerInterceptor].
func (w *workerInterceptor) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	in := &activityInbound{traces: w.traces}
	in.Next = next
	return in
}

// workflowInbound puts a workflowOutbound before what a workflow asks for.
type workflowInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

// Init implements [interceptor.WorkflowInboundInterceptor].
func (w *workflowInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &workflowOutbound{}
	out.Next = next
	return w.Next.Init(out)
}

// workflowOutbound knows which activities of one run of a workflow belong together.
// It is run again with each replay, and has to come to the same end: it looks at
// nothing but what the workflow asks for and has been answered.
type workflowOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	place place
	poll  workflow.Future // the last one; nil if what came after belongs to no Poll
}

// ExecuteActivity implements [interceptor.WorkflowOutboundInterceptor]. A Poll begins a
// trace. So does what follows a Poll that was not answered, and leaves no span.
func (w *workflowOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	first := w.place.N == 0
	abandoned := w.poll != nil && !answered(ctx, w.poll)
	p := w.place
	if first || name == activities.NamePoll || abandoned {
		w.place = place{Run: workflow.GetInfo(ctx).WorkflowExecution.RunID, N: w.place.N + 1}
		w.poll = nil
		p = w.place
		p.Begins = true
	}
	p.put(interceptor.WorkflowHeader(ctx))
	f := w.Next.ExecuteActivity(ctx, name, args...)
	if name == activities.NamePoll {
		w.poll = f
	}
	return f
}

// answered reports whether an activity has ended well.
func answered(ctx workflow.Context, f workflow.Future) bool {
	return f.IsReady() && f.Get(ctx, nil) == nil
}
