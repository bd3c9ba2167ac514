package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
)

// SyncWorkflow keeps one organization on the replica equal to one on the
// primary until it is removed. See the package doc; its ID is
// [object.Pair.WorkflowID], so that Temporal runs one per destination.
//
// It returns nil when it was removed, and an error only if it was cancelled:
// whatever goes wrong on the servers is waited for and shown in status.
func SyncWorkflow(ctx workflow.Context, in SyncInput) error {
	return syncWorkflow(ctx, in, func() []string { return nil })
}

// syncWorkflow is SyncWorkflow with what its worker knows of the namespace; see
// [RegisterWith].
func syncWorkflow(ctx workflow.Context, in SyncInput, attributes func() []string) error {
	r, err := newRun(ctx, in)
	if err != nil {
		return err
	}
	r.attributes = attributes
	r.asks = workflow.GetVersion(ctx, versionAttributes, workflow.DefaultVersion, attributesAsked) >= attributesAsked
	return r.run(ctx)
}

// run is one run of a SyncWorkflow: the state, and what the next run need not
// know.
type run struct {
	in    SyncInput
	opts  Options
	state *State
	log   log.Logger
	now   func() time.Time

	interrupt workflow.CancelFunc // ends the present wait; nil if there is none

	// sitting says that applying met a trouble, which a poll cannot see pass.
	sitting  bool
	sitUntil time.Time

	// What signals asked for and the loop has not acted on yet.
	approved, dropped, forget, removed bool
	forgetReason                       string

	stopHandled, startHandled time.Time // see onStop

	attributes func() []string // see [RegisterWith]
	asks       bool            // for them; see [versionAttributes]

	shown shown // what the Web UI was last given
	told  told  // what the log was last told
}

func newRun(ctx workflow.Context, in SyncInput) (*run, error) {
	if in.State.Format > StateFormat {
		// A workflow task that fails is tried again, perhaps by another worker, and
		// leaves nothing behind that the newer release would have to live with.
		panic(fmt.Sprintf("%s (format %d, this ec-syncd knows %d): upgrade this ec-syncd; until then the pair waits, and its state is left as it is",
			NewerState, in.State.Format, StateFormat))
	}
	r := &run{in: in, opts: in.Options.orDefault(), log: logger(ctx, in.Pair)}
	r.state = &r.in.State
	r.now = func() time.Time { return workflow.Now(ctx).UTC() }
	if r.state.Since.IsZero() {
		r.state.Since = r.now()
		r.state.Behind = -1
	}
	r.told = told{counters: r.state.Counters, trouble: r.state.Trouble}
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryStatus,
		func() (Status, error) {
			st := r.state.status(in.Pair)
			st.Once = r.opts.Once
			return st, nil
		},
		workflow.QueryHandlerOptions{Description: "Mode, cursor, last synchronization, counters."})
	if err != nil {
		return nil, err
	}
	err = workflow.SetQueryHandlerWithOptions(ctx, QueryUnsynced,
		func() ([]Unsynced, error) { return r.state.Unsynced, nil },
		workflow.QueryHandlerOptions{Description: "Objects that are not as on the primary, and why."})
	if err != nil {
		return nil, err
	}
	r.listen(ctx)
	return r, nil
}

// run is the loop. Each turn either takes one page all the way, or waits for
// one thing; what a crash leaves is the state before the turn.
func (r *run) run(ctx workflow.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.obey(ctx)
		r.refloat(ctx)
		r.show(ctx)
		switch {
		case r.removed, r.doneOnce(ctx):
			return nil
		case workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			return r.continueAsNew(ctx)
		case r.state.Stopped:
			r.sitting = false // whoever starts the pair wants it to be tried
			r.wait(ctx, 0, "stopped")
		case r.sitting:
			r.sitOut(ctx)
		default:
			r.turn(ctx)
		}
	}
}

