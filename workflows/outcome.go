package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// record takes the outcome of one batch into the state.
func (w *work) record(ctx workflow.Context, b plan.Batch, got activities.FetchResult, done activities.ApplyResult) {
	s := w.run.state
	asked, bad, replaced := map[object.Ref]bool{}, map[object.Ref]bool{}, map[object.Ref]bool{}
	for _, c := range b.Changes {
		asked[c.Ref], replaced[c.Ref] = true, c.Action == object.ActionReplace
	}
	for _, f := range append(got.Failed, done.Failed...) {
		bad[f.Ref] = true
		action := object.ActionUpdate
		switch {
		case b.Delete:
			action = object.ActionDelete
		case replaced[f.Ref], f.Half:
			action = object.ActionReplace
		}
		w.failed = w.failed || !b.Delete
		u := Unsynced{
			Ref: f.Ref, Action: action, Reason: f.Reason, Hint: f.Hint, Page: w.pageOf(f.Ref), Along: w.along[f.Ref],
		}
		if f.Again {
			u.NextTry = w.run.now()
		}
		w.park(ctx, u)
	}
	for _, ref := range got.Gone {
		bad[ref] = true
		if !asked[ref] && !w.remember(ctx, ref) {
			if parent, _ := ref.Parent(); !bad[parent] {
				bad[parent] = true // and with it, what it holds no longer
				s.later(parent, w.run.now(), w.run.opts)
			}
		}
		if n := got.Along[ref]; n > 0 {
			w.along[ref] = max(w.along[ref], n)
		}
		w.gone = append(w.gone, object.Change{Action: object.ActionDelete, Ref: ref})
	}
	for _, c := range b.Changes {
		if !bad[c.Ref] && !w.stale(ctx, c.Ref) {
			s.synced(c.Ref)
		}
	}
	s.Left = replicate.MergeLeft(s.Left, done.Left)
	s.Counters.Created += int64(done.Created)
	s.Counters.Updated += int64(done.Updated)
	s.Counters.Deleted += int64(done.Deleted)
	s.Counters.Equal += int64(done.Equal + got.Equal)
	s.Counters.Failed += int64(len(got.Failed) + len(done.Failed))
	s.Counters.Files += int64(done.Files)
	s.Counters.Bytes += got.Bytes
}

// park puts an object on the list of unsynced objects. It returns false if the list
// has no room for what would be found nowhere else: then the page is taken again.
// What a full comparison wants to delete, the next one will find.
func (w *work) park(ctx workflow.Context, u Unsynced) bool {
	r := w.run
	last := r.state.takesLastRoom(u, r.opts) &&
		workflow.GetVersion(ctx, versionLast, workflow.DefaultVersion, lastKept) == lastKept
	if !last && r.state.park(u, r.now(), r.opts) {
		return true
	}
	if extra := w.guard.survey != "" && w.guard.deletes[u.Ref.Kind] > 0; extra ||
		workflow.GetVersion(ctx, versionFull, workflow.DefaultVersion, fullWaits) != fullWaits {
		r.state.compareSoon(r.now(), r.opts)
		return true
	}
	w.full = true
	return false
}

// remember puts the delete of what a replaced object holds no longer on the list,
// where the replacement itself was known from. It returns false if there is no room.
func (w *work) remember(ctx workflow.Context, ref object.Ref) bool {
	if workflow.GetVersion(ctx, versionLeftOver, workflow.DefaultVersion, leftOverKept) != leftOverKept {
		return true
	}
	return w.park(ctx, waiting(ref, w.pageOf(ref), 0))
}

// stale reports whether an object was perhaps read before it went for a moment:
// the next batch is read while this one is written.
func (w *work) stale(ctx workflow.Context, ref object.Ref) bool {
	return w.touched[ref] &&
		workflow.GetVersion(ctx, versionTouched, workflow.DefaultVersion, touchedAgain) == touchedAgain
}

