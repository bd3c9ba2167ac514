package watch

import (
	"fmt"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// judge returns what somebody should hear of a pair, and whether what was told
// before is over.
//
//	mode                     event                                           over
//	halted                   halted                                          -
//	resting (maintenance)    -                                               -
//	waiting                  trouble, and stale when it lasts                -
//	following, comparing     stale if there was no success for long          if there was one
//	stopped, not running     -                                               yes
//
// An event's ID comes from what the pair itself says, so that everybody who looks
// finds the same one. Nobody calls a pair stale who has not watched it for as long
// as that takes: after an outage of all ec-syncd each pair would be. Nor does such a
// one call it well.
func judge(p object.Pair, l look, watching time.Time, staleAfter time.Duration) (events []activities.Event, over bool) {
	if !l.running {
		return nil, true
	}
	var out []activities.Event
	add := func(kind string, since time.Time) {
		e := event(p, l, kind)
		e.ID = fmt.Sprintf("%s/%s/%s/%d", p.Replica, p.Destination, kind, since.Unix())
		out = append(out, e)
	}
	switch l.status.Mode {
	case workflows.ModeStopped:
		return nil, true
	case workflows.ModeHalted:
		add(activities.EventHalted, l.status.Since)
		return out, false
	}
	if l.resting(staleAfter) {
		return nil, false
	}
	s := l.success()
	over = l.at.Sub(s) < staleAfter
	if l.status.Mode == workflows.ModeWaiting {
		add(activities.EventTrouble, l.status.Since)
		over = false
	}
	if l.at.Sub(latest(s, watching)) >= staleAfter {
		add(activities.EventStale, s)
	}
	return out, over
}

// recovered is the event that ends an incident.
func recovered(p object.Pair, l look) activities.Event {
	e := event(p, l, activities.EventRecovered)
	e.ID = fmt.Sprintf("%s/%s/%s/%d", p.Replica, p.Destination, e.Event, l.at.Unix())
	return e
}

// event is an event without an ID.
func event(p object.Pair, l look, kind string) activities.Event {
	e := activities.Event{
		Version: 1, Event: kind, At: l.at.UTC(), Replica: p.Replica, Organization: p.Destination, Source: p.Source,
		Mode: "not running",
	}
	if l.running {
		s := l.status
		e.Mode, e.Since, e.LastSuccess, e.Unsynced = string(s.Mode), s.Since, l.success().UTC(), s.Unsynced
		e.Reason, e.Hint = s.Reason, s.Hint
	}
	if kind == activities.EventStale && e.Reason == "" {
		e.Reason = "nothing was copied and the feed did not answer since " + e.LastSuccess.Format(time.RFC3339)
		e.Hint = "chef-sync-ctl sync-status " + p.Destination
	}
	return e
}
