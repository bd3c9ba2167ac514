package replay

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// TestFreshIncidentReplays lives through what an incident does (events that the webhook
// is told at once, after a refusal, and not at all; one that is noticed again, one that
// is old, a recovery from before, and the recovery) and replays what was recorded. The
// worker is of the test: an ec-syncd would tell what it thinks of the pair, too. With
// -record it keeps the history.
func TestFreshIncidentReplays(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	c := harness.NewTemporal(t, harness.Chef(t, chefserver.Options{}).Side()).Temporal(t)
	pair := object.Pair{Replica: "recorded", Source: harness.Organization, Destination: harness.Organization}
	told := make(chan string, 100)
	w := worker.New(c, workflows.TaskQueue(pair.Replica), worker.Options{})
	workflows.Register(w)
	w.RegisterActivityWithOptions(func(ctx context.Context, e activities.Event) error {
		switch {
		case e.ID == "refused":
			return temporal.NewNonRetryableApplicationError("400", "", nil)
		case e.ID == "late" && activity.GetInfo(ctx).Attempt == 1:
			return temporal.NewApplicationErrorWithOptions("503", "", temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Millisecond})
		}
		told <- e.ID
		return nil
	}, activity.RegisterOptions{Name: activities.NameNotify})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	now := time.Now()
	news := func(kind, id string, at time.Time) {
		t.Helper()
		e := activities.Event{Version: 1, Event: kind, ID: id, At: at.UTC(), Replica: pair.Replica, Organization: pair.Destination}
		o := workflows.IncidentStartOptions(pair)
		if _, err := c.SignalWithStartWorkflow(t.Context(), o.ID, workflows.SignalNews, e, o, workflows.IncidentName, workflows.IncidentInput{Pair: pair}); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Fatalf("the webhook was told %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("the webhook was not told %s", want)
		}
	}
	news(activities.EventHalted, "halted", now)
	hears("halted")
	news(activities.EventHalted, "halted", now) // noticed again
	news(activities.EventTrouble, "refused", now)
	news(activities.EventTrouble, "old", now.Add(-48*time.Hour))
	news(activities.EventRecovered, "recovered before", now.Add(-72*time.Hour))
	news(activities.EventStale, "late", now.Add(time.Second))
	hears("late")
	news(activities.EventRecovered, "recovered", now.Add(2*time.Second))
	hears("recovered")
	keep(t, history(t, c, workflows.IncidentWorkflowID(pair)), "-incident")
}
