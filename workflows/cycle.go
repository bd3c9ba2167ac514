package workflows

import (
	"cmp"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// errInterrupted ends a page that an operator stopped; it is taken again.
var errInterrupted = errors.New("interrupted")

// errFull ends a page of which more could not be done than there is room to
// remember; it is taken again.
var errFull = errors.New("more objects are unsynced than can be remembered")

// cycle takes one page all the way: writes by rank, then deletes, then the
// cursor. If it cannot be completed nothing is advanced, and the page, or what
// the feed has then, is taken again: what is on the replica by then is equal
// and is not written again.
func (r *run) cycle(ctx workflow.Context, page activities.PollResult) {
	if r.state.Cursor.IsZero() && r.state.Survey == nil && !page.Identities.SameServers(r.state.Identities) {
		r.state.Unsynced = nil // deletes that were kept, of other servers
	}
	begins := page.From != nil && r.state.Survey == nil
	if page.From != nil { // to be asked for again if it is interrupted
		r.state.Survey = page.From
	}
	if !page.FromCursor.IsZero() {
		r.state.Cursor = page.FromCursor
	}
	if t := r.state.Trouble; t == nil || t.Key != troubleFull || begins { // or else it is the same page
		r.state.Page++
	}
	if begins {
		r.state.SurveyPage = r.state.Page
	}
	r.state.Identities = page.Identities
	r.state.Behind = page.Behind
	r.state.DeleteLimit = page.DeleteLimit
	changes := plan.Coalesce(page.Changes)
	w := &work{run: r, page: r.state.Page, along: along(page.Changes, changes), guard: guard{
		deletes: page.Deletes, totals: page.Totals, limit: page.DeleteLimit,
		survey: surveyID(r.state.Survey, page.Survey),
	}}
	next := r.now().Add(r.opts.RetryFirst)
	for i, c := range changes { // objects that are back
		if c.Action != object.ActionDelete && r.state.undelete(c.Ref, r.state.Page, next) {
			changes[i].Action = object.ActionReplace
		}
	}
	err := w.all(ctx, changes)
	if once := r.opts.Once && r.state.TroubleCount >= triesOnce; err == nil && w.full && !once { // or else the list says enough
		err = errFull
	}
	if r.settle(err) {
		r.advance(page)
	}
}

// surveyID names the full comparison that a page belongs to; "" if none.
func surveyID(before, after *activities.SurveyPlace) string {
	switch {
	case after != nil:
		return after.ID
	case before != nil:
		return before.ID
	default:
		return ""
	}
}

// retry takes unsynced objects again. The cursor stays.
func (r *run) retry(ctx workflow.Context, due []Unsynced) {
	pages, with := map[object.Ref]int64{}, map[object.Ref]int{}
	changes := make([]object.Change, len(due))
	for i, u := range due {
		changes[i] = object.Change{Action: u.Action, Ref: u.Ref}
		pages[u.Ref], with[u.Ref] = u.Page, u.Along
	}
	deletes := plan.CountDeletes(changes)
	for _, u := range due {
		if child, ok := u.Ref.Kind.Contains(); ok {
			deletes[child] += u.Along
		}
	}
	w := &work{run: r, page: r.state.Page, pages: pages, along: with, ids: r.state.Identities, guard: guard{
		deletes: deletes, limit: r.state.DeleteLimit,
	}}
	full, count := r.state.Trouble, r.state.TroubleCount
	switch {
	case r.settle(w.all(ctx, plan.Coalesce(changes))):
		if full != nil && len(r.state.Unsynced) >= r.opts.MaxUnsynced { // and it still is
			r.state.Trouble, r.state.TroubleCount, r.sitting = full, count, true
		}
		r.state.LastSync = r.now()
		r.tellApplied("unsynced objects tried again", len(due))
	case r.sitting: // or else these would be the first thing to be tried again
		r.state.repark(due, *r.state.Trouble, r.now(), r.opts)
	}
}

// settle notes how a page ended, and reports whether it is complete.
func (r *run) settle(err error) bool {
	switch {
	case err == nil:
		r.state.Trouble, r.state.TroubleCount, r.state.ApprovedHalt = nil, 0, ""
		return true
	case errors.Is(err, errInterrupted), temporal.IsCanceledError(err):
		return false
	default:
		r.state.TroubleCount++
		r.sitting = true
		r.sitUntil = r.now().Add(backoff(r.state.TroubleCount, r.opts.RetryFirst, r.opts.RetryMost))
		t := activities.TroubleOf(err)
		if errors.Is(err, errFull) {
			t.Key, t.Hint = troubleFull, "chef-sync-ctl unsynced-objects "+r.in.Pair.Destination
			t.Message = fmt.Sprintf("more than %d objects are unsynced and would be forgotten: the feed waits until there are fewer", r.opts.MaxUnsynced)
			if ref, n := r.state.mostWaitedFor(); n > 0 {
				t.Message += fmt.Sprintf("; %d of them are deletes that wait for %s, which cannot be written", n, ref.Path())
			}
		}
		r.trouble(t)
		return false
	}
}

// troubleFull is the key of the trouble that [errFull] is. Objects are tried again
// in it: that is what ends it.
const troubleFull = "unsynced-full"

// advance moves the cursor behind a page that is complete.
func (r *run) advance(page activities.PollResult) {
	if r.forget { // the operator wants everything compared; the loop begins that
		return
	}
	was := r.state.comparing()
	r.state.Cursor, r.state.Survey = page.Cursor, page.Survey
	r.state.LastSync = r.now()
	r.state.Counters.Cycles++
	r.state.Counters.Ignored += int64(page.Ignored)
	r.tellApplied("page applied", len(page.Changes))
	if was {
		r.state.Extras = page.Extras
	}
	if was && !r.state.comparing() {
		r.state.Cursor, r.state.Resume = cmp.Or(r.state.Resume, r.state.Cursor), object.Cursor{}
		r.state.Counters.Surveys++
		r.state.ResetReason = ""
		if r.state.CompareAt.IsZero() {
			r.state.Forgotten = 0
		}
	}
}

// work is one page on its way to the replica.
type work struct {
	run   *run
	page  int64
	pages map[object.Ref]int64 // of objects that are tried again
	along map[object.Ref]int   // how much goes with a data bag, policy or policy group
	ids   object.Identities    // the servers that a retry is about; a page was asked for just now
	guard guard

	failed  bool                // a write of this page did not succeed
	full    bool                // something of this page is not on the list for want of room
	gone    []object.Change     // objects that the primary turned out not to have
	touched map[object.Ref]bool // objects that went for a moment
}

// all applies coalesced changes.
func (w *work) all(ctx workflow.Context, changes []object.Change) error {
	var writes, deletes []plan.Batch
	for _, b := range plan.Batches(changes, w.run.opts.Limits) {
		if b.Delete {
			deletes = append(deletes, b)
		} else {
			writes = append(writes, b)
		}
	}
	if err := w.writes(ctx, writes); err != nil {
		return err
	}
	if len(w.gone) > 0 {
		deletes = plan.Batches(append(deletesOf(changes), w.gone...), w.run.opts.Limits)
	}
	if len(deletes) == 0 {
		return nil
	}
	if w.dropped() && workflow.GetVersion(ctx, versionDropped, workflow.DefaultVersion, droppedParked) == droppedParked {
		w.drop(deletes) // or else those that wait would be made later
		return nil
	}
	if w.failed {
		w.postpone(ctx, deletes)
		return nil
	}
	if deletes = w.unused(ctx, deletes); len(deletes) == 0 {
		return nil
	}
	if approved, err := w.approval(ctx, deletes); err != nil || !approved {
		return err
	}
	for _, b := range deletes {
		if err := w.apply(ctx, b, activities.FetchResult{}); err != nil {
			return err
		}
	}
	return nil
}

// writes fetches and applies batches in order; the next one is fetched while
// this one is applied.
func (w *work) writes(ctx workflow.Context, batches []plan.Batch) error {
	if len(batches) == 0 {
		return nil
	}
	next := w.startFetch(ctx, batches[0])
	for i, b := range batches {
		got, err := w.fetched(ctx, next)
		if err != nil {
			return err
		}
		if i+1 < len(batches) {
			next = w.startFetch(ctx, batches[i+1])
		}
		if err := w.apply(ctx, b, got); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) startFetch(ctx workflow.Context, b plan.Batch) workflow.Future {
	fctx := workflow.WithActivityOptions(ctx, batchOptions("read "+describe(b), ""))
	return workflow.ExecuteActivity(fctx, activities.NameFetch, activities.FetchInput{
		Pair: w.run.in.Pair, Identities: w.ids, Changes: b.Changes,
	})
}

func (w *work) fetched(ctx workflow.Context, f workflow.Future) (activities.FetchResult, error) {
	var got activities.FetchResult
	if err := f.Get(ctx, &got); err != nil {
		return got, err
	}
	for _, ref := range got.Touched {
		w.run.state.park(Unsynced{
			Ref: ref, Action: object.ActionUpdate, Reason: "what it points at is made anew", Page: w.page, NextTry: w.run.now(),
		}, w.run.now(), w.run.opts)
		if w.touched == nil {
			w.touched = map[object.Ref]bool{}
		}
		w.touched[ref] = true
	}
	if w.run.halting() {
		return got, errInterrupted
	}
	return got, nil
}

// halting reports whether an operator wants this page left alone.
func (r *run) halting() bool { return r.state.Stopped || r.removed || r.forget }

// maxRefetch is how often a batch is fetched again because staging lost it.
const maxRefetch = 5

// apply applies a batch and takes the results into the state. A batch that
// staging no longer has is fetched again.
func (w *work) apply(ctx workflow.Context, b plan.Batch, got activities.FetchResult) error {
	if w.crowded(ctx, b) {
		return errFull
	}
	for try := 0; ; try++ {
		var done activities.ApplyResult
		if b.Delete || got.Batch != "" {
			in := activities.ApplyInput{Pair: w.run.in.Pair, Identities: w.ids, Batch: got.Batch}
			verb := "write "
			if b.Delete {
				// An operator's word may have taken days: other servers may be there now.
				in.Deletes, in.Identities, verb = b.Refs(), w.run.state.Identities, "delete "
			}
			actx := workflow.WithActivityOptions(ctx, batchOptions(verb+describe(b), got.Queue))
			err := workflow.ExecuteActivity(actx, activities.NameApply, in).Get(ctx, &done)
			if err != nil {
				b = w.doubt(ctx, b)
			}
			if hostGone(err) && got.Queue == w.run.state.Queue {
				w.run.state.Queue = "" // or else the next poll would wait for that host as well
			}
			if stagingLost(err) && try < maxRefetch {
				if got, err = w.fetched(ctx, w.startFetch(ctx, b)); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
		}
		w.record(ctx, b, got, done)
		if w.run.halting() {
			return errInterrupted
		}
		return nil
	}
}

// stagingLost reports whether a batch has to be fetched again: staging lost it,
// or the host that has it does not come back.
func stagingLost(err error) bool {
	return hostGone(err) || activities.IsStagingLost(err)
}

// hostGone reports whether no worker of a host's queue took an activity in time.
func hostGone(err error) bool {
	var timeout *temporal.TimeoutError
	return errors.As(err, &timeout) && timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_START
}

// describe is a batch in an activity's summary.
func describe(b plan.Batch) string {
	if len(b.Changes) == 1 {
		return b.Changes[0].Ref.String()
	}
	return fmt.Sprintf("%s and %d more", b.Changes[0].Ref, len(b.Changes)-1)
}

// deletesOf returns the deletes among changes.
func deletesOf(changes []object.Change) []object.Change {
	var out []object.Change
	for _, c := range changes {
		if c.Action == object.ActionDelete {
			out = append(out, c)
		}
	}
	return out
}
