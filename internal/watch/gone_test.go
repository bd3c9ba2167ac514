package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// An incident ends when its pair is removed, and, if the pair runs on, when it has not
// been in chef-sync.rb for long. That of a pair of another replica is not touched.
func TestIncidentOfAPairThatIsGone(t *testing.T) {
	w := newWorld(1)
	w.see(t, w.in(workflows.ModeHalted), "halted")
	left := object.Pair{Replica: "sync", Destination: "acme"} // as it is known without chef-sync.rb
	delete(w.looks, acme)
	for _, other := range []string{"chef-sync-incident/sync2/acme", "chef-sync-incident/syn/c"} {
		w.incidents[other] = ""
	}
	w.restart(nil)
	look := func(l look, want ...string) {
		t.Helper()
		w.clock = w.clock.Add(Every)
		l.at = w.clock
		w.looks[left], w.fake.told = l, nil
		w.round(t.Context())
		if diff := cmp.Diff(want, w.fake.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	}

	look(w.in(workflows.ModeHalted))
	w.clock = w.clock.Add(goneAfter)
	look(w.in(workflows.ModeHalted), "recovered")
	look(w.in(workflows.ModeHalted))

	w.incidents[workflows.IncidentWorkflowID(left)] = ""
	w.restart(nil)
	w.fake.down = errors.New("unavailable")
	look(w.following(0))
	w.fake.down = nil
	w.incidents[workflows.IncidentWorkflowID(left)] = ""
	look(w.in(workflows.ModeHalted))
	w.looks[left] = w.following(0)
	var closed = w.following(0)
	closed.running = false
	look(closed, "recovered")
	look(closed)
	if len(w.incidents) != 2 {
		t.Errorf("open are %v; want those of other replicas", w.incidents)
	}
}

// leave fills a world with incidents of pairs that run and are not in chef-sync.rb.
func (w *world) leave(n int) {
	w.restart(nil)
	w.looks = map[object.Pair]look{}
	for i := range n {
		p := object.Pair{Replica: "sync", Destination: fmt.Sprintf("left%04d", i)}
		w.looks[p], w.incidents[workflows.IncidentWorkflowID(p)] = w.in(workflows.ModeHalted), ""
	}
}

// nextRound lets the watcher go its round, and returns how many it looked at and told.
func (w *world) nextRound(t *testing.T) (looked, told int) {
	t.Helper()
	w.clock, w.looked, w.fake.told = w.clock.Add(Every), nil, nil
	w.round(t.Context())
	return len(w.looked), len(w.fake.told)
}

// TestManyPairsThatAreGone: what the lists tell costs no look, a round ends so many, and
// all have their turn, whether a webhook answers or not.
func TestManyPairsThatAreGone(t *testing.T) {
	const many = 3*atOnce + 1
	w := newWorld(1)
	w.leave(many)
	if looked, told := w.nextRound(t); looked != 0 || told != 0 {
		t.Errorf("%d looks at pairs that run, %d told; want none within %s", looked, told, goneAfter)
	}
	w.clock = w.clock.Add(goneAfter)
	for i, want := range []int{atOnce, atOnce, atOnce, 1, 0} {
		if looked, told := w.nextRound(t); looked != want || told != want {
			t.Errorf("round %d: %d looks, %d ended; want %d", i, looked, told, want)
		}
	}
	if len(w.incidents) > 0 {
		t.Errorf("%d incidents are open", len(w.incidents))
	}

	w.leave(many)
	w.clock, w.mute = w.clock.Add(goneAfter), true
	for i, want := range []int{atOnce, atOnce, atOnce, 1, 0} {
		if _, told := w.nextRound(t); told != want {
			t.Errorf("round %d, webhook down: %d told; want %d", i, told, want)
		}
	}
	w.clock = w.clock.Add(again)
	if _, told := w.nextRound(t); told != atOnce {
		t.Errorf("%d are told again after %s, want %d", told, again, atOnce)
	}
}

// TestPairsThatAreGoneDoNotBlockOthers: those that cannot be looked at wait until those
// behind them had their turn.
func TestPairsThatAreGoneDoNotBlockOthers(t *testing.T) {
	w := newWorld(1)
	w.leave(2 * atOnce)
	w.deaf, w.clock = errors.New("not now"), w.clock.Add(goneAfter)
	w.nextRound(t)
	w.deaf = nil
	w.nextRound(t)
	for id := range w.incidents { // the first half, which was tried in vain
		if destination := id[strings.LastIndex(id, "/")+1:]; destination >= fmt.Sprintf("left%04d", atOnce) {
			t.Errorf("%s had no turn", destination)
		}
	}
	if len(w.incidents) != atOnce {
		t.Errorf("%d incidents are open, want %d", len(w.incidents), atOnce)
	}
	w.nextRound(t)
	if len(w.incidents) > 0 {
		t.Errorf("%d incidents are open in the end", len(w.incidents))
	}
}

// spy keeps what was told.
type spy struct {
	*fake
	said activities.Event
}

func (s *spy) over(_ context.Context, _ object.Pair, e activities.Event) error {
	s.said = e
	return nil
}

// TestWhatIsSaidOfAPairThatIsGone: who is told that it is over is told why.
func TestWhatIsSaidOfAPairThatIsGone(t *testing.T) {
	w := newWorld(1)
	s := &spy{fake: w.fake}
	w.Watcher.temporal, w.Watcher.since = s, noon.Add(-goneAfter)
	left := object.Pair{Replica: "sync", Destination: "acme"}
	w.looks[left] = w.in(workflows.ModeHalted)
	w.end(t.Context(), left)
	if s.said.Event != "recovered" || s.said.Source != "acme" || s.said.Mode != "halted" || s.said.Hint != "chef-sync-ctl remove acme" ||
		s.said.Reason != "the pair is not in chef-sync.rb any more" || s.said.Organization != "acme" {
		t.Errorf("of one that runs: %+v", s.said)
	}
	w.looks[left] = look{at: noon}
	w.end(t.Context(), left)
	if s.said.Mode != "not running" || s.said.Hint != "" {
		t.Errorf("of one that does not: %+v", s.said)
	}
}
