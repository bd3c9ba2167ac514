package ctl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/enums/v1"

	"github.com/chef-sync/chef-sync/internal/object"
)

// The flags of sync-status.
const (
	flagWatch    = "watch"
	flagInterval = "interval"
)

func (a *App) statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync-status",
		Usage:     "show what each pair is doing",
		ArgsUsage: "[ORG]",
		Description: `Shows the pairs of the configuration, and those of this replica that run without
being in it. Without a running ec-syncd it shows what Temporal knows.

   ` + program + ` sync-status
   ` + program + ` sync-status acme --watch
   ` + program + ` sync-status --output json | jq '.[] | select(.attention)'

States: bootstrapping (comparing everything), following (copying changes as they
come), stopping and stopped (by an operator), halted (asks before it deletes
much), waiting (for a trouble to pass, or for the end of a maintenance), not
started, removed, synced once (by sync-once), no answer.

A terminal that is too narrow for the table gets less of it, and is told what is
left out. A pipe and a file get all.

The last synchronization is the last time that the replica was known to have
everything up to the cursor. With --watch, json is one line for each look.

The exit code is 1 if any pair shown is halted, waiting, has unsynced objects,
does not answer, or is configured and not running. A stopped pair was meant.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagWatch, DisableDefaultText: true, Aliases: []string{"w"}, Usage: "look again until interrupted"},
			&cli.DurationFlag{Name: flagInterval, Value: 2 * time.Second, Usage: "`DURATION` between two looks of --watch"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return unusable("sync-status", "sync-status takes the name of one organization or none, and got %d", c.NArg())
			}
			if d := c.Duration(flagInterval); d <= 0 {
				return unusable("sync-status", "--interval %s: it has to be more than nothing, such as 2s", d)
			}
			return a.open(c, showStatus)
		},
	}
}

func showStatus(ctx context.Context, k *call) error {
	var one *object.Pair
	if org := k.flags.Args().First(); org != "" {
		p, err := k.pair(ctx, org)
		if err != nil {
			return err
		}
		one = &p
	}
	if k.flags.Bool(flagWatch) {
		return k.watch(ctx, one)
	}
	return k.lookOnce(ctx, one)
}

// watch looks until ctx ends, and returns what the last look found. A Temporal
// that does not answer may be one that is being restarted, so it goes on.
func (k *call) watch(ctx context.Context, one *object.Pair) error {
	var last error
	for {
		if k.app.Terminal.Out && k.app.Columns != nil { // it may have another size now
			k.print.width = k.app.Columns()
		}
		err := k.lookOnce(ctx, one)
		if ctx.Err() != nil {
			return last
		}
		var f *failure
		if errors.As(err, &f) {
			if f.code != ExitUnreachable {
				return err
			}
			report(k.print.err, k.print.given, err)
			err = errLook
		}
		last = err
		if k.app.Sleep(ctx, max(k.flags.Duration(flagInterval), stopPoll)) != nil {
			return last
		}
	}
}

// lookOnce looks and prints. It returns errLook if a pair needs a person.
func (k *call) lookOnce(ctx context.Context, one *object.Pair) error {
	rows, err := k.look(ctx, one)
	if err != nil {
		return err
	}
	if err := k.show(rows); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r Row) bool { return r.Attention }) {
		return errLook
	}
	return nil
}

// show prints what one look found.
func (k *call) show(rows []Row) error {
	watch := k.flags.Bool(flagWatch)
	switch {
	case k.print.json && watch:
		return json.NewEncoder(k.print.out).Encode(rows)
	case k.print.json:
		return k.print.document(rows)
	}
	return k.print.status(rows, look{
		clear: watch && k.app.Terminal.Out, watch: watch,
		heading: "replica " + k.set.replica + ", Temporal at " + k.target.Address,
	})
}

// look finds out how the pairs are: one, or all.
func (k *call) look(ctx context.Context, one *object.Pair) ([]Row, error) {
	pairs := []object.Pair{}
	if one != nil {
		pairs = append(pairs, *one)
	} else {
		var err error
		if pairs, err = k.pairs(ctx); err != nil {
			return nil, err
		}
	}
	workers := k.worker(ctx)
	rows := make([]Row, len(pairs))
	errs := make([]error, len(pairs))
	var wg sync.WaitGroup
	free := make(chan struct{}, sideBySide)
	for i, p := range pairs {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			rows[i], errs[i] = k.lookAt(ctx, p, workers)
		})
	}
	wg.Wait()
	return rows, cmp.Or(errs...)
}

// sideBySide is how many pairs are looked at together.
const sideBySide = 8

// pairs are those of the configuration, in its order, and then the others of
// this replica that run.
func (k *call) pairs(ctx context.Context) ([]object.Pair, error) {
	out := slices.Clone(k.set.cfg.Pairs)
	for i := range out {
		out[i].Replica = k.set.replica
	}
	ids, err := k.temporal.Running(ctx, k.set.replica)
	if err != nil {
		return nil, k.failed("list the workflows of replica "+k.set.replica, err)
	}
	slices.Sort(ids)
	for _, id := range ids {
		replica, destination, ok := object.ParseWorkflowID(id)
		listed := slices.ContainsFunc(out, func(p object.Pair) bool { return p.Destination == destination })
		if ok && replica == k.set.replica && !listed {
			out = append(out, object.Pair{Replica: replica, Destination: destination})
		}
	}
	return out, nil
}

// lookAt finds out how a pair is.
func (k *call) lookAt(ctx context.Context, p object.Pair, workers worker) (Row, error) {
	f := facts{pair: p, configured: k.configured(p), worker: workers, now: k.app.Now()}
	e, err := k.temporal.Describe(ctx, p.WorkflowID())
	switch {
	case isNotRunning(err):
		return f.row(), nil
	case err != nil:
		return Row{}, k.failed("look at "+p.WorkflowID(), err)
	}
	f.execution = &e
	ended := e.Status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED // whose worker still tells how
	if (e.Running() || ended) && !workers.missing() {
		f.status, err = k.status(ctx, p)
		if err != nil && e.Running() && !errors.Is(err, ErrNoAnswer) {
			return Row{}, err
		}
	}
	return f.row(), nil
}

func isNotRunning(err error) bool { return errors.Is(err, ErrNotRunning) }
