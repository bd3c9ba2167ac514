package ctl

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// stopPoll is how often sync-stop looks.
const stopPoll = 250 * time.Millisecond

func (a *App) stopCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync-stop",
		Usage:     "stop writing to the replica, and keep the place",
		ArgsUsage: "ORG",
		Description: `The batch under way is finished, then nothing more is read or written. The pair
stays in Temporal with its cursor, at no cost, until sync-start. The command
returns when the last write is done.

   ` + program + ` sync-stop acme --reason 'restoring a backup'`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` that sync-status shows to others"},
			&cli.BoolFlag{Name: "no-wait", DisableDefaultText: true, Usage: "return when Temporal has noted the wish"},
			&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "wait for `DURATION` at the most"},
		},
		Action: a.onPair(stopPair),
	}
}

func stopPair(ctx context.Context, k *call, p object.Pair) error {
	s := workflows.Signal{Reason: k.flags.String("reason")}
	if err := k.signal(ctx, p, workflows.SignalStop, s); err != nil {
		return err
	}
	r := result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: "stopped",
		Message: "stopped " + p.String(),
		Next:    program + " sync-start " + p.Destination,
	}
	if k.flags.Bool("no-wait") {
		r.Result, r.Message = "stopping", "told "+p.String()+" to stop"
	} else if err := k.awaitStop(ctx, p, k.flags.Duration("timeout")); err != nil {
		return err
	}
	return k.print.result(r)
}

// awaitStop returns when the pair is stopped and its last activity has ended: a
// status of stopped alone means that it has heard of it.
func (k *call) awaitStop(ctx context.Context, p object.Pair, most time.Duration) error {
	for end := k.app.Now().Add(most); ; {
		s, err := k.status(ctx, p)
		if errors.Is(err, ErrNoAnswer) {
			why, hint := k.worker(ctx).trouble()
			return fail(ExitUnreachable, hint,
				"%s: %s will stop, Temporal has noted it, but it cannot be seen to: %s", k.command, p.Destination, why)
		}
		if err != nil {
			return err
		}
		e, err := k.temporal.Describe(ctx, p.WorkflowID())
		if err != nil {
			return k.failed("look at "+p.WorkflowID(), err)
		}
		if s.Mode == workflows.ModeStopped && len(e.Copying) == 0 {
			return nil
		}
		if !k.app.Now().Before(end) {
			return fail(ExitNotDone, program+" sync-status "+p.Destination+" --watch",
				"%s: %s has been told to stop, and after %s still finishes the batch under way", k.command, p.Destination, most)
		}
		if err := k.app.Sleep(ctx, stopPoll); err != nil {
			return err
		}
	}
}
