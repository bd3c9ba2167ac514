package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/workflows"
)

// fake is a Temporal with pairs and incidents.
type fake struct {
	mu        sync.Mutex
	looks     map[object.Pair]look
	attribute map[object.Pair]string
	looked    []object.Pair
	told      []string // kinds of events, in order
	incidents map[string]string
	down      error
	blind     error // of lists
	deaf      error // to news and recoveries
	late      bool  // incidents are not listed yet
	mute      bool  // incidents stay open: their webhook does not answer
}

func (f *fake) open(_ context.Context, workflowType string) (map[string]string, error) {
	if err := errors.Join(f.down, f.blind); err != nil {
		return nil, err
	}
	if workflowType == workflows.IncidentName && f.late {
		return nil, nil
	}
	if workflowType == workflows.IncidentName {
		return f.incidents, nil
	}
	out := map[string]string{}
	for p, l := range f.looks {
		if l.running {
			out[p.WorkflowID()] = f.attribute[p]
		}
	}
	return out, nil
}

func (f *fake) look(_ context.Context, p object.Pair) (look, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = append(f.looked, p)
	return f.looks[p], f.down
}

func (f *fake) news(_ context.Context, p object.Pair, e activities.Event) error {
	if err := errors.Join(f.down, f.deaf); err != nil {
		return err
	}
	f.told = append(f.told, e.Event)
	f.incidents[workflows.IncidentWorkflowID(p)] = ""
	return nil
}

func (f *fake) over(_ context.Context, p object.Pair, e activities.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf != nil {
		return f.deaf
	}
	if _, ok := f.incidents[workflows.IncidentWorkflowID(p)]; !ok {
		e.Event += ", and nothing was open"
	}
	f.told = append(f.told, e.Event)
	if !f.mute {
		delete(f.incidents, workflows.IncidentWorkflowID(p))
	}
	return nil
}

var (
	acme  = object.Pair{Replica: "sync", Source: "acme", Destination: "acme"}
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	quiet = slog.New(slog.DiscardHandler)
)

// world is a watcher of n pairs, with a clock.
type world struct {
	*Watcher
	*fake
	clock time.Time
}

func newWorld(n int) *world {
	w := &world{clock: noon, fake: &fake{looks: map[object.Pair]look{}, attribute: map[object.Pair]string{}, incidents: map[string]string{}}}
	pairs := []object.Pair{acme}
	for i := 1; i < n; i++ {
		pairs = append(pairs, object.Pair{Replica: "sync", Source: "acme", Destination: fmt.Sprintf("org%04d", i)})
	}
	for _, p := range pairs {
		w.looks[p] = w.following(0)
	}
	w.restart(pairs)
	return w
}

// restart makes another watcher, which remembers nothing.
func (w *world) restart(pairs []object.Pair) {
	w.Watcher = newWatcher(Options{Replica: "sync", Pairs: pairs, Log: quiet, StaleAfter: 15 * time.Minute, Webhook: true}, w.fake, func() time.Time { return w.clock })
}

// following is a pair that found nothing new some time ago.
func (w *world) following(ago time.Duration) look {
	return look{at: w.clock, running: true, polling: true, beat: activities.Beat{LastPoll: w.clock.Add(-ago)}, status: workflows.Status{
		Pair: acme, Mode: workflows.ModeFollowing, Cursor: object.Cursor{Feed: "listing", Position: "7"},
		LastSync: noon.Add(-time.Hour), Since: noon.Add(-24 * time.Hour), Behind: 0,
	}}
}

func (w *world) in(m workflows.Mode) look {
	l := w.following(0)
	l.polling, l.status.Mode, l.status.Since = false, m, w.clock
	return l
}

