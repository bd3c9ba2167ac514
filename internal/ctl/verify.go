package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	reports "github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/workflows"
)

// The flags of verify; sync-once has some of them.
const (
	flagRepair  = "repair"
	flagReport  = "report"
	flagNoWait  = "no-wait"
	flagTimeout = "timeout"
	flagSettle  = "settle"
)

func (a *App) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "re-read both organizations completely, and prove that they are equal or name what is not",
		ArgsUsage: "ORG",
		Description: `An ec-syncd reads every object and every cookbook file of both organizations,
looks twice more at what is not equal (a change may be on its way), and reports.
Nothing is written. The pair need not run, and may. One verification of a pair
runs at a time; while one runs, this joins it.

   ` + program + ` verify acme
   ` + program + ` verify acme --report /root/acme      # acme.txt and acme.json
   ` + program + ` verify acme --output json | jq -r '.differences[]?.ref'
   ` + program + ` verify acme --repair                 # and bring back what can be

With --repair the pair, which has to run, tries what differs again through its
plan and its delete limit, and that is looked at again. What only the replica has
stays unless the pair has extras 'delete'. A file that is lost or damaged on the
replica under its right name cannot be brought back over Chef's API.

Ctrl-C leaves the verification running; the same command joins it again.

The exit code is 0 if all that both servers can hold is equal, 1 if something
differs, 2 if that could not be told: something could not be read, Temporal or
ec-syncd does not answer, or the command line or the configuration is wrong.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagRepair, DisableDefaultText: true, Usage: "have the pair bring back what differs"},
			reportFlag(),
			&cli.BoolFlag{Name: flagNoWait, DisableDefaultText: true, Usage: "return when the verification is started"},
			timeoutFlag(), settleFlag(),
		},
		Action: func(c *cli.Context) error { return couldNotTell(a.onPair(verifyPair)(c)) },
	}
}

func reportFlag() cli.Flag {
	return &cli.StringFlag{Name: flagReport, Usage: "write the report to `FILE`.txt and FILE.json, or to FILE alone if it ends so"}
}

func timeoutFlag() cli.Flag {
	return &cli.DurationFlag{Name: flagTimeout, DefaultText: "for ever", Usage: "wait for `DURATION` at the most"}
}

func settleFlag() cli.Flag {
	return &cli.DurationFlag{Name: flagSettle, DefaultText: "15s", Usage: "look again at what differs after `DURATION`: a change may be on its way"}
}

func verifyPair(ctx context.Context, k *call, p object.Pair) error {
	v, err := k.verification(p)
	if err != nil {
		return err
	}
	v.repair = k.flags.Bool(flagRepair)
	if k.flags.Bool(flagNoWait) {
		if err := v.begin(ctx); err != nil {
			return err
		}
		if v.joined && v.repair {
			return fail(ExitNotDone, program+" verify "+p.Destination+" --repair",
				"%s: a verification runs already, %s, which may repair nothing; nothing was started", k.command, v.id)
		}
		return k.print.result(result{
			Organization: p.Destination, WorkflowID: v.id, Result: "verifying", Message: "verifying " + p.String(),
			Next: v.again() + "    # joins it",
		})
	}
	r, err := v.run(ctx)
	if err != nil {
		return err
	}
	return k.concludeVerify(verified{Report: r}, v)
}

// verification is one that an operator waits for.
type verification struct {
	k      *call
	pair   object.Pair
	repair bool
	file   string // of the report; "" = none
	wait   *waiting
	meter  *meter

	settle time.Duration // 0 = the workflow's default

	id     string // of its workflow, once it is known
	joined bool   // somebody else started it
}

// verification checks the flags that verify and sync-once share, before anything
// is done.
func (k *call) verification(p object.Pair) (*verification, error) {
	v := &verification{k: k, pair: p, file: k.flags.String(flagReport), meter: &meter{k: k}}
	most := k.flags.Duration(flagTimeout)
	if most < 0 {
		return nil, unusable(k.command, "--%s %s: wait for how long?", flagTimeout, most)
	}
	if v.settle = k.flags.Duration(flagSettle); v.settle < 0 {
		return nil, unusable(k.command, "--%s %s: wait for how long?", flagSettle, v.settle)
	}
	if err := writable(v.file); err != nil {
		return nil, unusable(k.command, "--%s %s: %w", flagReport, v.file, err)
	}
	v.wait = k.waiting(most)
	return v, nil
}

// again is the command that joins the verification.
func (v *verification) again() string {
	out := program + " verify " + v.pair.Destination
	if v.file != "" {
		out += " --" + flagReport + " " + v.file
	}
	return out
}

// begin starts the verification, or finds one that runs.
func (v *verification) begin(ctx context.Context) error {
	k := v.k
	if w := k.worker(ctx); w.known && !w.alive {
		why, hint := w.trouble()
		return fail(ExitUnreachable, hint, "%s: %s, and it is ec-syncd that verifies; nothing was started", k.command, why)
	}
	ids, err := k.temporal.Verifying(ctx, v.pair.Replica)
	if err != nil {
		return k.failed("look for a verification", err)
	}
	v.id, v.joined = workflows.VerifyWorkflowID(v.pair), false
	for _, id := range ids {
		if verifies(id, v.pair) {
			v.id, v.joined = id, true
			return nil
		}
	}
	err = k.temporal.StartVerify(ctx, workflows.VerifyInput{Pair: v.pair, Repair: v.repair, Settle: v.settle})
	return k.failed("start "+v.id, err)
}

// verifies reports whether a workflow is a verification of the pair: one that was
// started by hand, or one of its schedule, with the time behind its ID.
func verifies(id string, p object.Pair) bool {
	rest, ok := strings.CutPrefix(id, workflows.VerifyWorkflowID(p))
	if !ok || rest == "" {
		return ok
	}
	stamp, ok := strings.CutPrefix(rest, "-")
	_, err := time.Parse(time.RFC3339, stamp)
	return ok && err == nil
}

// run verifies and returns the report. A verification that somebody else began
// may not repair; then ours follows.
func (v *verification) run(ctx context.Context) (*reports.Report, error) {
	for {
		if err := v.begin(ctx); err != nil {
			return nil, err
		}
		if v.joined {
			v.meter.say("", "a verification of "+v.pair.String()+" runs already, "+v.id)
		}
		r, err := v.await(ctx)
		v.meter.clear()
		if err != nil || !v.joined || !v.repair || r.Verdict == reports.Equal {
			return r, v.left(err)
		}
	}
}

// left says, of a verification that goes on without us, how to see it.
func (v *verification) left(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return fail(ExitUnknown, v.again(), "%s: interrupted; the verification goes on as %s", v.k.command, v.id)
	case errors.Is(err, errTimeout):
		return fail(ExitUnknown, v.again(), "%s: not done after %s; the verification goes on as %s", v.k.command, v.wait.most, v.id)
	default:
		return err
	}
}

// await waits for the end of the verification.
func (v *verification) await(ctx context.Context) (*reports.Report, error) {
	k := v.k
	for {
		e, err := k.temporal.Describe(ctx, v.id)
		if err == nil && !e.Running() {
			return v.result(ctx)
		}
		if err == nil {
			var at workflows.VerifyProgress
			if err = k.temporal.Query(ctx, v.id, workflows.QueryProgress, &at); err == nil {
				v.progress(at, e)
			}
		}
		if err := v.wait.step(ctx, err, "look at "+v.id, v.meter); err != nil {
			return nil, err
		}
	}
}

func (v *verification) progress(at workflows.VerifyProgress, e Execution) {
	more := ""
	if at.Differ > 0 {
		more = fmt.Sprintf("%d not equal", at.Differ)
	}
	v.meter.show(at.Phase, at.Done, at.Total, more)
	v.meter.say("", e.Problem)
}

func (v *verification) result(ctx context.Context) (*reports.Report, error) {
	var r reports.Report
	err := v.k.temporal.Result(ctx, v.id, &r)
	if errors.Is(err, ErrNoResult) {
		return nil, fail(ExitUnknown, v.again(), "%s: the verification was ended: %w", v.k.command, err)
	}
	return &r, v.k.failed("read the result of "+v.id, err)
}