// doubt notes what may be half written, or half deleted, by an Apply that broke off,
// wherever it did, and returns the batch as it is to be fetched next: the looks of a
// cookbook version do not tell.
func (w *work) doubt(ctx workflow.Context, b plan.Batch) plan.Batch {
	cookbook := func(c object.Change) bool { return c.Ref.Kind == object.KindCookbook }
	if !slices.ContainsFunc(b.Changes, cookbook) {
		return b
	}
	v := workflow.GetVersion(ctx, versionBroken, workflow.DefaultVersion, brokenDeletes)
	if v < brokenReplaced || b.Delete && v < brokenDeletes {
		return b
	}
	b.Changes = slices.Clone(b.Changes)
	for i, c := range b.Changes {
		if !cookbook(c) {
			continue
		}
		if !b.Delete {
			b.Changes[i].Action = object.ActionReplace
		}
		w.run.state.doubt(b.Changes[i], w.pageOf(c.Ref), w.run.now(), w.run.opts)
	}
	return b
}

// crowded reports whether there would be no room to remember what is half written, or
// half deleted, if the Apply of a batch broke off. A pair that runs once does not wait
// for room for ever.
func (w *work) crowded(ctx workflow.Context, b plan.Batch) bool {
	s, o := w.run.state, w.run.opts
	doubts := 0
	for _, c := range b.Changes {
		if _, known := s.find(c.Ref); !known && c.Ref.Kind == object.KindCookbook {
			doubts++
		}
	}
	once := o.Once && s.TroubleCount >= triesOnce && s.Trouble != nil && s.Trouble.Key == troubleFull
	return doubts > 0 && !once && len(s.Unsynced)+doubts > o.MaxUnsynced+o.roomForDoubts() &&
		workflow.GetVersion(ctx, versionDoubts, workflow.DefaultVersion, doubtsBounded) == doubtsBounded
}

// postpone parks deletes behind the writes of their page that did not succeed.
func (w *work) postpone(ctx workflow.Context, batches []plan.Batch) {
	for _, b := range batches {
		for _, c := range b.Changes {
			w.park(ctx, waiting(c.Ref, w.pageOf(c.Ref), w.along[c.Ref]))
		}
	}
}

// unused puts off the deletes of what a policy group may still use on the replica
// because it could not be moved, in whatever page that was, and returns the others.
// No server keeps it: the nodes of the group would fail. What there is no room to
// remember stays on the replica, and counts as an extra.
func (w *work) unused(ctx workflow.Context, batches []plan.Batch) []plan.Batch {
	s := w.run.state
	var free, held []object.Change
	left := 0
	for _, b := range batches {
		for _, c := range b.Changes {
			u := waiting(c.Ref, w.pageOf(c.Ref), w.along[c.Ref])
			u.InUse = c.Ref.Kind == object.KindPolicyRevision || c.Ref.Kind == object.KindArtifact
			u.Reason = "is deleted when the policy groups that may use it have moved"
			switch {
			case !u.InUse || !s.inUse(u) ||
				workflow.GetVersion(ctx, versionInUse, workflow.DefaultVersion, inUseKept) != inUseKept:
				free = append(free, c)
				continue
			case s.roomInUse(c.Ref, w.run.opts):
				w.park(ctx, u)
			default:
				left++
			}
			held = append(held, c)
		}
	}
	if len(held) == 0 {
		return batches
	}
	if s.Dropped += left; left > 0 {
		w.run.log.Warn("deletes are not made: there is no room to remember them until the policy groups have moved", "objects", left)
	}
	for _, c := range held { // nobody need approve what is not made
		if i := slices.Index(w.gone, c); i >= 0 {
			w.gone = slices.Delete(w.gone, i, i+1)
		} else if w.guard.deletes[c.Ref.Kind] > 0 {
			w.guard.deletes[c.Ref.Kind]--
		}
	}
	return plan.Batches(free, w.run.opts.Limits)
}

// waiting is a delete that waits for the writes of its page.
func waiting(ref object.Ref, page int64, along int) Unsynced {
	return Unsynced{
		Ref: ref, Action: object.ActionDelete, Waits: true, Page: page, Along: along,
		Reason: "is deleted when the writes of its page are done",
	}
}

func (w *work) pageOf(ref object.Ref) int64 {
	if p, ok := w.pages[ref]; ok {
		return p
	}
	return w.page
}
