package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// incident runs an IncidentWorkflow that gets news, one a minute, and returns the
// IDs that the webhook was told. fails is how many times it refuses.
func incident(t *testing.T, fails int, news ...activities.Event) (told []string, ended bool) {
	t.Helper()
	return incidentWith(t, fails, errors.New("503"), news...)
}

// incidentWith is incident with the error of a refusal.
func incidentWith(t *testing.T, fails int, refusal error, news ...activities.Event) (told []string, ended bool) {
	t.Helper()
	var s testsuite.WorkflowTestSuite
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := s.NewTestWorkflowEnvironment()
	harness.Patient(env, worker.Options{})
	env.SetStartTime(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	workflows.Register(env)
	env.RegisterActivityWithOptions(func(_ context.Context, e activities.Event) error {
		if fails--; fails >= 0 {
			return refusal
		}
		told = append(told, e.ID)
		return nil
	}, activity.RegisterOptions{Name: activities.NameNotify})
	for i, e := range news {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalNews, e) }, time.Duration(i+1)*time.Minute)
	}
	env.RegisterDelayedCallback(func() { ended = env.IsWorkflowCompleted(); env.CancelWorkflow() }, 48*time.Hour)
	env.ExecuteWorkflow(workflows.IncidentName, workflows.IncidentInput{Pair: pair})
	if env.GetWorkflowError() == nil {
		ended = true
	}
	return told, ended
}

// TestIncidentOfAFlappingPair: what was noticed while the webhook was down is told when it
// answers, the latest of it, unless it is a day old; and an incident never ends for
// the number of its events.
func TestIncidentOfAFlappingPair(t *testing.T) {
	var news []activities.Event
	for i := range 300 {
		kind := map[bool]string{true: "trouble", false: "recovered"}[i%2 == 0]
		news = append(news, noticed(kind, fmt.Sprint(kind, i), i+1))
	}
	news = append(news, noticed("halted", "h", 301))
	slowly := temporal.NewApplicationErrorWithOptions("503", "", temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
	told, ended := incidentWith(t, 6, slowly, news...)
	if n := len(told); n < 50 || n > 101 || told[0] != "trouble0" || told[n-1] != "h" || ended {
		t.Errorf("%d told, from %v to %v, ended %t; want the first, the latest, and to go on", n, told[0], told[n-1], ended)
	}
	told, _ = incident(t, 0, noticed("halted", "old", -24*60), noticed("halted", "new", 1))
	if diff := cmp.Diff([]string{"new"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestIncidentGoesOnAsNew: what waits is carried on.
func TestIncidentGoesOnAsNew(t *testing.T) {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := s.NewTestWorkflowEnvironment()
	harness.Patient(env, worker.Options{})
	workflows.Register(env)
	env.RegisterActivityWithOptions(func(context.Context, activities.Event) error { return nil },
		activity.RegisterOptions{Name: activities.NameNotify})
	env.SetContinueAsNewSuggested(true)
	env.RegisterDelayedCallback(func() {
		for _, id := range []string{"h1", "h2"} {
			env.SignalWorkflow(workflows.SignalNews, noticed("halted", id, 0))
		}
	}, 0)
	env.ExecuteWorkflow(workflows.IncidentName, workflows.IncidentInput{Pair: pair, Told: []string{"h0"}})
	var again *workflow.ContinueAsNewError
	if !errors.As(env.GetWorkflowError(), &again) {
		t.Fatalf("%v; want to go on as new", env.GetWorkflowError())
	}
	var in workflows.IncidentInput
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &in); err != nil {
		t.Fatal(err)
	}
	if len(in.Waiting) != 2 || in.Waiting[1].ID != "h2" || len(in.Told) != 1 {
		t.Errorf("carried on %+v; want h0, h1 and h2", in)
	}
}

// noticed is an event, noticed in the given minute.
func noticed(kind, id string, minute int) activities.Event {
	return activities.Event{Event: kind, ID: id, At: time.Date(2026, 11, 23, 12, minute, 0, 0, time.UTC)}
}

func TestIncident(t *testing.T) {
	halted, stale, over := noticed("halted", "h1", 0), noticed("stale", "s1", 5), noticed("recovered", "r1", 9)
	gone := noticed("recovered", "g1", 90) // of a pair that left chef-sync.rb
	gone.Mode, gone.Reason = "not running", "the pair is not in chef-sync.rb any more"
	for name, c := range map[string]struct {
		fails int
		news  []activities.Event
		want  []string
		open  bool
	}{
		"each once":                {0, []activities.Event{halted, halted, stale, halted, over}, []string{"h1", "s1", "r1"}, false},
		"still open":               {0, []activities.Event{halted}, []string{"h1"}, true},
		"told in the end":          {7, []activities.Event{halted, over}, []string{"h1", "r1"}, false},
		"never told":               {1 << 30, []activities.Event{halted, over}, nil, false},
		"its pair is gone":         {3, []activities.Event{halted, stale, gone}, []string{"h1", "s1", "g1"}, false},
		"nothing to recover from":  {0, []activities.Event{over}, nil, false},
		"whoever knew less":        {0, []activities.Event{stale, noticed("recovered", "r0", 4)}, []string{"s1"}, true},
		"another one, later":       {0, []activities.Event{halted, noticed("halted", "h2", 3), over}, []string{"h1", "h2", "r1"}, false},
		"news come while it posts": {7, []activities.Event{halted, over, noticed("halted", "h2", 10)}, []string{"h1", "r1", "h2"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			told, ended := incident(t, c.fails, c.news...)
			if diff := cmp.Diff(c.want, told); diff != "" || ended == c.open {
				t.Errorf("ended %t, told (-want +got):\n%s", ended, diff)
			}
		})
	}
}
