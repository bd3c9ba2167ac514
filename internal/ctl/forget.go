package ctl

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) forgetCommand() *cli.Command {
	return &cli.Command{
		Name:      "forget-cursor",
		Usage:     "compare everything anew",
		ArgsUsage: "ORG",
		Description: `The pair forgets its place in the feed and compares both organizations in full,
as at its first start. What is equal is not written again, so this is safe at any
time; it costs the reading. Objects that the primary has deleted and the pair had
not heard of yet stay on the replica and are counted as its own, unless the
configuration says extras 'delete'. A stopped pair begins when it is started.

   ` + program + ` forget-cursor acme --reason 'the replica was restored'`,
		Flags:  []cli.Flag{&cli.StringFlag{Name: "reason", Usage: "`TEXT` that sync-status shows to others"}},
		Action: a.onPair(forgetCursor),
	}
}

func forgetCursor(ctx context.Context, k *call, p object.Pair) error {
	s := workflows.Signal{Reason: k.flags.String("reason")}
	if err := k.signal(ctx, p, workflows.SignalForgetCursor, s); err != nil {
		return err
	}
	return k.print.result(result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: "comparing",
		Message: "told " + p.String() + " to compare everything anew",
		Next:    program + " sync-status " + p.Destination,
	})
}
