package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) approveCommand() *cli.Command {
	return &cli.Command{
		Name:      "approve-deletes",
		Usage:     "let a halted pair delete what it asks to delete",
		ArgsUsage: "ORG",
		Description: `A pair that would delete more than the delete limit halts and asks. This shows
how much it would delete, asks you, and lets it. It covers these deletes only.

   ` + program + ` approve-deletes acme
   ` + program + ` approve-deletes acme --yes      # without a terminal

If they look wrong, look at the primary first; and '` + program + `
forget-cursor acme' compares everything anew without deleting anything yet.`,
		Flags:  []cli.Flag{yesFlag()},
		Action: a.onPair(approveDeletes),
	}
}

func approveDeletes(ctx context.Context, k *call, p object.Pair) error {
	s, err := k.status(ctx, p)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return k.noAnswer(ctx, p)
	case err != nil:
		return err
	case s.Mode != workflows.ModeHalted:
		return fail(ExitNotDone, program+" sync-status "+p.Destination,
			"%s: %s is %s, not halted: there is nothing to approve", k.command, p.Destination, s.Mode)
	}
	fmt.Fprintf(k.print.err, "%s is halted since %s:\n  %s\n", cell(p.String()), stamp(s.Since), cell(s.Reason))
	if s.Halt != nil {
		for _, ref := range s.Halt.Sample {
			fmt.Fprintf(k.print.err, "  %s\n", cell(ref.String()))
		}
	}
	if err := k.confirm("Delete them on the replica?", p); err != nil {
		return err
	}
	if err := k.signal(ctx, p, workflows.SignalApproveDeletes, workflows.Signal{}); err != nil {
		return err
	}
	return k.print.result(result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: "approved",
		Message: "approved the deletes of " + p.String(),
		Next:    program + " sync-status " + p.Destination,
	})
}
