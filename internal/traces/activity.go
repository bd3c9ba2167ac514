package traces

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
)

// activityInbound makes spans of activities.
type activityInbound struct {
	interceptor.ActivityInboundInterceptorBase
	traces *Traces
}

// ExecuteActivity implements [interceptor.ActivityInboundInterceptor].
func (a *activityInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	r := &recorder{}
	d := deed{info: activity.GetInfo(ctx), began: time.Now(), organization: organizationOf(in.Args)}
	d.place, d.placed = placeIn(interceptor.Header(ctx))
	out, err := a.Next.ExecuteActivity(context.WithValue(ctx, recorderKey{}, r), in)
	d.ended, d.result, d.err = time.Now(), out, err
	d.requests, d.left = r.end()
	if d.worthTelling() {
		a.traces.tell(context.WithoutCancel(ctx), d)
	}
	return out, err
}

// A deed is one attempt of an activity that has ended.
type deed struct {
	info         activity.Info
	organization string
	place        place
	placed       bool
	began, ended time.Time
	result       any
	err          error
	requests     []exchange
	left         int // exchanges that are not among them
}

func (d deed) polled() bool { return d.info.ActivityType.Name == activities.NamePoll }

// worthTelling reports whether an attempt leaves spans. A Poll that found nothing, waits
// for a trouble to pass that was told already, rests, or was called off leaves none: an
// idle pair has one every few seconds.
func (d deed) worthTelling() bool {
	if d.err == nil {
		return true
	}
	return !benign(d.err) && (!d.polled() || !cancelled(d.err))
}

// benign reports whether an error is how an activity asks to be started again.
func benign(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Category() == temporal.ApplicationErrorCategoryBenign
}

func cancelled(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, context.Canceled)
}

// tell makes the spans of an attempt.
func (t *Traces) tell(ctx context.Context, d deed) {
	ctx, span := t.open(ctx, d)
	defer span.End(trace.WithTimestamp(d.ended))
	span.SetAttributes(d.attributes()...)
	if why := d.failure(); why != "" {
		span.SetAttributes(attribute.String("error.type", why))
		span.SetStatus(codes.Error, why)
	}
	if !span.IsRecording() { // the sampler does not want it
		return
	}
	for _, r := range d.requests {
		t.tellRequest(ctx, d.organization, r)
	}
}

// open begins the span of an attempt where it belongs: as the root of its trace, below
// it, or, where nobody knows, as the root of another trace.
func (t *Traces) open(ctx context.Context, d deed) (context.Context, trace.Span) {
	name, began := d.info.ActivityType.Name, trace.WithTimestamp(d.began)
	// What is tried again cannot have the ID of the root once more, but for a Poll: of
	// its attempts only the one that is answered leaves a span.
	again := d.info.Attempt > 1 && !d.polled()
	switch {
	case !d.placed, d.polled() && d.err != nil:
		return t.tracer.Start(ctx, name, began)
	case d.place.Begins && !again:
		return t.tracer.Start(context.WithValue(ctx, rootKey{}, d.place), name, began)
	}
	// A span that never ends is never sent: this one tells what the sampler decided
	// about the root, which another process may have made.
	_, root := t.tracer.Start(context.WithValue(ctx, rootKey{}, d.place), name, began)
	return t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, root.SpanContext()), name, began)
}

// failure is the kind of what went wrong, of a closed set; "" if nothing did. The text
// of an error may name objects.
func (d deed) failure() string {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case d.err == nil:
		if page, ok := d.result.(activities.PollResult); ok && page.Trouble != nil {
			return page.Trouble.Key
		}
		return ""
	case cancelled(d.err):
		return "canceled"
	case errors.As(d.err, &app) && app.Type() != "":
		return app.Type()
	case errors.As(d.err, &timeout), errors.Is(d.err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "other"
	}
}
