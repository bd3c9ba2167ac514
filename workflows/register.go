package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Name is the workflow type of [SyncWorkflow]; it never changes.
const Name = "SyncWorkflow"

// Register registers all workflows. They set no search attributes.
func Register(r worker.WorkflowRegistry) {
	RegisterWith(r, func() []string { return nil })
}

// RegisterWith is Register for a worker that knows which of [SearchAttributes] its
// namespace has. Workflows ask for them again and again: one that appears is set
// from the next change of a pair on, and none that has gone is set any more. It must
// be safe to call from several goroutines, and return at once.
func RegisterWith(r worker.WorkflowRegistry, attributes func() []string) {
	sync := func(ctx workflow.Context, in SyncInput) error { return syncWorkflow(ctx, in, attributes) }
	r.RegisterWorkflowWithOptions(sync, workflow.RegisterOptions{Name: Name})
	r.RegisterWorkflowWithOptions(VerifyWorkflow, workflow.RegisterOptions{Name: VerifyName})
	r.RegisterWorkflowWithOptions(IncidentWorkflow, workflow.RegisterOptions{Name: IncidentName})
}
