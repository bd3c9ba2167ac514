package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
)

const (
	// A warning is repeated once a minute at first, and ever more rarely.
	firstFold, mostFold = time.Minute, 16 * time.Minute

	// sweepInterval is how late the end of an interval may be noticed.
	sweepInterval = 5 * time.Second

	// mostFolds bounds what is remembered. What is beyond is logged as it comes.
	mostFolds = 4096
)

// folds are the warnings that are being repeated.
type folds struct {
	now func() time.Time

	mu sync.Mutex
	of map[string]*fold
}

// fold is one warning.
type fold struct {
	next   slog.Handler
	record slog.Record // the last one
	org    string
	named  bool // the handler adds org

	held     int           // records since the last that was written
	total    int           // of all that were left out
	interval time.Duration // between two that are written
	until    time.Time     // the end of this one
}

func newFolds(now func() time.Time) *folds { return &folds{now: now, of: map[string]*fold{}} }

// take writes a record, or holds it back as a repetition of another.
func (f *folds) take(ctx context.Context, key string, e fold) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have := f.of[key]; have != nil {
		f.turn(key, have)
	}
	have := f.of[key]
	if have == nil {
		if len(f.of) < mostFolds {
			e.record, e.interval, e.until = e.record.Clone(), firstFold, f.now().Add(firstFold)
			f.of[key] = &e
		}
		return e.next.Handle(ctx, e.record)
	}
	have.next, have.record = e.next, e.record.Clone()
	have.held++
	return nil
}

// turn ends the interval of a warning if it is over: with one record for all that
// were held back, or with the word that there were no more. f.mu is held.
func (f *folds) turn(key string, e *fold) {
	now := f.now()
	if now.Before(e.until) {
		return
	}
	if e.held > 0 {
		f.say(e)
		e.interval = min(2*e.interval, mostFold)
		e.until = now.Add(e.interval)
		return
	}
	delete(f.of, key)
	if e.total > 0 {
		r := slog.NewRecord(now, slog.LevelInfo, "no longer repeated", 0)
		r.AddAttrs(slog.String("what", e.record.Message), slog.Int(attrRepeated, e.total))
		e.write(r)
	}
}

// say writes the last of the records that were held back, and how many there were.
func (f *folds) say(e *fold) {
	r := e.record.Clone()
	r.Time = f.now()
	r.AddAttrs(slog.Int(attrRepeated, e.held))
	e.total += e.held
	e.held = 0
	e.write(r)
}

func (e *fold) write(r slog.Record) {
	if e.org != "" && !e.named && !hasAttr(r, AttrOrg) {
		r.AddAttrs(slog.String(AttrOrg, e.org))
	}
	ctx := context.Background() // whoever logged it is gone
	if e.next.Enabled(ctx, r.Level) {
		_ = e.next.Handle(ctx, r) // a log that cannot be written has nobody to tell
	}
}

// recovered forgets the warnings of an organization, having said how often there
// were some: the next one is news.
func (f *folds) recovered(org string) {
	f.end(func(e *fold) bool { return e.org == org })
}

// flush says what is held back, and forgets everything.
func (f *folds) flush() { f.end(func(*fold) bool { return true }) }

func (f *folds) end(which func(*fold) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(f.of)) {
		if e := f.of[key]; which(e) {
			if e.held > 0 {
				f.say(e)
			}
			delete(f.of, key)
		}
	}
}

// sweep ends the intervals that are over.
func (f *folds) sweep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(f.of)) {
		f.turn(key, f.of[key])
	}
}

// sweepEvery sweeps until stop is called.
func (f *folds) sweepEvery(d time.Duration) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				f.sweep()
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-stopped
	})
}

// folded is a handler that writes equal warnings and errors once in a while: the
// first at once, and at the end of each interval the last of those that came
// meanwhile, with the attribute repeated. The intervals are a minute, and twice as
// long each time, up to a quarter of an hour. Two are equal if message and attributes
// are, but for numbers and times in them that are no part of a name. When there are no more, that is said once:
// by whoever knows, with [AttrRecovered], or else after an interval without any.
//
// It also names the organization of records that hold only a workflow's ID.
type folded struct {
	folds  *folds
	next   slog.Handler
	key    string // of the attributes given before
	org    string // theirs; "" if none
	named  bool   // org is an attribute of its own
	groups bool   // attributes are in a group now
}

