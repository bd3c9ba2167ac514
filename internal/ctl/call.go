package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// call is one command under way.
type call struct {
	app      *App
	flags    *cli.Context // of the command line
	command  string
	set      settings
	target   Target
	temporal Temporal
	print    *printer
}

// onPair makes the action of a command that takes one ORG.
func (a *App) onPair(do func(context.Context, *call, object.Pair) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		name := commandName(c)
		if c.NArg() != 1 {
			return unusable(name, "%s takes the name of one organization, and got %d", name, c.NArg())
		}
		return a.open(c, func(ctx context.Context, k *call) error {
			p, err := k.pair(ctx, c.Args().First())
			if err != nil {
				return err
			}
			return do(ctx, k, p)
		})
	}
}

// open reads the settings, connects to Temporal, and runs a command there.
func (a *App) open(c *cli.Context, do func(context.Context, *call) error) error {
	k, f, err := a.begin(c)
	if err != nil {
		return err
	}
	if k.target, err = a.target(k.set, f); err != nil {
		return err
	}
	k.temporal, err = a.Connect(c.Context, k.target)
	if err != nil {
		return k.failed("connect", err)
	}
	defer k.temporal.Close()
	return do(c.Context, k)
}

// begin reads the settings.
func (a *App) begin(c *cli.Context) (*call, settingsFlags, error) {
	k := &call{app: a, flags: c, command: commandName(c)}
	f := settingsFlags{
		file: c.String(flagConfig), replica: c.String(flagReplica),
		address: c.String(flagAddress), namespace: c.String(flagNamespace),
	}
	var err error
	if k.print, err = a.printer(c); err != nil {
		return nil, f, err
	}
	if k.set, err = a.settings(f); err != nil {
		return nil, f, err
	}
	return k, f, k.set.replicates(k.command)
}

// printer is what --output and --no-color ask for.
func (a *App) printer(c *cli.Context) (*printer, error) {
	p := &printer{out: a.Stdout, err: a.Stderr, now: a.Now, given: givenIn(c)}
	switch o := c.String(flagOutput); o {
	case outputTable:
	case outputJSON:
		p.json = true
	default:
		return nil, unusable(commandName(c), "--output %s: there are %s and %s", o, outputTable, outputJSON)
	}
	if a.Terminal.Out && a.Columns != nil {
		p.width = a.Columns()
	}
	noColor, _ := a.Env.LookupEnv("NO_COLOR") // https://no-color.org
	p.colors = a.Terminal.Out && !c.Bool(flagNoColor) && noColor == ""
	return p, nil
}

// failed explains an error of Temporal.
func (k *call) failed(tried string, err error) error {
	return k.target.temporalFailure(k.command+": "+tried, err)
}

// pair finds the pair that an operator names. A pair that runs and is no longer
// in the configuration can be named too, so that it can be removed.
func (k *call) pair(ctx context.Context, org string) (object.Pair, error) {
	if k.set.file != "" {
		if p, ok := k.set.cfg.Pair(org); ok {
			p.Replica = k.set.replica
			return p, nil
		}
	}
	p := object.Pair{Replica: k.set.replica, Source: org, Destination: org}
	if org == "" || strings.ContainsFunc(org, func(c rune) bool { return c <= ' ' || c == '/' || c == 0x7f }) {
		return p, unusable(k.command, "%q is not the name of an organization", org)
	}
	if k.set.file == "" {
		return p, nil
	}
	e, err := k.temporal.Describe(ctx, p.WorkflowID())
	switch {
	case err == nil && e.Running() && k.command != "sync-start":
		return p, nil
	case err != nil && !errors.Is(err, ErrNotRunning):
		return p, k.failed("look for "+p.WorkflowID(), err)
	}
	return p, k.unknown(org)
}

// unknown says which organizations there are.
func (k *call) unknown(org string) error {
	var names, reads []string
	for _, p := range k.set.cfg.Pairs {
		names = append(names, p.String())
		if p.Source == org {
			reads = append(reads, p.Destination)
		}
	}
	if len(reads) > 0 {
		return fail(ExitUsage, program+" "+k.command+" "+reads[0],
			"%s: several pairs read %s; name the destination: %s", k.command, org, strings.Join(reads, ", "))
	}
	hint := "$EDITOR " + k.set.file
	if near := nearest(org, k.set.cfg.Pairs); near != "" {
		hint = program + " " + k.command + " " + near + "\n" + hint
	}
	return fail(ExitUsage, hint, "%s: %s is not an organization of %s, which has %s", k.command, org, k.set.file, some(names))
}

