package watch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// goneAfter is how long an incident stays open whose pair runs, and is not in this
// ec-syncd's chef-sync.rb: that of another host may have it already, or still.
const goneAfter = time.Hour

// gone ends the incidents of pairs that are not in chef-sync.rb, which nobody looks at
// any more: at once if the pair does not run, else when this Watcher has watched for
// goneAfter. A round ends so many of them at the most, some side by side, those that
// were tried longest ago first; a pair of which the lists tell enough is not looked at.
func (w *Watcher) gone(ctx context.Context, open, incidents map[string]string) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(besides)
	for _, p := range w.left(open, incidents) {
		g.Go(func() error {
			next := Every
			if w.end(ctx, p) {
				next = again
			}
			mu.Lock()
			defer mu.Unlock()
			w.ends[workflows.IncidentWorkflowID(p)] = w.now().Add(next)
			return nil
		})
	}
	_ = g.Wait()
}

// left returns the pairs whose incidents gone may end now.
func (w *Watcher) left(open, incidents map[string]string) []object.Pair {
	known := map[string]bool{}
	for _, p := range w.o.Pairs {
		known[workflows.IncidentWorkflowID(p)] = true
	}
	prefix, young := workflows.IncidentWorkflowID(object.Pair{Replica: w.o.Replica}), w.now().Sub(w.since) < goneAfter
	var out []object.Pair
	for _, id := range slices.Sorted(maps.Keys(incidents)) {
		destination, ours := strings.CutPrefix(id, prefix)
		p := object.Pair{Replica: w.o.Replica, Destination: destination}
		_, runs := open[p.WorkflowID()]
		if ours && !known[id] && !(runs && young) && w.mayEnd(id) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b object.Pair) int {
		return w.ends[workflows.IncidentWorkflowID(a)].Compare(w.ends[workflows.IncidentWorkflowID(b)])
	})
	return out[:min(len(out), atOnce)]
}

// end ends the incident of a pair that is not in chef-sync.rb, if it is time, and
// reports whether it did. What the pair reads is known from the pair alone.
func (w *Watcher) end(ctx context.Context, p object.Pair) bool {
	if ctx.Err() != nil { // the round has taken too long
		return false
	}
	l, err := w.temporal.look(ctx, p)
	switch {
	case err != nil && !l.running: // whether it runs is not known
		w.o.Log.DebugContext(ctx, "pair not seen", "org", p.Destination, "err", err)
		return false
	case l.running && w.now().Sub(w.since) < goneAfter:
		return false
	}
	p.Source = l.status.Pair.Source
	e := recovered(p, l)
	e.Reason, e.Hint = "the pair is not in chef-sync.rb any more", ""
	if l.running {
		e.Hint = "chef-sync-ctl remove " + p.Destination
	}
	if err := w.temporal.over(ctx, p, e); err != nil {
		w.o.Log.WarnContext(ctx, "recovery not told", "org", p.Destination, "err", err)
		return false
	}
	w.o.Log.InfoContext(ctx, "incident ends: its pair is not in chef-sync.rb any more", "org", p.Destination)
	return true
}
