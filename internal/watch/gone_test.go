package watch

import (
	"context"
	"errors"
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