// nearest is the destination that somebody who wrote org may have meant; without
// any likeness the first one, as an example.
func nearest(org string, pairs []object.Pair) string {
	if len(pairs) == 0 {
		return ""
	}
	var names []string
	by := map[string]string{}
	for _, p := range pairs {
		names = append(names, p.Destination)
		by[p.Destination] = p.Destination
		if _, ok := by[p.Source]; !ok {
			names = append(names, p.Source)
			by[p.Source] = p.Destination
		}
	}
	if near := config.Nearest(org, names); len(near) > 0 {
		return by[near[0]]
	}
	return pairs[0].Destination
}

// some are names for a sentence: the first ones of many.
func some(names []string) string {
	const most = 20
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// configured reports whether a pair is in the configuration, or there is none
// that could leave it out.
func (k *call) configured(p object.Pair) bool {
	return k.set.file == "" || slices.ContainsFunc(k.set.cfg.Pairs, func(c object.Pair) bool { return c.Destination == p.Destination })
}

// signal sends a signal to a pair that runs.
func (k *call) signal(ctx context.Context, p object.Pair, name string, s workflows.Signal) error {
	s.At = k.app.Now()
	err := k.temporal.Signal(ctx, p.WorkflowID(), name, s)
	if errors.Is(err, ErrNotRunning) {
		return k.notRunning(p)
	}
	return k.failed("signal "+name+" to "+p.WorkflowID(), err)
}

// notRunning says that a pair does not run.
func (k *call) notRunning(p object.Pair) error {
	return fail(ExitNotDone, program+" sync-start "+p.Destination+"\n"+program+" sync-status",
		"%s: %s does not run: Temporal has no open workflow %s", k.command, p.Destination, p.WorkflowID())
}

// status asks a pair for its status. It returns ErrNoAnswer as it is.
func (k *call) status(ctx context.Context, p object.Pair) (*workflows.Status, error) {
	var s workflows.Status
	err := k.temporal.Query(ctx, p.WorkflowID(), workflows.QueryStatus, &s)
	switch {
	case err == nil:
		return &s, nil
	case errors.Is(err, ErrNoAnswer):
		return nil, err
	case errors.Is(err, ErrNotRunning):
		return nil, k.notRunning(p)
	default:
		return nil, k.failed("query "+workflows.QueryStatus+" of "+p.WorkflowID(), err)
	}
}

// pollerFresh is how long ago a worker that lives may have asked for work: one
// question lasts a minute.
const pollerFresh = 2 * time.Minute

// worker reports what is known of the workers of the replica.
func (k *call) worker(ctx context.Context) worker {
	w := worker{queue: workflows.TaskQueue(k.set.replica), daemon: k.target.Daemon}
	at, err := k.temporal.LastPoller(ctx, w.queue)
	w.known = err == nil
	w.seen = !at.IsZero()
	w.alive = w.seen && k.app.Now().Sub(at) < pollerFresh
	return w
}

// worker is whether an ec-syncd does the replica's work.
type worker struct {
	queue, daemon string

	known bool // Temporal says; the others are false if not
	seen  bool // in the last minutes
	alive bool // just now
}

// missing reports whether certainly no worker can answer.
func (w worker) missing() bool { return w.known && !w.seen }

// trouble says why a pair may not answer, and what helps.
func (w worker) trouble() (why, hint string) {
	if w.known && !w.alive {
		return fmt.Sprintf("no ec-syncd is polling task queue %s", w.queue),
			"systemctl start ec-syncd\n" + w.daemon
	}
	return "ec-syncd does not answer", "systemctl status ec-syncd\njournalctl -u ec-syncd -n 50"
}

// noAnswer is the failure of a command that needs an answer.
func (k *call) noAnswer(ctx context.Context, p object.Pair) error {
	why, hint := k.worker(ctx).trouble()
	return fail(ExitUnreachable, hint, "%s: the workflow %s runs, but %s", k.command, p.WorkflowID(), why)
}
