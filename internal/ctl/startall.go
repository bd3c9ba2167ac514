package ctl

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// flagAll stands in place of ORG.
const flagAll = "all"

// startAction is that of sync-start.
func (a *App) startAction(c *cli.Context) error {
	if !c.Bool(flagAll) {
		if c.NArg() == 0 {
			return fail(ExitUsage, program+" sync-start --all\n"+program+" sync-start --help",
				"sync-start takes the name of one organization, or --all")
		}
		return a.onPair(startPair)(c)
	}
	if c.NArg() != 0 {
		return unusable("sync-start", "sync-start takes --all or the name of one organization, and got both")
	}
	return a.open(c, startAll)
}

// started is what sync-start --all did, in the order of the configuration. Each list
// holds destinations.
type started struct {
	Started []string `json:"started"`
	Running []string `json:"running"` // before
	Stopped []string `json:"stopped"` // left as they are
	Failed  []string `json:"failed"`
}

// startAll starts every pair of the configuration that does not run. A stopped one
// was stopped by somebody, and stays so. What fails for one pair stops no other,
// unless nobody answers.
func startAll(ctx context.Context, k *call) error {
	if k.set.file == "" {
		return unusable(k.command, "sync-start --all needs a configuration, which says which pairs there are")
	}
	workers, start := k.worker(ctx), k.starter(ctx)
	was := make([]string, len(k.set.cfg.Pairs))
	errs := make([]error, len(was))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	free := make(chan struct{}, sideBySide)
	for i, p := range k.set.cfg.Pairs {
		p.Replica = k.set.replica
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				was[i], errs[i] = k.startMissing(ctx, p, workers, start)
			}
			var f *failure
			if errors.As(errs[i], &f) && f.code == ExitUnreachable {
				cancel()
			}
		})
	}
	wg.Wait()
	if workers.known && !workers.alive {
		why, hint := workers.trouble()
		k.print.warn(hint, "%s, so nothing happens until one is", why)
	}
	return k.startedAll(was, errs)
}

// startMissing starts a pair that does not run. It returns "started", "running" or
// "stopped"; without an answer, what runs counts as running.
func (k *call) startMissing(ctx context.Context, p object.Pair, workers worker, start func(context.Context, object.Pair) error) (string, error) {
	e, err := k.temporal.Describe(ctx, p.WorkflowID())
	switch {
	case errors.Is(err, ErrNotRunning), err == nil && !e.Running():
		return "started", start(ctx, p)
	case err != nil:
		return "", k.failed("look for "+p.WorkflowID(), err)
	case workers.missing():
		return "running", nil
	}
	s, err := k.status(ctx, p)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return "running", nil
	case err != nil:
		return "", err
	case s.Mode == workflows.ModeStopped:
		return "stopped", k.sameSource(p, s)
	}
	return "running", k.sameSource(p, s)
}

// startedAll prints what was done. Its error is that of those pairs that failed.
func (k *call) startedAll(was []string, errs []error) error {
	out := started{Started: []string{}, Running: []string{}, Stopped: []string{}, Failed: []string{}}
	var first error
	for i, p := range k.set.cfg.Pairs {
		to := &out.Running
		switch {
		case errs[i] != nil:
			to = &out.Failed
			if first == nil || errors.Is(first, context.Canceled) {
				first = errs[i]
			}
		case was[i] == "started":
			to = &out.Started
		case was[i] == "stopped":
			to = &out.Stopped
		}
		*to = append(*to, p.Destination)
	}
	if err := k.print.startedAll(out); err != nil {
		return err
	}
	if first == nil {
		return nil
	}
	var f *failure
	if !errors.As(first, &f) {
		return first
	}
	return fail(f.code, f.hint, "%d of %d pairs were not started: %s\nthe first: %w", len(out.Failed), len(was), some(out.Failed), first)
}

// startedAll prints what sync-start --all did.
func (p *printer) startedAll(s started) error {
	if p.json {
		return p.document(s)
	}
	run := "run"
	if len(s.Running) == 1 {
		run = "runs"
	}
	line := fmt.Sprintf("started %s, %d %s already", pairsText(len(s.Started)), len(s.Running), run)
	if len(s.Stopped) > 0 {
		line += fmt.Sprintf("; %d stopped, left as they are: %s", len(s.Stopped), some(s.Stopped))
	}
	fmt.Fprintln(p.out, clean(line))
	fmt.Fprintln(p.out, "  next: "+p.given.on(program+" sync-status"))
	if len(s.Stopped) > 0 {
		fmt.Fprintln(p.out, "  next: "+p.given.on(program+" sync-start "+clean(s.Stopped[0])))
	}
	return nil
}

func pairsText(n int) string {
	if n == 1 {
		return "1 pair"
	}
	return fmt.Sprintf("%d pairs", n)
}