// doneOnce reports whether a pair that runs once has done so.
func (r *run) doneOnce(ctx workflow.Context) bool {
	if !r.opts.Once || !r.state.CaughtUp || r.state.Stopped || r.sitting || r.state.triesLeft() {
		return false
	}
	// What was forgotten is still to be found again, unless there is no room for it
	// yet: then the list says that not all is well.
	forgot := !r.state.CompareAt.IsZero() && len(r.state.Unsynced) < r.opts.MaxUnsynced
	return !forgot || workflow.GetVersion(ctx, versionOnce, workflow.DefaultVersion, onceCompares) != onceCompares
}

// obey acts on what signals asked for.
func (r *run) obey(ctx workflow.Context) {
	if r.forget {
		r.compareAgain(ctx, r.forgetReason)
		r.state.Trouble, r.state.TroubleCount = nil, 0
		r.forget, r.sitting = false, false
	}
	if !r.state.CompareAt.IsZero() && !r.state.CompareAt.After(r.now()) {
		r.compareAgain(ctx, fmt.Sprintf("more than %d objects were unsynced", r.opts.MaxUnsynced))
	}
}

// compareAgain begins a full comparison between the same servers.
func (r *run) compareAgain(ctx workflow.Context, why string) {
	r.state.compareAgain(why, r.state.holdingUp() &&
		workflow.GetVersion(ctx, versionWaited, workflow.DefaultVersion, waitedKept) == waitedKept)
}

// refloat has what waits for a time that a clock has put out of reach be due.
func (r *run) refloat(ctx workflow.Context) {
	if r.state.stranded(r.now(), r.opts) &&
		workflow.GetVersion(ctx, versionClock, workflow.DefaultVersion, clockRefloat) == clockRefloat {
		r.log.Warn("the clock was put back", "unsynced", len(r.state.Unsynced))
		r.state.refloat(r.now(), r.opts)
	}
}

// turn retries what is due, or else polls and applies a page.
func (r *run) turn(ctx workflow.Context) {
	trying := r.state.Trouble == nil || r.state.Trouble.Key == troubleFull
	if due := r.state.due(r.now()); len(due) > 0 && trying {
		r.retry(ctx, due)
		return
	}
	if r.state.CaughtUp && r.state.Trouble == nil { // and objects are to be tried again
		r.wait(ctx, max(r.state.nextTry(r.now()).Sub(r.now()), time.Millisecond), "retry unsynced objects")
		return
	}
	page, err := r.poll(ctx)
	switch {
	case hostGone(err):
		r.log.Warn("the host that held the pair's lists is away; another one goes on", "queue", r.state.Queue)
		r.state.Queue = ""
	case err != nil:
		r.settle(err)
	case page.Trouble != nil:
		another := r.state.Trouble != nil
		r.trouble(*page.Trouble)
		if another { // servers that fail in ever another way are not to be asked ever faster
			r.show(ctx)
			r.wait(ctx, r.opts.RetryFirst, "another trouble so soon")
		}
	case page.Reset != "":
		r.reset(ctx, page.Reset, page.Identities, page.CursorLost)
	case page.AtHead:
		r.state.Trouble, r.state.TroubleCount = nil, 0
		r.state.follow(page, r.now())
	default:
		r.state.Deep = false
		if r.state.TroubleCount == 0 {
			r.state.Trouble = nil
		}
		r.state.Behind = page.Behind
		r.show(ctx)
		if r.state.CaughtUp = page.UpToDate; !page.UpToDate {
			r.cycle(ctx, page)
		}
	}
}

// calm is how long a full comparison should last before the next one: a feed
// that loses every cursor would otherwise keep both servers busy.
const calm = 5 * time.Minute

// reset begins a full comparison.
func (r *run) reset(ctx workflow.Context, why string, ids object.Identities, lost bool) {
	r.log.Info("full comparison", "why", why)
	if lost {
		r.state.Cursor, r.state.Resume, r.state.Survey = object.Cursor{}, object.Cursor{}, nil
	}
	if ids != (object.Identities{}) && ids.SameServers(r.state.Identities) {
		r.compareAgain(ctx, why)
	} else {
		r.state.restart(why)
	}
	r.state.Trouble = nil
	last := r.state.LastReset
	r.state.LastReset = r.now()
	if !last.IsZero() && r.now().Sub(last) < calm {
		r.show(ctx)
		r.wait(ctx, r.opts.RetryFirst, "full comparison again so soon")
	}
}

