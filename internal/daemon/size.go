package daemon

import (
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/config"
)

// What waiting costs Temporal's server grows with the number of pairs. An attempt
// of a Poll costs it and the worker some 12 ms, a heartbeat 1.5 ms; a poll within an
// attempt costs it nothing.
const (
	// attemptsPerSecond is how many attempts of Poll may begin in a second before
	// they are made to last longer.
	attemptsPerSecond = 5

	// beatsPerSecond is the same for heartbeats of those that last.
	beatsPerSecond = 100

	// checksPerSecond is how many pairs may ask their servers in a second who they
	// are.
	checksPerSecond = 5

	maxHold   = 5 * time.Minute
	leastBeat = 2 * time.Second
	maxBeat   = 20 * time.Second // a dead worker's polls are given to another after three
	maxCheck  = 10 * time.Minute

	// longPoll is how long a feed may keep the request of a pair that does not hold.
	longPoll = 20 * time.Second
)

// waits sets how Polls of so many pairs wait. hold is the setting poll_hold.
//
//	pairs / interval        poll_hold :auto
//	up to 5 a second        attempts end at once, so that each look is seen; a feed that can
//	                        wait does so for 20 s
//	more                    attempts last so long that 5 begin in a second; up to 5 min
//
// With an interval above longPoll nobody is made to wait: whoever sets it wants the
// primary to be asked less often than that.
func waits(s *activities.Settings, pairs int, interval, hold time.Duration) {
	s.PollInterval, s.PollHold = interval, hold
	if hold == config.HoldAuto {
		s.PollHold = 0
		switch each := spread(pairs, attemptsPerSecond); {
		case each > interval:
			s.PollHold = min(each, maxHold)
		case interval <= longPoll:
			s.PollWait = longPoll
		}
	}
	if s.PollHold > 0 {
		s.PollBeat = min(max(spread(pairs, beatsPerSecond), leastBeat), maxBeat)
	}
	s.CheckEvery = min(max(spread(pairs, checksPerSecond), activities.DefaultCheckEvery), maxCheck)
}

// spread is how often each of n things may happen for so many a second of all.
func spread(n, perSecond int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(perSecond)
}

const (
	// besides is how many activities may run that are no Poll.
	besides = 1000

	// pairsPerPoller is how many pairs share one poller of a task queue, of which
	// there are leastPollers to mostPollers.
	pairsPerPoller = 100
	leastPollers   = 2
	mostPollers    = 16

	// leastCached to mostCached workflows stay in memory between two tasks: those of
	// all pairs, so that a query need not replay, as long as there are not too many.
	leastCached = 500
	mostCached  = 5000
)

// workerOptions are those of a worker for so many pairs, each of which may hold an
// activity slot for ever.
func workerOptions(pairs int) worker.Options {
	pollers := min(max(pairs/pairsPerPoller, leastPollers), mostPollers)
	return worker.Options{
		MaxConcurrentActivityExecutionSize: pairs + besides,
		MaxConcurrentActivityTaskPollers:   pollers,
		MaxConcurrentWorkflowTaskPollers:   pollers,
		// Heartbeats carry what Apply has done; stale ones cost repetitions.
		MaxHeartbeatThrottleInterval: 4 * time.Second, DefaultHeartbeatThrottleInterval: 4 * time.Second,
		WorkerStopTimeout: 5 * time.Second,
		// By default a workflow task of a second is one that hangs, and it fails; a busy
		// host, or one that is copied, stands still for longer. The server waits 10 s.
		DeadlockDetectionTimeout: 8 * time.Second,
	}
}

// cached is how many workflows of so many pairs stay in memory.
func cached(pairs int) int { return min(max(2*pairs, leastCached), mostCached) }
