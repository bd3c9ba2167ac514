package ctl

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) syncNowCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync-now",
		Usage:     "look for changes at once, and try unsynced objects again",
		ArgsUsage: "ORG",
		Description: `The pair polls now rather than at its next time, looks at contents too where the
feed does that only at times, and tries every unsynced object again. It returns
when the pair has been told. In a window of maintenance the pair goes on resting:
take the window out of chef-sync.rb and restart ec-syncd first.

   ` + program + ` sync-now acme && ` + program + ` sync-status acme --watch`,
		Action: a.onPair(syncNow),
	}
}

func syncNow(ctx context.Context, k *call, p object.Pair) error {
	s, err := k.status(ctx, p)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return k.noAnswer(ctx, p)
	case err != nil:
		return err
	case s.Mode == workflows.ModeStopped:
		return fail(ExitNotDone, program+" sync-start "+p.Destination, "%s: %s is stopped", k.command, p.Destination)
	case s.Mode == workflows.ModeHalted:
		return fail(ExitNotDone, program+" approve-deletes "+p.Destination,
			"%s: %s is halted: %s", k.command, p.Destination, s.Reason)
	}
	if err := k.signal(ctx, p, workflows.SignalSyncNow, workflows.Signal{}); err != nil {
		return err
	}
	message := "told " + p.String() + " to look for changes now"
	if e, err := k.temporal.Describe(ctx, p.WorkflowID()); err == nil { // or else sync-status will say so
		if rests := e.Poll.Rests(k.app.Now()); rests != "" {
			message += "; it does so when it no longer rests: " + rests
		}
	}
	return k.print.result(result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: "polling",
		Message: message,
		Next:    program + " sync-status " + p.Destination,
	})
}
