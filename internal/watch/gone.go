package watch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// goneAfter is how long an incident stays open whose pair runs, and is not in this
// ec-syncd's chef-sync.rb: that of another host may have it already, or still.
const goneAfter = time.Hour

// gone ends the incidents of pairs that are not in chef-sync.rb, which nobody looks at
// any more: at once if the pair does not run, else when this Watcher has watched for
// goneAfter.
func (w *Watcher) gone(ctx context.Context, incidents map[string]string) {
	known := map[string]bool{}
	for _, p := range w.o.Pairs {
		known[workflows.IncidentWorkflowID(p)] = true
	}
	prefix, ended := workflows.IncidentWorkflowID(object.Pair{Replica: w.o.Replica}), 0
	for _, id := range slices.Sorted(maps.Keys(incidents)) {
		destination, ours := strings.CutPrefix(id, prefix)
		if !ours || known[id] {
			continue
		}
		if ended++; ended > atOnce { // the others in the next round
			return
		}
		w.end(ctx, object.Pair{Replica: w.o.Replica, Destination: destination})
	}
}

// end ends the incident of a pair that is not in chef-sync.rb, if it is time. What the
// pair reads is known from the pair alone.
func (w *Watcher) end(ctx context.Context, p object.Pair) {
	l, err := w.temporal.look(ctx, p)
	switch {
	case err != nil && !l.running: // whether it runs is not known
		w.o.Log.DebugContext(ctx, "pair not seen", "org", p.Destination, "err", err)
		return
	case l.running && w.now().Sub(w.since) < goneAfter:
		return
	}
	p.Source = l.status.Pair.Source
	e := recovered(p, l)
	e.Reason, e.Hint = "the pair is not in chef-sync.rb any more", ""
	if l.running {
		e.Hint = "chef-sync-ctl remove " + p.Destination
	}
	if err := w.temporal.over(ctx, p, e); err != nil {
		w.o.Log.WarnContext(ctx, "recovery not told", "org", p.Destination, "err", err)
		return
	}
	w.o.Log.InfoContext(ctx, "incident ends: its pair is not in chef-sync.rb any more", "org", p.Destination)
}
