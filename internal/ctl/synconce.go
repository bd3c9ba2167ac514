package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/enums/v1"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) syncOnceCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync-once",
		Usage:     "copy everything once, prove that both organizations are equal, and end",
		ArgsUsage: "ORG",
		Description: `For migrations, and for cron instead of a pair that runs for ever. Starts the pair,
which compares everything, writes what differs, takes the changes that came
meanwhile, and ends by itself. Then both organizations are verified as by
'` + program + ` verify', and the report is printed with the objects that
could not be copied. What is equal is not written, so repeating it is harmless.

   ` + program + ` sync-once acme
   ` + program + ` sync-once acme --timeout 2h --report /root/acme
   0 3 * * *  root  ` + program + ` sync-once acme >/dev/null || …   # cron

A pair that runs already is told to look now, is waited for until nothing is left
to do, verified, and goes on running.

If the pair halts because it would delete much, that is said at once, with the
commands that decide; it goes on waiting until somebody does. Ctrl-C, and the end
of --timeout, leave the pair at work; the same command joins it again.

The exit code is 0 if all that both servers can hold is equal, 1 if something
differs, 2 if that could not be told: the pair did not come to its end, Temporal
or ec-syncd does not answer, or the command line or the configuration is wrong.`,
		Flags:  []cli.Flag{timeoutFlag(), reportFlag(), settleFlag()},
		Action: func(c *cli.Context) error { return couldNotTell(a.onPair(syncOnce)(c)) },
	}
}

func syncOnce(ctx context.Context, k *call, p object.Pair) error {
	v, err := k.verification(p)
	if err != nil {
		return err
	}
	o := &once{k: k, pair: p, wait: v.wait, meter: v.meter}
	if err := o.begin(ctx); err != nil {
		return err
	}
	err = o.await(ctx)
	v.meter.clear()
	if err != nil {
		return o.left(err)
	}
	unsynced := []workflows.Unsynced{}
	err = k.temporal.Query(ctx, p.WorkflowID(), workflows.QueryUnsynced, &unsynced)
	if err != nil && !errors.Is(err, ErrNoAnswer) && !errors.Is(err, ErrNotRunning) {
		return k.failed("query "+workflows.QueryUnsynced+" of "+p.WorkflowID(), err)
	}
	if err != nil {
		k.print.warn("", "%s cannot be asked what it could not copy; the verification tells", p)
	}
	r, err := v.run(ctx)
	if err != nil {
		return err
	}
	return k.concludeVerify(verified{Report: r, Unsynced: unsynced}, v)
}

// once is a pair that an operator waits for.
type once struct {
	k     *call
	pair  object.Pair
	wait  *waiting
	meter *meter

	ran  bool   // it ran before the command
	poll string // the Poll that was pending then
}

// begin starts the pair to run once, or tells one that runs to look now.
func (o *once) begin(ctx context.Context) error {
	k, id := o.k, o.pair.WorkflowID()
	w := k.worker(ctx)
	if w.known && !w.alive {
		why, hint := w.trouble()
		return fail(ExitUnreachable, hint, "%s: %s; nothing was started", k.command, why)
	}
	e, err := k.temporal.Describe(ctx, id)
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return k.failed("look for "+id, err)
	}
	if err != nil || !e.Running() {
		return k.failed("start "+id, k.temporal.SignalWithStart(ctx, Start{
			Pair: o.pair, Signal: workflows.SignalStart, At: k.app.Now(),
			Options: workflows.Options{Once: true, SearchAttributes: k.hasSearchAttributes(ctx)},
		}))
	}
	if _, err := k.before(ctx, o.pair, w); err != nil { // it may read another organization
		return err
	}
	o.ran = true
	if e.Poll != nil {
		o.poll = e.Poll.ID
	}
	o.meter.say("", o.pair.String()+" runs already; it is told to look now, and goes on running afterwards")
	return k.signal(ctx, o.pair, workflows.SignalSyncNow, workflows.Signal{})
}

// await returns when the pair has ended, or, if it ran before, has nothing left to
// do.
func (o *once) await(ctx context.Context) error {
	k, id := o.k, o.pair.WorkflowID()
	for {
		e, err := k.temporal.Describe(ctx, id)
		if err == nil && !e.Running() {
			if e.Status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
				return nil
			}
			return fail(ExitUnknown, program+" sync-once "+o.pair.Destination, "%s: the pair was %s before its end",
				k.command, endedState(e.Status))
		}
		var s workflows.Status
		if err == nil {
			err = k.temporal.Query(ctx, id, workflows.QueryStatus, &s)
		}
		if err == nil {
			if s.Mode == workflows.ModeStopped {
				return fail(ExitNotDone, program+" sync-start "+o.pair.Destination, "%s: %s is stopped: %s",
					k.command, o.pair.Destination, cmp.Or(s.Reason, "no reason was given"))
			}
			if o.ran && o.idle(&s, e) {
				return nil
			}
			o.show(&s, e)
		}
		if err := o.wait.step(ctx, err, "look at "+id, o.meter); err != nil {
			return err
		}
	}
}

// idle reports whether a pair has looked since it was told to, and has nothing to
// do. The Poll that was pending then may have looked before.
func (o *once) idle(s *workflows.Status, e Execution) bool {
	return s.Mode == workflows.ModeFollowing && s.Survey == nil && len(e.Copying) == 0 &&
		e.Poll.UpToDate() && e.Poll.ID != o.poll
}

// show says how far the pair is, and what keeps it from going on.
func (o *once) show(s *workflows.Status, e Execution) {
	var more []string
	if n := s.Counters.Created + s.Counters.Updated + s.Counters.Deleted; n > 0 {
		more = append(more, fmt.Sprintf("%d written", n))
	}
	if s.Unsynced > 0 {
		more = append(more, fmt.Sprintf("%d unsynced", s.Unsynced))
	}
	done, total := 0, 0
	if s.Survey != nil {
		done, total = s.Survey.Offset, s.Survey.Total
	}
	switch s.Mode {
	case workflows.ModeHalted:
		o.meter.say(program+" approve-deletes "+o.pair.Destination+"\n"+program+" drop-deletes "+o.pair.Destination,
			o.pair.String()+" is halted: "+s.Reason)
	case workflows.ModeWaiting:
		o.meter.say(s.Hint, o.pair.String()+" waits: "+s.Reason)
	default:
		if rests := e.Poll.Rests(o.k.app.Now()); rests != "" {
			o.meter.say("", o.pair.String()+" rests and goes on then: "+rests)
			break
		}
		o.meter.say("", e.Problem)
	}
	o.meter.show(string(s.Mode), done, total, strings.Join(more, ", "))
}

// left says, of a pair that goes on without us, how to see it.
func (o *once) left(err error) error {
	again := program + " sync-once " + o.pair.Destination + "\n" + program + " sync-status " + o.pair.Destination
	switch {
	case errors.Is(err, context.Canceled):
		return fail(ExitUnknown, again, "%s: interrupted; the pair goes on", o.k.command)
	case errors.Is(err, errTimeout):
		return fail(ExitUnknown, again, "%s: not done after %s; the pair goes on", o.k.command, o.wait.most)
	default:
		return err
	}
}
