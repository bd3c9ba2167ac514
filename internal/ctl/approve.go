package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

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
how much it would delete, asks you, and lets it. It covers these deletes only: if
the pair asks about others by then, nothing is approved.

   ` + program + ` approve-deletes acme
   ` + program + ` approve-deletes acme --yes      # without a terminal

If they look wrong, look at the primary first; and '` + program + `
drop-deletes acme' goes on without them.`,
		Flags:  []cli.Flag{yesFlag()},
		Action: a.onPair(approval.decide),
	}
}

func (a *App) dropCommand() *cli.Command {
	return &cli.Command{
		Name:      "drop-deletes",
		Usage:     "let a halted pair go on without deleting what it asks to delete",
		ArgsUsage: "ORG",
		Description: `A pair that would delete more than the delete limit halts and asks. This shows
how much it would delete, asks you, and has it go on without. The objects stay on
the replica and count as extras: what only the replica has. As long as the primary
does not have them they differ in every verification, and with extras 'delete' the
next full comparison asks about them again.

   ` + program + ` drop-deletes acme
   ` + program + ` drop-deletes acme --yes      # without a terminal`,
		Flags:  []cli.Flag{yesFlag()},
		Action: a.onPair(drop.decide),
	}
}

// decision is what an operator says about a halt.
type decision struct {
	signal   string
	question string

	result, message string // when the pair has heard of it
}

var (
	approval = decision{workflows.SignalApproveDeletes, "Delete them on the replica?", "approved", "approved the deletes of "}
	drop     = decision{workflows.SignalDropDeletes, "Go on without deleting them?", "dropped", "dropped the deletes; the objects stay and count as extras of "}
)

// heardWithin is how long a pair may take to act on an answer.
const heardWithin = 10 * time.Second

func (d decision) decide(ctx context.Context, k *call, p object.Pair) error {
	s, err := k.status(ctx, p)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return k.noAnswer(ctx, p)
	case err != nil:
		return err
	case s.Mode != workflows.ModeHalted || s.Halt == nil:
		return fail(ExitNotDone, program+" sync-status "+p.Destination,
			"%s: %s is %s, not halted: there is nothing to decide", k.command, p.Destination, s.Mode)
	}
	fmt.Fprintf(k.print.err, "%s is halted since %s:\n  %s\n", cell(p.String()), stamp(s.Since), cell(s.Reason))
	for _, ref := range s.Halt.Sample {
		fmt.Fprintf(k.print.err, "  %s\n", cell(ref.String()))
	}
	if err := k.confirm(d.question, p); err != nil {
		return err
	}
	if err := k.signal(ctx, p, d.signal, workflows.Signal{Halt: s.Halt.ID}); err != nil {
		return err
	}
	now, err := k.heard(ctx, p, s.Halt.ID)
	if err != nil {
		return err
	}
	return k.print.result(result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: d.result,
		Message: d.message + p.String() + "; it is " + string(now.Mode),
		Next:    program + " sync-status " + p.Destination,
	})
}

// heard waits until a pair is no longer halted over what was decided.
func (k *call) heard(ctx context.Context, p object.Pair, halt string) (*workflows.Status, error) {
	look := program + " sync-status " + p.Destination
	for end := k.app.Now().Add(heardWithin); ; {
		s, err := k.status(ctx, p)
		switch {
		case errors.Is(err, ErrNoAnswer):
			return nil, fail(ExitUnreachable, look, "%s: Temporal has noted it, and ec-syncd does not answer what came of it", k.command)
		case err != nil:
			return nil, err
		case s.Halt == nil:
			return s, nil
		case s.Halt.ID != halt:
			return nil, fail(ExitNotDone, look, "%s: %s now asks about something else: %s", k.command, p.Destination, s.Halt)
		case !k.app.Now().Before(end):
			return nil, fail(ExitNotDone, look, "%s: Temporal has noted it, and %s is still halted after %s", k.command, p.Destination, heardWithin)
		}
		if err := k.app.Sleep(ctx, stopPoll); err != nil {
			return nil, err
		}
	}
}
