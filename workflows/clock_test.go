package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// Times of tries that were decided on while the clock was days ahead do not have to
// come: the object is tried at once when the clock is right again, and so is the full
// comparison after an overflow.
func TestClockThatWasPutBack(t *testing.T) {
	const ahead = 3 * 24 * time.Hour
	ref := object.MustRef("/roles/r")
	for _, x := range []struct {
		name    string
		state   func(now time.Time) workflows.State
		surveys int64
	}{
		{"unsynced object", func(now time.Time) workflows.State {
			s := following(0)
			s.Unsynced = []workflows.Unsynced{{Ref: ref, Action: object.ActionUpdate, Attempts: 3, NextTry: now.Add(ahead)}}
			return s
		}, 0},
		{"full comparison", func(now time.Time) workflows.State {
			s := following(0)
			s.CompareAt = now.Add(ahead)
			return s
		}, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			w.survey = []object.Change{{Action: object.ActionUpdate, Ref: ref}}
			got := w.run(x.state(time.Now()), time.Minute)
			if got.Unsynced != 0 || !w.replica[ref] || got.Counters.Surveys != x.surveys {
				t.Errorf("a minute later: %+v, replica %v; want the object there", got, w.replica)
			}
			if !strings.Contains(w.logged.String(), "the clock was put back") {
				t.Errorf("the log does not say why:\n%s", &w.logged)
			}
		})
	}
}

// A try that is due within the longest back-off is waited for.
func TestClockThatRunsOn(t *testing.T) {
	ref := object.MustRef("/roles/r")
	w := newWorld(t)
	s := following(0)
	s.Unsynced = []workflows.Unsynced{{Ref: ref, Action: object.ActionUpdate, Attempts: 9, NextTry: time.Now().Add(time.Hour)}}
	if got := w.run(s, 30*time.Minute); got.Unsynced != 1 || w.replica[ref] {
		t.Errorf("after half an hour: %+v, replica %v; want the object waited for", got, w.replica)
	}
}