// see lets the watcher look once, a quarter of a minute later.
func (w *world) see(t *testing.T, l look, want ...string) {
	t.Helper()
	w.clock = w.clock.Add(Every)
	l.at = w.clock
	w.looks[acme], w.fake.told = l, nil
	w.round(t.Context())
	if diff := cmp.Diff(want, w.fake.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestEachEventIsToldOnce(t *testing.T) {
	w := newWorld(1)
	w.see(t, w.following(0))
	halted := w.in(workflows.ModeHalted)
	w.see(t, halted, "halted")
	w.see(t, halted)
	w.see(t, w.following(0), "recovered")
	w.see(t, w.following(0))

	again := w.in(workflows.ModeHalted)
	w.see(t, again, "halted")
	w.see(t, w.in(workflows.ModeStopped), "recovered") // nobody is asked anything any more
	w.see(t, w.in(workflows.ModeStopped))

	waiting := w.in(workflows.ModeWaiting)
	w.see(t, waiting, "trouble")
	w.clock = w.clock.Add(20 * time.Minute)
	w.see(t, waiting, "stale")
	w.see(t, waiting)
	w.see(t, look{}, "recovered") // removed
}

// What a pair did while the clock was a day ahead does not keep it from being stale
// when the clock is right again.
func TestStaleAfterAClockWasPutBack(t *testing.T) {
	w := newWorld(1)
	w.see(t, w.following(0))
	l := w.in(workflows.ModeWaiting)
	l.status.Since, l.status.LastSync = noon.Add(24*time.Hour), noon.Add(24*time.Hour)
	w.see(t, l, "trouble")
	w.clock = w.clock.Add(20 * time.Minute)
	w.see(t, l, "stale")
}

func TestStale(t *testing.T) {
	w := newWorld(1)
	l := w.following(0)
	w.see(t, l)
	w.clock = w.clock.Add(15*time.Minute - 3*Every)
	w.see(t, l)
	w.see(t, l, "stale")
	w.see(t, w.following(0), "recovered")
}

// TestMaintenance: a pair that rests needs nobody, nor does one that has just
// woken.
func TestMaintenance(t *testing.T) {
	w := newWorld(1)
	rests := func(until time.Time) look {
		l := w.following(3 * time.Hour)
		l.beat.Maintenance = until
		return l
	}
	w.clock = w.clock.Add(time.Hour)
	until := w.clock.Add(time.Minute)
	w.see(t, rests(until))
	w.clock = until.Add(14 * time.Minute) // the servers do not answer yet
	w.see(t, rests(until))
	w.clock = until.Add(15 * time.Minute)
	w.see(t, rests(until), "stale")
	w.see(t, w.following(0), "recovered")

	givenUp := w.in(workflows.ModeWaiting)
	givenUp.status.Trouble = activities.TroubleMaintenance
	w.see(t, givenUp)
	givenUp.status.Trouble = "retry"
	w.see(t, givenUp, "trouble")
	halted := w.in(workflows.ModeHalted)
	halted.beat.Maintenance = w.clock.Add(time.Hour)
	w.see(t, halted, "halted")
}

// TestNoStormAfterARestart: an ec-syncd that begins to watch tells of what it finds
// with the IDs of before, so that the incident knows them, ends what is over, and
// calls nothing stale because nobody was there.
func TestNoStormAfterARestart(t *testing.T) {
	w := newWorld(1)
	halted := w.in(workflows.ModeHalted)
	w.see(t, halted, "halted")
	id := firstID(w, halted)
	w.restart(w.o.Pairs)
	halted.at = w.clock.Add(time.Hour)
	if again := firstID(w, halted); again != id || !strings.Contains(id, "sync/acme/halted/") {
		t.Errorf("ID %s is now %s", id, again)
	}
	w.see(t, w.following(0), "recovered")

	w.clock = w.clock.Add(10 * time.Hour)
	w.restart(w.o.Pairs)
	w.see(t, w.following(9*time.Hour))
}

// TestARestartRecoversNobody: who has just begun to watch does not know that a pair is
// stale, and must not say that it is well.
func TestARestartRecoversNobody(t *testing.T) {
	w := newWorld(1)
	l := w.following(0)
	w.see(t, l)
	w.clock = w.clock.Add(20 * time.Minute)
	w.see(t, l, "stale")
	w.restart(w.o.Pairs)
	w.see(t, l)
	w.clock = w.clock.Add(20 * time.Minute)
	w.see(t, l, "stale") // with the ID of before: the incident knows it
	w.see(t, w.following(0), "recovered")
}

// TestMaintenanceRecoversNobody: what was wrong when a window opened is not over.
func TestMaintenanceRecoversNobody(t *testing.T) {
	w := newWorld(1)
	waits := w.in(workflows.ModeWaiting)
	waits.status.Trouble = "retry"
	w.see(t, waits, "trouble")
	rests := waits
	rests.polling, rests.beat.Maintenance = true, w.clock.Add(time.Minute)
	w.see(t, rests)
	w.see(t, waits)
	w.see(t, w.following(0), "recovered")
}

func firstID(w *world, l look) string {
	events, _ := judge(acme, l, w.since, time.Hour)
	return events[0].ID
}

func TestTemporalIsDown(t *testing.T) {
	w := newWorld(1)
	m := telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync"})
	w.o.Metrics = m
	w.see(t, w.following(0))
	up := func() bool {
		rec := httptest.NewRecorder()
		m.Handler(nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if !strings.Contains(rec.Body.String(), `chef_sync_pair_mode{mode="following",organization="acme",replica="sync"} 1`) {
			t.Error("what is known of the pair is not shown")
		}
		return strings.Contains(rec.Body.String(), `chef_sync_temporal_up{replica="sync"} 1`)
	}
	if !up() {
		t.Error("Temporal is not up")
	}
	w.down = errors.New("down")
	w.see(t, w.in(workflows.ModeHalted))
	if up() {
		t.Error("Temporal is up")
	}
	w.down = nil
	w.see(t, w.in(workflows.ModeHalted), "halted")
}

// TestManyPairs: a round costs the same however many pairs there are, each has its
// turn, and what has changed has it first.
func TestManyPairs(t *testing.T) {
	w := newWorld(2000)
	seen := map[object.Pair]bool{}
	for range 2000/atOnce + 1 {
		w.clock, w.looked = w.clock.Add(Every), nil
		w.round(t.Context())
		if len(w.looked) != atOnce {
			t.Fatalf("%d looks in one round; want %d", len(w.looked), atOnce)
		}
		for _, p := range w.looked {
			seen[p] = true
		}
	}
	if len(seen) != 2000 {
		t.Errorf("%d of 2000 pairs were looked at", len(seen))
	}
	last := w.looked[0]
	w.attribute[last] = "ChefSyncMode=halted"
	w.clock, w.looked = w.clock.Add(Every), nil
	if next := w.next(map[string]string{last.WorkflowID(): "ChefSyncMode=halted"}, nil); next[0] != last {
		t.Errorf("the pair that has changed is not the next: %v", next[0])
	}
}

func TestLook(t *testing.T) {
	w := newWorld(1)
	l := w.following(time.Minute)
	if got := l.pair(acme); !got.CaughtUp || !got.Success.Equal(noon.Add(-time.Minute)) || got.Behind != 0 || got.Mode != "following" {
		t.Errorf("following: %+v", got)
	}
	for name, change := range map[string]func(*look){
		"a page":        func(l *look) { l.copying = true },
		"no poll":       func(l *look) { l.polling = false },
		"poll fails":    func(l *look) { l.beat.Fails = 1 },
		"more to come":  func(l *look) { l.beat.LastPoll, l.status.Behind = time.Time{}, 5 },
		"feed says not": func(l *look) { l.beat.LastPoll, l.status.Behind = time.Time{}, -1 },
		"comparing":     func(l *look) { l.status.Survey = &activities.SurveyPlace{} },
		"waiting":       func(l *look) { l.status.Mode = workflows.ModeWaiting },
		"no place yet":  func(l *look) { l.status.Cursor = object.Cursor{} },
	} {
		l := w.following(time.Minute)
		if change(&l); l.pair(acme).CaughtUp {
			t.Errorf("%s: caught up", name)
		}
	}
	waits := w.in(workflows.ModeWaiting)
	waits.status.Trouble, waits.status.UnsyncedKinds, waits.status.Unsynced = "pair/401", map[object.Kind]int{object.KindRole: 2}, 2
	if got := waits.pair(acme); got.Trouble != "credentials" || got.Kinds["role"] != 2 || !got.Success.Equal(noon) {
		t.Errorf("waiting: %+v", got)
	}
	waits.beat.LastPoll = noon.Add(time.Second) // an attempt that ended in trouble
	if got := waits.pair(acme); !got.Success.Equal(noon) {
		t.Errorf("waiting, and asked since: %+v", got)
	}
	ahead := w.following(-skew) // by the clock of the worker
	if got := ahead.pair(acme); !got.Success.Equal(noon.Add(skew)) {
		t.Errorf("the clock of another host: %+v", got)
	}
	waits.status.Trouble = activities.TroubleMaintenance
	if got := waits.pair(acme); got.Trouble != "maintenance" {
		t.Errorf("a page was given up: %+v", got)
	}
	l.beat.Maintenance = l.at.Add(time.Minute)
	if got := l.pair(acme); got.Trouble != "maintenance" || got.Mode != "following" {
		t.Errorf("resting: %+v", got)
	}
	l.beat.Maintenance = l.at.Add(-time.Second)
	if got := l.pair(acme); got.Trouble != "" {
		t.Errorf("rested: %+v", got)
	}
	if got := (look{}).pair(acme); got.Running || got.Known {
		t.Errorf("not running: %+v", got)
	}
}

func TestReasons(t *testing.T) {
	for key, want := range map[string]string{
		"retry": "unreachable", "pair/401": "credentials", "pair/403": "permission", "object/403": "permission", "pair/denied": "permission",
		"pair/404": "not_found", "pair/200": "not_chef", "pair/not-chef": "not_chef", "pair/configuration": "configuration",
		"pair/other-server": "other_server", "activity": "other", "object/409": "other", "": "other",
	} {
		if got := reason(key); got != want {
			t.Errorf("reason(%q) = %s, want %s", key, got, want)
		}
	}
}
