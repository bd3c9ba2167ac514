package ctl

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) removeCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "end a pair and forget its place",
		ArgsUsage: "ORG",
		Description: `The pair's workflow ends, and with it the cursor, the counters and the list of
unsynced objects. The organizations on both servers keep all that they have. Take
the pair out of the configuration as well; sync-start would begin it anew.

   ` + program + ` remove acme
   ` + program + ` remove acme --yes      # without a terminal`,
		Flags: []cli.Flag{
			yesFlag(),
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` for the workflow's history"},
		},
		Action: a.onPair(removePair),
	}
}

func removePair(ctx context.Context, k *call, p object.Pair) error {
	e, err := k.temporal.Describe(ctx, p.WorkflowID())
	if err != nil || !e.Running() {
		if err == nil {
			err = ErrNotRunning
		}
		return k.ended(p, err)
	}
	fmt.Fprintf(k.print.err, "%s on replica %s would not be kept in step any more, and its cursor forgotten.\n"+
		"Nothing is deleted on either server.\n", cell(p.String()), cell(p.Replica))
	if err := k.confirm("Remove the pair?", p); err != nil {
		return err
	}
	s := workflows.Signal{Reason: k.flags.String("reason")}
	if err := k.signal(ctx, p, workflows.SignalRemove, s); err != nil {
		return err
	}
	r := result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: "removed",
		Message: "removed " + p.String() + "; the replica keeps its objects",
	}
	if k.set.file != "" && k.configured(p) {
		r.Next = "take " + p.Destination + " out of organizations in " + k.set.file
	}
	return k.print.result(r)
}

// ended explains that a workflow could not be described as running.
func (k *call) ended(p object.Pair, err error) error {
	if isNotRunning(err) {
		return k.notRunning(p)
	}
	return k.failed("look at "+p.WorkflowID(), err)
}
