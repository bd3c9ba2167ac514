package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/config"
)

func TestWaits(t *testing.T) {
	const s, m = time.Second, time.Minute
	for _, c := range []struct {
		pairs          int
		interval, hold time.Duration
		want           activities.Settings
	}{
		// Few pairs: each look is an attempt, and a feed that can wait does.
		{1, 10 * s, config.HoldAuto, activities.Settings{PollWait: 20 * s, CheckEvery: m}},
		{50, 10 * s, config.HoldAuto, activities.Settings{PollWait: 20 * s, CheckEvery: m}},
		{25, 5 * s, config.HoldAuto, activities.Settings{PollWait: 20 * s, CheckEvery: m}},
		// More: attempts last.
		{51, 10 * s, config.HoldAuto, activities.Settings{PollHold: 10200 * time.Millisecond, PollBeat: 2 * s, CheckEvery: m}},
		{26, 5 * s, config.HoldAuto, activities.Settings{PollHold: 5200 * time.Millisecond, PollBeat: 2 * s, CheckEvery: m}},
		{500, 5 * s, config.HoldAuto, activities.Settings{PollHold: 100 * s, PollBeat: 5 * s, CheckEvery: 100 * s}},
		{2000, 5 * s, config.HoldAuto, activities.Settings{PollHold: 5 * m, PollBeat: 20 * s, CheckEvery: 400 * s}},
		{100000, 5 * s, config.HoldAuto, activities.Settings{PollHold: 5 * m, PollBeat: 20 * s, CheckEvery: 10 * m}},
		// A long interval is meant.
		{1, 5 * m, config.HoldAuto, activities.Settings{CheckEvery: m}},
		{1000, 5 * m, config.HoldAuto, activities.Settings{CheckEvery: 200 * s}},
		// What was set counts.
		{1, 10 * s, 0, activities.Settings{CheckEvery: m}},
		{2000, 5 * s, 0, activities.Settings{CheckEvery: 400 * s}},
		{2000, 5 * s, 30 * s, activities.Settings{PollHold: 30 * s, PollBeat: 20 * s, CheckEvery: 400 * s}},
	} {
		var got activities.Settings
		waits(&got, c.pairs, c.interval, c.hold)
		c.want.PollInterval = c.interval
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%d pairs, poll_interval %v, poll_hold %v (-want +got):\n%s", c.pairs, c.interval, c.hold, diff)
		}
	}
}

// No number of pairs starves: each may hold a slot, and others are left.
func TestWorkerOptions(t *testing.T) {
	for _, c := range []struct{ pairs, slots, pollers, cached int }{
		{0, 1000, 2, 500}, {1, 1001, 2, 500}, {500, 1500, 5, 1000}, {2000, 3000, 16, 4000}, {10000, 11000, 16, 5000},
	} {
		o := workerOptions(c.pairs)
		if o.MaxConcurrentActivityExecutionSize != c.slots || o.MaxConcurrentActivityTaskPollers != c.pollers ||
			o.MaxConcurrentWorkflowTaskPollers != c.pollers || cached(c.pairs) != c.cached {
			t.Errorf("%d pairs: %d slots, %d and %d pollers, %d cached; want %+v", c.pairs, o.MaxConcurrentActivityExecutionSize,
				o.MaxConcurrentActivityTaskPollers, o.MaxConcurrentWorkflowTaskPollers, cached(c.pairs), c)
		}
	}
}

// A host that stands still for a moment fails no workflow task.
func TestWorkflowTasksBearAStall(t *testing.T) {
	t.Parallel()
	env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
	env.SetWorkerOptions(workerOptions(1))
	env.SetTestTimeout(time.Minute)
	began := time.Now()
	env.ExecuteWorkflow(func(workflow.Context) error {
		time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // as a host does that stands still
		return nil
	})
	// One that stands still for nearly as long as the server waits may fail it.
	if err := env.GetWorkflowError(); err != nil && time.Since(began) < 7*time.Second {
		t.Error(err)
	}
}
