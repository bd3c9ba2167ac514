package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// fromHead is a world whose pair is to compare nothing, and whose feed is at 2.
func fromHead(t *testing.T) *world {
	w := newWorld(t)
	w.survey = []object.Change{{Action: object.ActionCreate, Ref: object.MustRef("/roles/old")}}
	w.change(object.ActionCreate, "/roles/one", "/roles/two")
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		if !in.FromHead {
			return nil, nil
		}
		return &activities.PollResult{AtHead: true, Cursor: cursor(2)}, nil
	}
	return w
}

func TestFromHeadComparesNothing(t *testing.T) {
	w := fromHead(t)
	w.at(time.Minute, func() { w.change(object.ActionCreate, "/roles/late") })
	got := w.runWith(workflows.SyncInput{Pair: pair, Options: workflows.Options{FromHead: true}}, 5*time.Minute)
	if got.Mode != workflows.ModeFollowing || got.Cursor != cursor(3) || got.Counters.Surveys != 0 || len(w.replica) != 1 {
		t.Errorf("status %+v, replica %v; want following at 3 and the one change that came", got, w.replica)
	}
	if !strings.Contains(got.Reason, "bootstrap is false") || got.Hint != "chef-sync-ctl forget-cursor acme" {
		t.Errorf("reason %q, hint %q; want that nothing was compared", got.Reason, got.Hint)
	}
	if n := asked(w); n != 1 {
		t.Errorf("the head was asked for %d times, want once", n)
	}
}

// A full comparison for another reason is one.
func TestFromHeadIsForTheBeginningOnly(t *testing.T) {
	for name, forget := range map[string]time.Duration{"before the first poll": 0, "later": time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := fromHead(t)
			w.signal(forget, workflows.SignalForgetCursor)
			got := w.runWith(workflows.SyncInput{Pair: pair, Options: workflows.Options{FromHead: true}}, 5*time.Minute)
			if got.Counters.Surveys != 1 || got.Reason != "" {
				t.Errorf("status %+v; want one full comparison, and no word of bootstrap", got)
			}
		})
	}
	w := fromHead(t)
	w.runWith(workflows.SyncInput{Pair: pair, Options: workflows.Options{FromHead: true, Once: true}}, 5*time.Minute)
	if n := asked(w); n != 0 {
		t.Errorf("a pair that runs once asked for the head %d times", n)
	}
}

// asked counts the polls for the feed's head.
func asked(w *world) (n int) {
	for _, in := range w.polls {
		if in.FromHead {
			n++
		}
	}
	return n
}
