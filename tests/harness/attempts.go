package harness

import (
	"math"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Endless are options for the SDK's test environment, which gives up after ten
// attempts where a real server goes on for ever, and waiting for changes consists of
// attempts: it is asked for as many as there can be.
var Endless = worker.Options{Interceptors: []interceptor.WorkerInterceptor{&endlessWorker{}}}

// Patient gives a test environment options and the patience that a busy machine needs.
// By itself it fails a workflow that stood still for a second, and a test in which
// nothing happened for three.
func Patient(env *testsuite.TestWorkflowEnvironment, o worker.Options) {
	o.DeadlockDetectionTimeout = 2 * time.Minute
	env.SetWorkerOptions(o)
	env.SetTestTimeout(2 * time.Minute)
}

type endlessWorker struct {
	interceptor.WorkerInterceptorBase
}

func (*endlessWorker) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &endlessInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type endlessInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *endlessInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&endlessOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type endlessOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *endlessOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	opts := workflow.GetActivityOptions(ctx)
	if opts.RetryPolicy != nil && opts.RetryPolicy.MaximumAttempts == 0 {
		policy := temporal.RetryPolicy(*opts.RetryPolicy)
		policy.MaximumAttempts = math.MaxInt32
		opts.RetryPolicy = &policy
		ctx = workflow.WithActivityOptions(ctx, opts)
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}