// poll waits for a page. It ends early, with errInterrupted, when a signal
// arrives or an unsynced object is due.
func (r *run) poll(ctx workflow.Context) (activities.PollResult, error) {
	in := activities.PollInput{
		Pair: r.in.Pair, Cursor: r.state.Cursor, Survey: r.state.Survey,
		Identities: r.state.Identities, Deep: r.state.Deep, Once: r.opts.Once,
		FromHead: r.fromHead(),
	}
	if r.state.Trouble != nil {
		in.Trouble = r.state.Trouble.Key
	}
	wctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	r.interrupt = cancel
	defer func() { r.interrupt = nil }()
	if at := r.state.nextTry(r.now()); !at.IsZero() && r.state.Trouble == nil {
		r.alarm(wctx, cancel, at)
	}
	var page activities.PollResult
	pctx := workflow.WithActivityOptions(wctx, pollOptions(r.pollSummary(), r.state.queue(), r.state.PollBeat))
	err := workflow.ExecuteActivity(pctx, activities.NamePoll, in).Get(wctx, &page)
	if wctx.Err() != nil {
		return page, errInterrupted
	}
	if err == nil {
		r.state.PollBeat = page.Beat
	}
	if err == nil && page.Trouble == nil && page.Reset == "" {
		r.state.Queue = page.Queue
	}
	return page, err
}

// fromHead reports whether the next poll begins at the feed's head.
func (r *run) fromHead() bool { return r.opts.FromHead && !r.opts.Once && r.state.fresh() }

func (r *run) pollSummary() string {
	switch {
	case r.state.Survey != nil:
		return fmt.Sprintf("compare everything, %d of %d", r.state.Survey.Offset, r.state.Survey.Total)
	case r.fromHead():
		return "find the end of the feed"
	case r.state.Cursor.IsZero():
		return "list both organizations"
	default:
		return "wait for changes after " + r.state.Cursor.String()
	}
}

// alarm calls ring at the given time unless ctx ends before.
func (r *run) alarm(ctx workflow.Context, ring func(), at time.Time) {
	timer := workflow.NewTimerWithOptions(ctx, max(at.Sub(r.now()), time.Millisecond),
		workflow.TimerOptions{Summary: "retry unsynced objects"})
	workflow.Go(ctx, func(ctx workflow.Context) {
		if timer.Get(ctx, nil) == nil {
			ring()
		}
	})
}

// wait waits for a signal, and for d at the most if d is not zero.
func (r *run) wait(ctx workflow.Context, d time.Duration, why string) {
	wctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	r.interrupt = cancel
	defer func() { r.interrupt = nil }()
	if d == 0 {
		wctx.Done().Receive(wctx, nil)
		return
	}
	_ = workflow.NewTimerWithOptions(wctx, d, workflow.TimerOptions{Summary: why}).Get(wctx, nil)
}

// trouble notes what keeps the pair from going on.
func (r *run) trouble(t activities.Trouble) {
	if r.state.Trouble == nil || r.state.Trouble.Key != t.Key {
		r.log.Warn("pair waits", "why", t.Message, "hint", t.Hint)
	}
	r.state.Trouble, r.state.LastError = &t, &LastError{At: r.now(), Message: t.Message}
}

// sitOut waits after a trouble of applying: ever longer, or until an operator
// says something.
func (r *run) sitOut(ctx workflow.Context) {
	r.sitting = false
	until := r.sitUntil
	if at := r.state.nextTry(r.now()); r.state.Trouble.Key == troubleFull && !at.IsZero() && at.Before(until) {
		until = at
	}
	d := max(until.Sub(r.now()), time.Millisecond)
	r.wait(ctx, d, "wait: "+r.state.Trouble.Key)
}

// continueAsNew starts the next run with the state and nothing else.
func (r *run) continueAsNew(ctx workflow.Context) error {
	r.drain(ctx)
	r.obey(ctx)
	if r.removed {
		return nil
	}
	r.state.Counters.Restarts++
	r.state.Format = StateFormat
	return workflow.NewContinueAsNewError(ctx, Name, r.in)
}
