package workflows

import (
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
)

// IncidentName is the workflow type of [IncidentWorkflow]; it never changes.
const IncidentName = "IncidentWorkflow"

// SignalNews takes an [activities.Event] that an IncidentWorkflow should tell.
const SignalNews = "news"

// IncidentInput is the input of an IncidentWorkflow. Whoever starts one sets Pair.
type IncidentInput struct {
	Pair object.Pair      `json:"pair"`
	Told []string         `json:"told,omitempty"` // IDs of the events that the webhook was told
	Last activities.Event `json:"last"`           // the last of them

	// Waiting are events that were noticed and not looked at yet, oldest first.
	Waiting []activities.Event `json:"waiting,omitempty"`
}

// IncidentWorkflowID is the ID of a pair's IncidentWorkflow: one is open at a time.
func IncidentWorkflowID(p object.Pair) string {
	return "chef-sync-incident/" + p.Replica + "/" + p.Destination
}

// IncidentStartOptions are those to start a pair's IncidentWorkflow with. One that
// runs already is left running.
func IncidentStartOptions(p object.Pair) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: IncidentWorkflowID(p), TaskQueue: TaskQueue(p.Replica),
		StaticSummary:            "tells the webhook of " + p.String() + " on replica " + p.Replica + " until it has recovered",
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
}

const (
	// mostTold bounds the events that an incident remembers, mostWaiting those that
	// wait while the webhook does not answer; the oldest are left out.
	mostTold, mostWaiting = 20, 100

	// tellWithin is for how long after an event was noticed the webhook is told of it.
	// Later nobody wants to hear it any more.
	tellWithin = 24 * time.Hour
)

// IncidentWorkflow is open while a pair needs somebody. It gets what several
// ec-syncd notice, in [SignalNews], and tells the webhook of each event once; an
// event that says that the pair has recovered ends it. An ec-syncd that was
// restarted notices the same event again, with the same ID, and nothing is told
// twice. It returns an error only if it was cancelled.
func IncidentWorkflow(ctx workflow.Context, in IncidentInput) error {
	news := workflow.GetSignalChannel(ctx, SignalNews)
	for {
		in.take(news)
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, IncidentName, in)
		}
		e, err := in.next(ctx, news)
		if err != nil {
			return err
		}
		switch {
		case e.Event != activities.EventRecovered:
			if !slices.Contains(in.Told, e.ID) {
				tell(ctx, e)
				in.Told, in.Last = append(in.Told, e.ID), e
				in.Told = in.Told[max(len(in.Told)-mostTold, 0):]
			}
			continue
		case e.At.Before(in.Last.At): // noticed by somebody who knew less
			continue
		case len(in.Told) > 0:
			tell(ctx, e)
		}
		in.Told, in.Last = nil, activities.Event{}
		if in.take(news); len(in.Waiting) == 0 { // or else another incident has begun
			return nil
		}
	}
}

// take takes the news that have come.
func (in *IncidentInput) take(news workflow.ReceiveChannel) {
	for {
		var e activities.Event
		if !news.ReceiveAsync(&e) {
			break
		}
		in.Waiting = append(in.Waiting, e)
	}
	in.Waiting = slices.Clone(in.Waiting[max(len(in.Waiting)-mostWaiting, 0):])
}

// next returns the next event, and waits until there is one, or ctx ends.
func (in *IncidentInput) next(ctx workflow.Context, news workflow.ReceiveChannel) (e activities.Event, err error) {
	if len(in.Waiting) > 0 {
		e, in.Waiting = in.Waiting[0], in.Waiting[1:]
		return e, ctx.Err()
	}
	workflow.NewSelector(ctx).
		AddReceive(news, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &e) }).
		AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { err = ctx.Err() }).
		Select(ctx)
	return e, err
}

// tell tells the webhook, again and again if it must, until an event is old.
func tell(ctx workflow.Context, e activities.Event) {
	left := tellWithin
	if age := workflow.Now(ctx).Sub(e.At); age > 0 { // else a clock was put back, or differs
		left -= age
	}
	if left <= 0 {
		workflow.GetLogger(ctx).Error("webhook was not told in time", "org", e.Organization, "event", e.Event, "at", e.At)
		return
	}
	actx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:                "tell the webhook: " + e.Event,
		StartToCloseTimeout:    15 * time.Second, // after which it is told again, if a worker died
		ScheduleToCloseTimeout: left,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute},
	})
	if err := workflow.ExecuteActivity(actx, activities.NameNotify, e).Get(actx, nil); err != nil {
		workflow.GetLogger(ctx).Error("webhook was not told", "org", e.Organization, "event", e.Event, "err", err)
	}
}