// Enabled reports whether a level is written.
func (h *folded) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle writes a record, or holds it back.
func (h *folded) Handle(ctx context.Context, r slog.Record) error {
	if ofNormalStop(r) {
		if r.Level = slog.LevelDebug; !h.next.Enabled(ctx, r.Level) {
			return nil
		}
	}
	org, named, recovered := h.org, h.named, false
	r.Attrs(func(a slog.Attr) bool {
		if !h.groups {
			org, named = organization(a, org, named)
			recovered = recovered || a.Key == AttrRecovered
		}
		return true
	})
	if org != "" && !named && !h.groups {
		r = r.Clone()
		r.AddAttrs(slog.String(AttrOrg, org))
	}
	if recovered {
		h.folds.recovered(org)
	}
	if r.Level < slog.LevelWarn {
		return h.next.Handle(ctx, r)
	}
	var key strings.Builder
	key.WriteString(r.Level.String() + "\x00" + r.Message + "\x00" + h.key)
	r.Attrs(func(a slog.Attr) bool {
		key.WriteString(stable(a))
		return true
	})
	return h.folds.take(ctx, key.String(), fold{next: h.next, record: r, org: org, named: h.named})
}

// WithAttrs returns a handler that adds attributes to each record.
func (h *folded) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		out.key += stable(a)
		if !h.groups {
			out.org, out.named = organization(a, out.org, out.named)
		}
	}
	return &out
}

// WithGroup returns a handler that puts what follows into a group.
func (h *folded) WithGroup(name string) slog.Handler {
	out := *h
	out.next, out.groups = h.next.WithGroup(name), true
	out.key += name + "."
	return &out
}

// scheduled is what a schedule adds to the ID of a workflow that it starts.
var scheduled = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[\d:]+Z$`)

// organization returns the organization that is known after an attribute, and whether
// it was named outright.
func organization(a slog.Attr, org string, named bool) (string, bool) {
	switch {
	case a.Key == AttrOrg:
		return a.Value.String(), true
	case a.Key == attrWorkflowID && !named:
		id := strings.Replace(a.Value.String(), "chef-sync-verify/", object.WorkflowIDPrefix, 1)
		if _, of, ok := object.ParseWorkflowID(scheduled.ReplaceAllString(id, "")); ok {
			return of, false
		}
	}
	return org, named
}

// fleeting is what differs between repetitions: names that are drawn, and numbers,
// times and addresses that stand for themselves. What a name or a path holds of
// digits is part of it: web1 is not web2.
var (
	fleeting = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|\d{9,}|\?\S*`)
	word     = regexp.MustCompile(`[^\s"',;=()]+`)
	digits   = regexp.MustCompile(`\d+`)
)

// names are the attributes that say what a record is about.
var names = []string{AttrOrg, AttrSource, "ref", "queue"}

// stable is an attribute without what differs between repetitions.
func stable(a slog.Attr) string {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindDuration, slog.KindTime, slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		return a.Key + "\x00"
	}
	if slices.Contains(names, a.Key) {
		return a.Key + "=" + v.String() + "\x00"
	}
	return a.Key + "=" + word.ReplaceAllStringFunc(fleeting.ReplaceAllString(v.String(), "#"), lasting) + "\x00"
}

// lasting is a word without its numbers, unless it is a name or a path.
func lasting(word string) string {
	first := strings.TrimLeft(word, "[{<")
	if first != "" && (first[0] >= 'a' && first[0] <= 'z' || first[0] >= 'A' && first[0] <= 'Z' || first[0] == '_') || strings.Contains(word, "/") {
		return word
	}
	return digits.ReplaceAllString(word, "#")
}

// ofNormalStop reports whether a record is the SDK's warning that an activity was
// cancelled, which is how the workflow ends a wait.
func ofNormalStop(r slog.Record) bool {
	if r.Message != "RecordActivityHeartbeat with error" && r.Message != "Activity error." {
		return false
	}
	cancelled := false
	r.Attrs(func(a slog.Attr) bool {
		text := a.Value.String()
		cancelled = cancelled || a.Key == "Error" && (text == "canceled" || text == context.Canceled.Error())
		return true
	})
	return cancelled
}

func hasAttr(r slog.Record, key string) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = found || a.Key == key
		return !found
	})
	return found
}
