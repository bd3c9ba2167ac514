package workflows

import (
	"go.temporal.io/sdk/workflow"

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

// along counts, by data bag, the deletes of items that [plan.Coalesce] left out
// because they go with their bag.
func along(all, coalesced []object.Change) map[object.Ref]int {
	seen := make(map[object.Ref]bool, len(all))
	for _, c := range coalesced {
		seen[c.Ref] = true
	}
	out := map[object.Ref]int{}
	for _, c := range all {
		if !seen[c.Ref] {
			seen[c.Ref] = true
			out[object.NewRef(object.KindDataBag, c.Ref.Name)]++
		}
	}
	return out
}

// approval halts the pair if the deletes look like an accident, until an
// operator approves them. Nothing has been deleted then.
func (w *work) approval(ctx workflow.Context, batches []plan.Batch) error {
	s := w.run.state
	excess := plan.Guard(w.weight(), w.guard.totals, w.guard.limit)
	if len(excess) == 0 {
		return nil
	}
	s.Halt = &Halt{Excess: excess, Sample: sample(batches)}
	w.run.approved = false
	defer func() { s.Halt = nil }()
	for !w.run.approved {
		w.run.show(ctx)
		w.run.wait(ctx, 0, "halted")
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.run.halting() || !w.run.approved && workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return errInterrupted // the next run asks again
		}
	}
	w.run.approved = false
	if w.guard.survey != "" {
		s.ApprovedSurvey = w.guard.survey
	}
	return nil
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
	for _, c := range w.gone { // an approval cannot have known of these
		deletes[c.Ref.Kind]++
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
