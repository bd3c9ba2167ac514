package watch

import (
	"strconv"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/workflows"
)

// look is a pair as it was seen at a time.
type look struct {
	at      time.Time
	running bool             // its workflow is open
	status  workflows.Status // of one that runs
	beat    activities.Beat  // of its pending Poll
	polling bool             // Poll is pending
	copying bool             // Fetch or Apply is
}

// success is when the pair last copied a page or found nothing new, or when its
// mode began, if that is later: a pair that waits was well until it began to, and
// one that was started just now has not failed yet. Times to come, from before a
// clock was put back, are no news of success.
func (l look) success() time.Time {
	times := []time.Time{l.status.LastSync, l.status.Since}
	if l.status.Mode == workflows.ModeFollowing {
		times = append(times, l.beat.LastPoll)
	}
	var s time.Time
	for _, t := range times {
		if !t.After(l.at.Add(skew)) {
			s = latest(s, t)
		}
	}
	return s
}

// skew is how far the clocks of hosts may be apart.
const skew = time.Minute

// resting reports whether the pair is in a window of maintenance, or was within the
// last while and has not succeeded in anything since.
func (l look) resting(while time.Duration) bool {
	return l.status.Trouble == activities.TroubleMaintenance ||
		!l.beat.Maintenance.IsZero() && l.at.Sub(l.beat.Maintenance) < while
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// behind is how many changes are known to follow; -1 = not known. A poll since the
// last page that found nothing says that none do.
func (l look) behind() int64 {
	if l.beat.LastPoll.After(l.status.LastSync) {
		return 0
	}
	return l.status.Behind
}

// caughtUp reports whether the replica holds all that the feed has told.
func (l look) caughtUp() bool {
	return l.status.Mode == workflows.ModeFollowing && l.status.Survey == nil && !l.status.Cursor.IsZero() &&
		l.polling && !l.copying && l.beat.Fails == 0 && l.behind() == 0
}

// pair is the look for the metrics.
func (l look) pair(p object.Pair) telemetry.Pair {
	out := telemetry.Pair{Organization: p.Destination, Running: l.running, Known: l.running, Source: p.Source}
	if !l.running {
		return out
	}
	s := l.status
	out.Source, out.Feed, out.Mode = s.Pair.Source, s.Feed, string(s.Mode)
	out.Success, out.CaughtUp, out.Behind = l.success(), l.caughtUp(), l.behind()
	out.Unsynced, out.Extras = s.Unsynced, s.Extras
	out.Kinds = map[string]int{}
	for k, n := range s.UnsyncedKinds {
		out.Kinds[string(k)] = n
	}
	if s.Mode == workflows.ModeWaiting {
		out.Trouble = reason(s.Trouble)
	}
	if l.resting(0) {
		out.Trouble = activities.TroubleMaintenance
	}
	return out
}

// reason sorts [activities.Trouble.Key] into a few words, since it ends in whatever
// status a server may answer.
func reason(key string) string {
	class, what, _ := strings.Cut(key, "/")
	status, _ := strconv.Atoi(what)
	switch {
	case class == "retry":
		return "unreachable"
	case key == activities.TroubleMaintenance:
		return "maintenance"
	case status == 401:
		return "credentials"
	case status == 403, what == "denied":
		return "permission"
	case status == 404:
		return "not_found"
	case status >= 200 && status < 300, what == "not-chef":
		return "not_chef"
	case what == "configuration":
		return "configuration"
	case what == "other-server":
		return "other_server"
	default:
		return "other"
	}
}
