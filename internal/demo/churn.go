package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/chef-sync/chef-sync/internal/demo/sample"
	"github.com/chef-sync/chef-sync/workflows"
)

// next says what to try while the demo runs.
func (d *demo) next() {
	d.say.step("What to try next")
	d.say.line("Watch the workflow:   %s/namespaces/%s/workflows", d.daemon.UIURL(), d.cfg.Temporal.Namespace)
	d.say.line("Ask the CLI:          go run ./starter --config %s sync-status", d.cfg.File)
	d.say.line("Stop and start it:    go run ./starter --config %s sync-stop %s", d.cfg.File, Organization)
	d.say.line("                      go run ./starter --config %s sync-start %s", d.cfg.File, Organization)
	d.say.line("With Temporal's CLI:  temporal workflow signal --address %s --workflow-id %s --name stop",
		d.daemon.Address(), d.pair.WorkflowID())
	d.say.line("End the demo:         Ctrl-C")
}

// churn changes the primary slowly, and says when the replica has each change,
// until ctx ends.
func (d *demo) churn(ctx context.Context) error {
	d.say.step("Changing the primary every %s", d.ChangeEvery)
	c := sample.NewChurn(d.engine.Primary, uint64(time.Now().UnixNano()))
	for {
		did, err := c.Step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("change the primary: %w", err)
		}
		d.say.line("%s  %s", time.Now().Format(time.TimeOnly), did)
		if err := pause(ctx, d.ChangeEvery); err != nil {
			return nil
		}
		if err := d.report(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// report says in one line how the pair is.
func (d *demo) report(ctx context.Context) error {
	v, err := d.daemon.Client().QueryWorkflow(ctx, d.pair.WorkflowID(), "", workflows.QueryStatus)
	if err != nil {
		d.say.line("          (no status: %v)", err)
		return nil
	}
	var s workflows.Status
	if err := v.Get(&s); err != nil {
		return err
	}
	n := s.Counters
	d.say.line("          %s at %s; %d created, %d updated, %d deleted, %d unsynced",
		s.Mode, s.Cursor, n.Created, n.Updated, n.Deleted, s.Unsynced)
	return nil
}
