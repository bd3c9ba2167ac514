package ctl

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) startCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync-start",
		Usage:     "start a pair, or let a stopped one go on",
		ArgsUsage: "ORG | --all",
		Description: `A pair that does not run is started: it compares everything once, writes what
differs, and then follows the primary's changes. With bootstrap false in the
configuration nothing is compared, and only what changes from then on is copied.
A pair that was stopped goes on from its cursor. Repeating it is harmless.

   ` + program + ` sync-start acme
   ` + program + ` sync-start --all

With --all every pair of the configuration that does not run is started. Those that
somebody stopped stay stopped, and are named.

The exit code is 0 also if no ec-syncd runs: the pair begins as soon as one does,
and a warning says so.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagAll, DisableDefaultText: true, Usage: "start every pair of the configuration that does not run"},
		},
		Action: a.startAction,
	}
}

func startPair(ctx context.Context, k *call, p object.Pair) error {
	workers := k.worker(ctx)
	was, err := k.before(ctx, p, workers)
	if err != nil {
		return err
	}
	if err := k.starter(ctx)(ctx, p); err != nil {
		return err
	}
	if workers.known && !workers.alive {
		why, hint := workers.trouble()
		k.print.warn(hint, "%s, so nothing happens until one is", why)
	}
	r := result{
		Organization: p.Destination, WorkflowID: p.WorkflowID(), Result: was,
		Next: program + " sync-status " + p.Destination,
	}
	switch was {
	case "started":
		r.Message = "started " + p.String() + ": everything is compared first"
		if !k.set.cfg.Bootstrap {
			r.Message = "started " + p.String() + ": it begins with the changes that come next"
			k.print.warn(program+" forget-cursor "+p.Destination,
				"bootstrap is false in %s: what differs between the two organizations now stays so until it changes, or until everything is compared", k.set.file)
		}
	case "resumed":
		r.Message = "resumed " + p.String()
	default:
		r.Message = p.String() + " is running already"
	}
	return k.print.result(r)
}

// starter returns what starts a pair, or lets it go on.
func (k *call) starter(ctx context.Context) func(context.Context, object.Pair) error {
	o := workflows.Options{SearchAttributes: k.hasSearchAttributes(ctx), FromHead: !k.set.cfg.Bootstrap}
	return func(ctx context.Context, p object.Pair) error {
		err := k.temporal.SignalWithStart(ctx, Start{Pair: p, Signal: workflows.SignalStart, At: k.app.Now(), Options: o})
		if err != nil {
			return k.failed("start "+p.WorkflowID(), err)
		}
		return nil
	}
}

// before finds out what sync-start will have done: "started", "resumed" or
// "running".
func (k *call) before(ctx context.Context, p object.Pair, workers worker) (string, error) {
	e, err := k.temporal.Describe(ctx, p.WorkflowID())
	switch {
	case errors.Is(err, ErrNotRunning), err == nil && !e.Running():
		return "started", nil
	case err != nil:
		return "", k.failed("look for "+p.WorkflowID(), err)
	case workers.missing():
		return "resumed", nil
	}
	s, err := k.status(ctx, p)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return "resumed", nil
	case err != nil:
		return "", err
	case s.Mode == workflows.ModeStopped:
		return "resumed", k.sameSource(p, s)
	}
	return "running", k.sameSource(p, s)
}

// sameSource returns an error if the pair that runs reads another organization than
// the configuration says.
func (k *call) sameSource(p object.Pair, s *workflows.Status) error {
	if k.set.file == "" || s.Pair.Source == p.Source {
		return nil
	}
	return fail(ExitNotDone, program+" remove "+p.Destination+"\n"+program+" sync-start "+p.Destination,
		"%s: the pair that writes %s reads %s, and %s says that it should read %s; it was left as it is",
		k.command, p.Destination, s.Pair.Source, k.set.file, p.Source)
}

// hasSearchAttributes reports whether the namespace has all that a pair would
// set. A workflow that sets one that is not there would be stuck, so any doubt
// means no.
func (k *call) hasSearchAttributes(ctx context.Context) bool {
	have, err := k.temporal.SearchAttributes(ctx)
	if err != nil {
		return false
	}
	for name, want := range workflows.SearchAttributes() {
		if have[name] != want {
			return false
		}
	}
	return true
}
