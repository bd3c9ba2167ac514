package workflows_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// world is a stateful stand-in for the activities: a primary that is a feed of
// changes, and a replica that is a set of objects. Each function field, if set,
// decides about one call; "" and nil let it happen.
type world struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment

	mu      sync.Mutex
	feed    []object.Change            // the primary's history, ids from 1
	survey  []object.Change            // what a full comparison has to do
	holds   map[object.Ref]bool        // on the primary
	replica map[object.Ref]bool        // on the replica
	staged  map[string][]object.Change // batches
	log     []string                   // what was done, in order
	polls   []activities.PollInput
	queues  []string // that polls were taken from

	attributes []string // search attributes that the namespace has

	logged lockedBuffer // what the workflow and the SDK logged from INFO on

	pageLimit int
	totals    map[object.Kind]int

	onPoll    func(in activities.PollInput) (*activities.PollResult, error)
	onFetch   func(c object.Change) string
	onApply   func(ref object.Ref, try int) string
	tries     map[object.Ref]int
	applyOp   func(in activities.ApplyInput) error
	goneAlong map[object.Ref]int // what goes with objects that are gone

	again bool // what apply refuses is to be tried again at once
	half  bool // and may be half written

	stagedOn string // the queue of whoever fetches; "" = anybody's

	equal    func(c object.Change) bool // whether the replica's object is, when it is fetched
	touches  map[object.Ref]object.Ref  // what goes for a moment when another is written
	leftOver map[object.Ref]object.Ref  // what a replaced object holds no longer

	max int // most unsynced objects of a pair that runs once; 0 = the default
}

var pair = object.Pair{Replica: "sync", Source: "acme", Destination: "acme"}

func newWorld(t *testing.T) *world { return measuredWorld(t, nil) }

// measuredWorld is a world whose workflows report to metrics.
func measuredWorld(t *testing.T, m *telemetry.Metrics) *world {
	var s testsuite.WorkflowTestSuite
	s.SetMetricsHandler(m.SDK())
	w := &world{
		t: t, pageLimit: 100,
		holds: map[object.Ref]bool{}, replica: map[object.Ref]bool{}, staged: map[string][]object.Change{},
		tries: map[object.Ref]int{},
	}
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(&w.logged, nil))))
	w.env = s.NewTestWorkflowEnvironment()
	harness.Patient(w.env, harness.Endless)
	workflows.RegisterWith(w.env, func() []string { return w.attributes })
	w.env.RegisterActivityWithOptions(w.poll, activity.RegisterOptions{Name: activities.NamePoll})
	w.env.RegisterActivityWithOptions(w.fetch, activity.RegisterOptions{Name: activities.NameFetch})
	w.env.RegisterActivityWithOptions(w.apply, activity.RegisterOptions{Name: activities.NameApply})
	return w
}

// change appends to the primary's feed.
func (w *world) change(a object.Action, paths ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range paths {
		ref := object.MustRef(p)
		w.feed = append(w.feed, object.Change{ID: int64(len(w.feed) + 1), Action: a, Ref: ref})
		if a == object.ActionDelete {
			delete(w.holds, ref)
		} else {
			w.holds[ref] = true
		}
	}
}

// at changes the world, or signals the workflow, after some workflow time.
func (w *world) at(d time.Duration, f func()) { w.env.RegisterDelayedCallback(f, d) }

func (w *world) signal(d time.Duration, name string) {
	w.at(d, func() { w.env.SignalWorkflow(name, nil) })
}

// run runs a workflow until it is removed after d, and returns its last status.
func (w *world) run(state workflows.State, d time.Duration) workflows.Status {
	w.t.Helper()
	return w.runWith(workflows.SyncInput{Pair: pair, State: state}, d)
}

// runWith is run with any input.
func (w *world) runWith(in workflows.SyncInput, d time.Duration) workflows.Status {
	w.t.Helper()
	var last workflows.Status
	w.at(d, func() {
		last = w.status()
		w.env.SignalWorkflow(workflows.SignalRemove, nil)
	})
	w.env.ExecuteWorkflow(workflows.Name, in)
	if !w.env.IsWorkflowCompleted() || w.env.GetWorkflowError() != nil {
		w.t.Fatalf("workflow: completed %t, error %v; log:\n%v", w.env.IsWorkflowCompleted(), w.env.GetWorkflowError(), w.log)
	}
	return last
}

// following is the state of a pair that has been compared and is at a cursor.
func following(seq int) workflows.State {
	return workflows.State{Cursor: cursor(seq)}
}

func cursor(seq int) object.Cursor {
	return object.Cursor{Feed: "updated_since", Position: fmt.Sprint(seq)}
}

