package watch

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/workflows"
)

const (
	// Every is how often the pairs are looked at, and atOnce how many of them at the
	// most then: with more, each has its turn less often. One look costs Temporal and
	// a worker some milliseconds. What has changed has its turn first.
	Every  = 15 * time.Second
	atOnce = 150

	// besides is how many looks run side by side.
	besides = 4

	// Seldom is how often somebody looks whom neither metrics nor a webhook ask to:
	// there may be incidents of the time when a webhook did.
	Seldom = 5 * time.Minute

	// again is after how long an incident is told again that its pair is well. It stays
	// open while the webhook does not answer, and each time adds to its history.
	again = 5 * time.Minute
)

// Options are the arguments of [New]. All but Metrics and Webhook are required.
type Options struct {
	Client    client.Client
	Namespace string
	Replica   string
	Pairs     []object.Pair
	Log       *slog.Logger

	// Metrics show the pairs; nil shows them nowhere.
	Metrics *telemetry.Metrics

	// StaleAfter is how long a pair may be without success.
	StaleAfter time.Duration

	// Webhook says that there is one to be told. Without one no incident begins; those
	// that are open end when their pairs recover.
	Webhook bool
}

// Watcher watches the pairs of a replica. Make one with [New].
type Watcher struct {
	o        Options
	temporal temporalClient
	now      func() time.Time
	since    time.Time // when it began to watch
	trouble  string    // what was logged last

	seen map[object.Pair]*seen

	// ends says of incidents that were told that their pairs are well, by their IDs,
	// when they may be told again.
	ends map[string]time.Time
}

// seen is what a Watcher knows of a pair.
type seen struct {
	look  look
	known bool            // look was seen
	tried time.Time       // when it was looked at last, or in vain
	text  string          // of its search attributes, then
	told  map[string]bool // IDs of events that its incident has
}

// New returns a Watcher that has seen nothing yet.
func New(o Options) *Watcher {
	return newWatcher(o, sdk{client: o.Client, namespace: o.Namespace, replica: o.Replica}, time.Now)
}

func newWatcher(o Options, t temporalClient, now func() time.Time) *Watcher {
	w := &Watcher{o: o, temporal: t, now: now, since: now(), seen: map[object.Pair]*seen{}, ends: map[string]time.Time{}}
	for _, p := range o.Pairs {
		w.seen[p] = &seen{told: map[string]bool{}}
	}
	return w
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	every := Every
	if w.unasked() {
		every = Seldom
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		w.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// unasked reports whether neither metrics nor a webhook want to know of the pairs.
func (w *Watcher) unasked() bool { return w.o.Metrics == nil && !w.o.Webhook }

// round looks at as many pairs as one round may, shows them, and tells of them.
func (w *Watcher) round(ctx context.Context) {
	open, err := w.temporal.open(ctx, workflows.Name)
	var incidents map[string]string
	if err == nil {
		incidents, err = w.temporal.open(ctx, workflows.IncidentName)
	}
	w.say(ctx, err)
	looked, answered := w.look(ctx, w.next(open, incidents), open)
	if ctx.Err() != nil {
		return
	}
	w.o.Metrics.Temporal(err == nil || answered)
	w.show()
	w.tellAll(ctx, looked, open, incidents)
}

// tellAll tells the incidents of pairs that were looked at, and of those that are not
// in chef-sync.rb. What does not fit into the time of a round has the next one.
func (w *Watcher) tellAll(ctx context.Context, looked []object.Pair, open, incidents map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, Every)
	defer cancel()
	maps.DeleteFunc(w.ends, func(id string, _ time.Time) bool { _, isOpen := incidents[id]; return !isOpen })
	for _, p := range looked {
		if ctx.Err() != nil {
			return
		}
		_, isOpen := incidents[workflows.IncidentWorkflowID(p)]
		w.tell(ctx, p, isOpen)
	}
	w.gone(ctx, open, incidents)
}

// say logs what goes wrong once, until it is something else.
func (w *Watcher) say(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != w.trouble && ctx.Err() == nil && !w.unasked() {
		w.o.Log.WarnContext(ctx, "metrics and webhook know little of the pairs", "err", text)
	}
	w.trouble = text
}

// next returns the pairs whose turn it is: first those that nobody has looked at or
// that have changed since, then those that were looked at longest ago. Unasked, only
// those with an incident are worth a look.
func (w *Watcher) next(open, incidents map[string]string) []object.Pair {
	urgent := func(p object.Pair) int {
		s := w.seen[p]
		if text, listed := open[p.WorkflowID()]; s.tried.IsZero() || listed && text != s.text {
			return 0
		}
		return 1
	}
	all := slices.Clone(w.o.Pairs)
	if w.unasked() {
		all = slices.DeleteFunc(all, func(p object.Pair) bool { _, isOpen := incidents[workflows.IncidentWorkflowID(p)]; return !isOpen })
	}
	slices.SortStableFunc(all, func(a, b object.Pair) int {
		return cmp.Or(cmp.Compare(urgent(a), urgent(b)), w.seen[a].tried.Compare(w.seen[b].tried))
	})
	return all[:min(len(all), atOnce)]
}

// look looks at pairs, some side by side. It returns those that were seen, and
// whether Temporal answered at all. What is known of a pair that cannot be seen
// stays, and grows old.
func (w *Watcher) look(ctx context.Context, pairs []object.Pair, open map[string]string) (looked []object.Pair, answered bool) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(besides)
	for _, p := range pairs {
		g.Go(func() error {
			l, err := w.temporal.look(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			s := w.seen[p]
			s.tried, s.text = w.now(), open[p.WorkflowID()]
			if err != nil {
				w.o.Log.DebugContext(ctx, "pair not seen", "org", p.Destination, "err", err)
				return nil
			}
			s.look, s.known, answered = l, true, true
			looked = append(looked, p)
			return nil
		})
	}
	_ = g.Wait()
	return looked, answered
}

// show gives the metrics what is known.
func (w *Watcher) show() {
	out := make([]telemetry.Pair, 0, len(w.o.Pairs))
	for _, p := range w.o.Pairs {
		if s := w.seen[p]; s.known {
			out = append(out, s.look.pair(p))
		}
	}
	w.o.Metrics.Pairs(out)
}

// tell tells the pair's incident what it does not know yet.
func (w *Watcher) tell(ctx context.Context, p object.Pair, isOpen bool) {
	s := w.seen[p]
	events, over := judge(p, s.look, w.since, w.o.StaleAfter)
	id := workflows.IncidentWorkflowID(p)
	if over && (len(s.told) > 0 || isOpen && w.mayEnd(id)) {
		if err := w.temporal.over(ctx, p, recovered(p, s.look)); err != nil {
			w.o.Log.WarnContext(ctx, "recovery not told", "org", p.Destination, "err", err)
			return
		}
		clear(s.told)
		w.ends[id] = w.now().Add(again)
	}
	if !w.o.Webhook {
		return
	}
	for _, e := range events {
		if s.told[e.ID] {
			continue
		}
		if err := w.temporal.news(ctx, p, e); err != nil {
			w.o.Log.WarnContext(ctx, "event not told", "org", p.Destination, "event", e.Event, "err", err)
			continue
		}
		s.told[e.ID] = true
	}
}

// mayEnd reports whether an incident was not told just now that its pair is well.
func (w *Watcher) mayEnd(id string) bool { return !w.now().Before(w.ends[id]) }
