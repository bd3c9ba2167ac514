package workflows

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"

	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// guard is what the delete guard weighs.
type guard struct {
	// deletes are those that were known when the page was made: of a full
	// comparison, all of its pages together.
	deletes, totals map[object.Kind]int
	limit           plan.DeleteLimit
	survey          string // the full comparison that an approval covers; "" = this page
}

// along counts, by data bag, policy or policy group, the deletes that
// [plan.Coalesce] left out because they go with it.
func along(all, coalesced []object.Change) map[object.Ref]int {
	seen := make(map[object.Ref]bool, len(all))
	for _, c := range coalesced {
		seen[c.Ref] = true
	}
	out := map[object.Ref]int{}
	for _, c := range all {
		if seen[c.Ref] {
			continue
		}
		seen[c.Ref] = true
		if parent, ok := c.Ref.Parent(); ok {
			out[parent]++
		}
	}
	return out
}

// approval halts the pair if the deletes look like an accident, until an
// operator approves or drops them. Nothing has been deleted then. It returns
// false if they are not to be made.
func (w *work) approval(ctx workflow.Context, batches []plan.Batch) (bool, error) {
	s, r := w.run.state, w.run
	if w.dropped() {
		w.drop(batches)
		return false, nil
	}
	excess := plan.Guard(w.weight(), w.guard.totals, w.guard.limit)
	if len(excess) == 0 {
		return true, nil
	}
	id := haltID(batches, excess)
	if s.ApprovedHalt == id && workflow.GetVersion(ctx, versionApproval, workflow.DefaultVersion, approvalKept) == approvalKept {
		return true, nil
	}
	s.Halt = &Halt{ID: id, Excess: excess, Sample: sample(batches)}
	r.approved, r.dropped = false, false
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{
		activities.TagOrganization: r.in.Pair.Destination,
	}).Counter(activities.MetricHalts).Inc(1)
	defer func() { s.Halt, r.approved, r.dropped = nil, false, false }()
	for !r.approved && !r.dropped {
		r.show(ctx)
		r.wait(ctx, 0, "halted")
		if err := ctx.Err(); err != nil {
			return false, err
		}
		decided := r.approved || r.dropped
		if r.halting() || !decided && workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return false, errInterrupted // the next run asks again
		}
	}
	if r.dropped { // also if both were said: in doubt nothing is deleted
		s.DroppedSurvey = cmp.Or(w.guard.survey, s.DroppedSurvey)
		w.drop(batches)
		w.dropParked(ctx)
		return false, nil
	}
	s.ApprovedSurvey = cmp.Or(w.guard.survey, s.ApprovedSurvey)
	s.ApprovedHalt = id
	return true, nil
}

// drop leaves on the replica what would have been deleted.
func (w *work) drop(batches []plan.Batch) {
	s := w.run.state
	for _, b := range batches {
		for _, c := range b.Changes {
			s.synced(c.Ref)
			s.Dropped += 1 + w.along[c.Ref]
		}
	}
}

// dropped reports whether an operator said that this full comparison deletes nothing.
func (w *work) dropped() bool {
	return w.guard.survey != "" && w.run.state.DroppedSurvey == w.guard.survey
}

// dropParked drops the deletes of the full comparison that are on the list of unsynced
// objects: the question was about them, too.
func (w *work) dropParked(ctx workflow.Context) {
	s := w.run.state
	ours := func(u Unsynced) bool {
		return u.Action == object.ActionDelete && s.SurveyPage > 0 && s.SurveyPage <= u.Page
	}
	if !w.dropped() || !slices.ContainsFunc(s.Unsynced, ours) ||
		workflow.GetVersion(ctx, versionDropped, workflow.DefaultVersion, droppedParked) != droppedParked {
		return
	}
	for _, u := range s.Unsynced {
		if ours(u) {
			s.Dropped += 1 + u.Along
		}
	}
	s.Unsynced = slices.DeleteFunc(s.Unsynced, ours)
}

// haltID names what a halted pair asks: which objects, and how many in all.
func haltID(batches []plan.Batch, excess []plan.Excess) string {
	h := fnv.New64a()
	say := func(s string) { _, _ = h.Write([]byte(s + "\n")) }
	for _, e := range excess {
		say(e.String())
	}
	for _, b := range batches {
		for _, c := range b.Changes {
			say(c.Ref.Path())
		}
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// weight counts the deletes that nobody has approved.
func (w *work) weight() map[object.Kind]int {
	deletes := map[object.Kind]int{}
	if w.guard.survey == "" || w.run.state.ApprovedSurvey != w.guard.survey {
		for _, k := range object.Kinds() {
			if n := w.guard.deletes[k]; n > 0 {
				deletes[k] = n
			}
		}
	}
	// An approval cannot have known of what turned out to be gone. What goes with
	// that is perhaps named, too.
	named := map[object.Ref]int{}
	for _, c := range w.gone {
		deletes[c.Ref.Kind]++
		if parent, ok := c.Ref.Parent(); ok {
			named[parent]++
		}
	}
	for _, c := range w.gone {
		if child, ok := c.Ref.Kind.Contains(); ok {
			deletes[child] += max(w.along[c.Ref]-named[c.Ref], 0)
		}
	}
	return deletes
}

// sample returns the first few refs.
func sample(batches []plan.Batch) []object.Ref {
	const most = 20
	var out []object.Ref
	for _, b := range batches {
		for _, ref := range b.Refs() {
			if len(out) == most {
				return out
			}
			out = append(out, ref)
		}
	}
	return out
}