func (w *world) status() workflows.Status {
	w.t.Helper()
	var s workflows.Status
	v, err := w.env.QueryWorkflow(workflows.QueryStatus)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := v.Get(&s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) unsynced() []workflows.Unsynced {
	w.t.Helper()
	var u []workflows.Unsynced
	v, err := w.env.QueryWorkflow(workflows.QueryUnsynced)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := v.Get(&u); err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) did(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

// history is what was done on the replica, in order.
func (w *world) history() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

func (w *world) poll(ctx context.Context, in activities.PollInput) (activities.PollResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polls = append(w.polls, in)
	w.queues = append(w.queues, activity.GetInfo(ctx).TaskQueue)
	if w.onPoll != nil {
		if out, err := w.onPoll(in); out != nil || err != nil {
			return value(out), err
		}
	}
	if in.Survey != nil || in.Cursor.IsZero() {
		return w.surveyPage(in), nil
	}
	seq := 0
	_, _ = fmt.Sscan(in.Cursor.Position, &seq)
	if seq >= len(w.feed) {
		return activities.PollResult{}, temporal.NewApplicationErrorWithOptions("up to date", activities.TypeUpToDate,
			temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Second})
	}
	to := min(seq+w.pageLimit, len(w.feed))
	out := activities.PollResult{Changes: w.feed[seq:to], Cursor: cursor(to), Behind: int64(len(w.feed) - to), Totals: w.totals}
	out.Deletes = map[object.Kind]int{}
	for _, c := range out.Changes {
		if c.Action == object.ActionDelete {
			out.Deletes[c.Ref.Kind]++
		}
	}
	return out, nil
}

func (w *world) surveyPage(in activities.PollInput) activities.PollResult {
	place := activities.SurveyPlace{ID: "s1", Total: len(w.survey), Head: cursor(len(w.feed)), Totals: w.totals}
	if in.Survey != nil {
		place = *in.Survey
	}
	before, from := place, place.Offset
	place.Offset = min(from+w.pageLimit, len(w.survey))
	out := activities.PollResult{Changes: w.survey[from:place.Offset], From: &before, Totals: w.totals, Extras: 3}
	if place.Offset < len(w.survey) {
		out.Survey = &place
	} else {
		out.Cursor = place.Head
	}
	return out
}

func value(p *activities.PollResult) activities.PollResult {
	if p == nil {
		return activities.PollResult{}
	}
	return *p
}

func (w *world) fetch(_ context.Context, in activities.FetchInput) (activities.FetchResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out activities.FetchResult
	var keep []object.Change
	for _, c := range in.Changes {
		reason := ""
		if w.onFetch != nil {
			reason = w.onFetch(c)
		}
		switch {
		case reason != "":
			out.Failed = append(out.Failed, replicate.Failure{Ref: c.Ref, Reason: reason})
		case !w.holds[c.Ref] && len(w.feed) > 0:
			out.Gone = append(out.Gone, c.Ref)
			out.Along = w.goneAlong
		case w.equal != nil && w.equal(c):
			out.Equal++
		default:
			keep = append(keep, c)
		}
		if ref, ok := w.touches[c.Ref]; ok {
			out.Touched = append(out.Touched, ref)
		}
		if ref, ok := w.leftOver[c.Ref]; ok && c.Action == object.ActionReplace && w.replica[ref] {
			out.Gone = append(out.Gone, ref)
		}
	}
	w.did("fetch %v", refs(in.Changes))
	if len(keep) > 0 {
		out.Batch, out.Staged, out.Queue = fmt.Sprintf("b%d", len(w.staged)), len(keep), w.stagedOn
		w.staged[out.Batch] = keep
	}
	return out, nil
}

func (w *world) apply(_ context.Context, in activities.ApplyInput) (activities.ApplyResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.applyOp != nil {
		if err := w.applyOp(in); err != nil {
			return activities.ApplyResult{}, err
		}
	}
	var out activities.ApplyResult
	for _, ref := range in.Deletes {
		if w.refused(ref, &out) {
			continue
		}
		delete(w.replica, ref)
		out.Deleted++
		w.did("delete %s", ref)
	}
	for _, c := range w.staged[in.Batch] {
		if w.refused(c.Ref, &out) {
			continue
		}
		w.replica[c.Ref] = true
		out.Created++
		w.did("write %s", c.Ref)
	}
	return out, nil
}

func (w *world) refused(ref object.Ref, out *activities.ApplyResult) bool {
	w.tries[ref]++
	if w.onApply == nil {
		return false
	}
	reason := w.onApply(ref, w.tries[ref])
	if reason == "" {
		return false
	}
	out.Failed = append(out.Failed, replicate.Failure{Ref: ref, Reason: reason, Again: w.again, Half: w.half})
	return true
}

func refs(changes []object.Change) []object.Ref {
	out := make([]object.Ref, len(changes))
	for i, c := range changes {
		out[i] = c.Ref
	}
	return out
}

// lockedBuffer is a log that is read while activities may still write to it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
