package traces

import (
	"context"
	"log/slog"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chef"
)

// world runs a workflow with activities that do what a test says.
type world struct {
	t      *testing.T
	traces *Traces
	spans  *tracetest.SpanRecorder
	env    *testsuite.TestWorkflowEnvironment
	do     map[string]func(ctx context.Context, attempt int32) error // by activity; none does nothing
}

func newWorld(t *testing.T) *world {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	w := &world{t: t, spans: tracetest.NewSpanRecorder(), traces: &Traces{log: silent}, do: map[string]func(context.Context, int32) error{}}
	w.traces.start(t.Context(), Options{Replica: "sync"}, w.spans)
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(silent))
	w.env = suite.NewTestWorkflowEnvironment()
	// A busy machine may stand still for longer than the SDK takes for a deadlock, or a hang.
	w.env.SetWorkerOptions(worker.Options{Interceptors: w.traces.Interceptors(), DeadlockDetectionTimeout: 2 * time.Minute})
	w.env.SetTestTimeout(2 * time.Minute)
	register(w.env, w, activities.NamePoll, activities.PollResult{})
	register(w.env, w, activities.NameFetch, activities.FetchResult{})
	register(w.env, w, activities.NameApply, activities.ApplyResult{Created: 2})
	return w
}

func register[R any](env *testsuite.TestWorkflowEnvironment, w *world, name string, result R) {
	env.RegisterActivityWithOptions(func(ctx context.Context) (R, error) {
		if f := w.do[name]; f != nil {
			return result, f(ctx, activity.GetInfo(ctx).Attempt)
		}
		return result, nil
	}, activity.RegisterOptions{Name: name})
}

// asks is a request that an activity makes.
func (w *world) asks(ctx context.Context, server, route string, status int) {
	result := "ok"
	switch {
	case status == 0:
		result = "retry"
	case status > 299:
		result = "object"
	}
	w.traces.Request(ctx, server, result, chef.RequestInfo{Method: "GET", Route: route, Status: status, Duration: time.Millisecond, Attempt: 1})
}

// run runs a workflow to its end and returns the spans, in the order of their ends.
func (w *world) run(f func(workflow.Context) error) []sdktrace.ReadOnlySpan {
	w.t.Helper()
	w.env.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: "W"})
	w.env.ExecuteWorkflow("W")
	if err := w.env.GetWorkflowError(); err != nil {
		w.t.Fatal(err)
	}
	return w.spans.Ended()
}

// call executes activities one after the other.
func call(ctx workflow.Context, names ...string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1},
	})
	for _, name := range names {
		if err := workflow.ExecuteActivity(ctx, name).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}
