package traces

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
)

const (
	poll  = activities.NamePoll
	fetch = activities.NameFetch
	apply = activities.NameApply
)

// shape is each trace in the order of its first span, as "root(child child)"; ? is a
// root that is not there.
func shape(t *testing.T, spans []sdktrace.ReadOnlySpan) []string {
	t.Helper()
	type one struct {
		root string
		id   trace.SpanID
		rest []string
	}
	var order []trace.TraceID
	of := map[trace.TraceID]*one{}
	seen := map[trace.SpanID]bool{}
	for _, s := range spans {
		if s.SpanKind() == trace.SpanKindClient {
			continue
		}
		if seen[s.SpanContext().SpanID()] {
			t.Errorf("two spans have the ID %s", s.SpanContext().SpanID())
		}
		seen[s.SpanContext().SpanID()] = true
		id := s.SpanContext().TraceID()
		if of[id] == nil {
			of[id] = &one{root: "?"}
			order = append(order, id)
		}
		if !s.Parent().IsValid() {
			of[id].root, of[id].id = s.Name(), s.SpanContext().SpanID()
			continue
		}
		if of[id].id != s.Parent().SpanID() {
			t.Errorf("the parent of %s is not the root of its trace", s.Name())
		}
		of[id].rest = append(of[id].rest, s.Name())
	}
	var out []string
	for _, id := range order {
		out = append(out, of[id].root+"("+strings.Join(of[id].rest, " ")+")")
	}
	return out
}

func TestATraceIsAPage(t *testing.T) {
	upToDate := temporal.NewApplicationErrorWithOptions("up to date", activities.TypeUpToDate, temporal.ApplicationErrorOptions{
		Category: temporal.ApplicationErrorCategoryBenign,
	})
	for name, c := range map[string]struct {
		do   map[string]func(context.Context, int32) error
		flow func(workflow.Context) error
		want []string
	}{
		"two pages": {
			flow: func(ctx workflow.Context) error {
				return call(ctx, poll, fetch, apply, fetch, apply, poll, fetch, apply)
			},
			want: []string{"Poll(Fetch Apply Fetch Apply)", "Poll(Fetch Apply)"},
		},
		"no Poll": {
			flow: func(ctx workflow.Context) error { return call(ctx, fetch, fetch, apply) },
			want: []string{"Fetch(Fetch Apply)"},
		},
		"idle": {
			do: map[string]func(context.Context, int32) error{poll: func(_ context.Context, attempt int32) error {
				if attempt < 5 {
					return upToDate
				}
				return nil
			}},
			flow: func(ctx workflow.Context) error { return call(ctx, poll, fetch) },
			want: []string{"Poll(Fetch)"},
		},
		"a Poll that is called off": {
			do: map[string]func(context.Context, int32) error{poll: func(_ context.Context, _ int32) error { return upToDate }},
			flow: func(ctx workflow.Context) error {
				pctx, cancel := workflow.WithCancel(ctx)
				workflow.Go(ctx, func(ctx workflow.Context) {
					_ = workflow.Sleep(ctx, 3*time.Second)
					cancel()
				})
				if err := call(pctx, poll); err == nil {
					return fmt.Errorf("the Poll was not called off")
				}
				return call(ctx, fetch, apply)
			},
			want: []string{"Fetch(Apply)"},
		},
		"a Poll that is told while it works": {
			do: map[string]func(context.Context, int32) error{poll: func(context.Context, int32) error { return context.Canceled }},
			flow: func(ctx workflow.Context) error {
				_ = call(ctx, poll)
				return call(ctx, fetch, apply)
			},
			want: []string{"Fetch(Apply)"},
		},
		"another attempt": {
			do: map[string]func(context.Context, int32) error{fetch: func(_ context.Context, attempt int32) error {
				if attempt == 1 {
					return temporal.NewApplicationError("GET /data/passwords: 503", activities.TypeUnavailable)
				}
				return nil
			}},
			flow: func(ctx workflow.Context) error { return call(ctx, fetch, apply) },
			want: []string{"Fetch(Fetch Apply)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.do != nil {
				w.do = c.do
			}
			if diff := cmp.Diff(c.want, shape(t, w.run(c.flow))); diff != "" {
				t.Errorf("traces (-want +got):\n%s", diff)
			}
		})
	}
}

// Requests stand below their activity, and an error says its kind and not its text.
func TestSpans(t *testing.T) {
	w := newWorld(t)
	w.do[fetch] = func(ctx context.Context, attempt int32) error {
		w.asks(ctx, "primary", "data", 200)
		w.asks(ctx, "primary", "roles", 404)
		w.asks(ctx, "replica", "roles", 409)
		w.asks(ctx, "primary", "file", 0)
		if attempt == 1 {
			return temporal.NewApplicationError("GET /data/hush-name: 503", activities.TypeUnavailable)
		}
		return nil
	}
	w.do[apply] = func(ctx context.Context, _ int32) error {
		for range mostRequests + 7 {
			w.asks(ctx, "replica", "clients", 201)
		}
		return nil
	}
	spans := w.run(func(ctx workflow.Context) error { return call(ctx, poll, fetch, apply) })
	below := map[string][]string{} // the first of each
	ids := map[trace.SpanID]string{}
	for _, s := range spans {
		if s.SpanKind() != trace.SpanKindClient {
			ids[s.SpanContext().SpanID()] = fmt.Sprintf("%s %s", s.Name(), s.Status().Description)
		}
		if strings.Contains(fmt.Sprint(s.Attributes(), s.Events(), s.Status()), "hush") {
			t.Errorf("%s says %v %v %v", s.Name(), s.Attributes(), s.Events(), s.Status())
		}
	}
	var attrs string
	for _, s := range spans {
		if s.SpanKind() != trace.SpanKindClient {
			if s.Name() == apply {
				attrs = fmt.Sprint(s.Attributes())
			}
			continue
		}
		text := s.Name()
		if s.Status().Code == codes.Error {
			text += " " + s.Status().Description
		}
		parent := ids[s.Parent().SpanID()]
		below[parent] = append(below[parent], text)
	}
	wrong := []string{"GET data", "GET roles", "GET roles 409", "GET file no_answer"}
	want := map[string][]string{
		"Fetch Unavailable": wrong, "Fetch ": wrong,
		"Apply ": slices.Repeat([]string{"GET clients"}, mostRequests),
	}
	if diff := cmp.Diff(want, below); diff != "" {
		t.Errorf("requests by activity (-want +got):\n%s", diff)
	}
	for _, part := range []string{"{chef_sync.requests 507}", "{chef_sync.requests_left_out 7}", "{chef_sync.created 2}"} {
		if !strings.Contains(attrs, part) {
			t.Errorf("Apply has %s; want %s", attrs, part)
		}
	}
}

// Of a trace all spans are sent, or none.
func TestSampling(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
	const pages = 40
	w := newWorld(t)
	got := shape(t, w.run(func(ctx workflow.Context) error {
		for range pages {
			if err := call(ctx, poll, fetch, apply); err != nil {
				return err
			}
		}
		return nil
	}))
	if len(got) < 5 || len(got) > pages-5 {
		t.Errorf("%d traces of %d; want about half", len(got), pages)
	}
	for _, s := range got {
		if s != "Poll(Fetch Apply)" {
			t.Errorf("a trace in parts: %s", s)
		}
	}
}

// An activity that was scheduled without traces has one of its own.
func TestNoPlace(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		_, span := w.traces.open(t.Context(), deed{})
		span.End()
	}
	if got := w.spans.Ended(); got[0].SpanContext().TraceID() == got[1].SpanContext().TraceID() || got[0].Parent().IsValid() {
		t.Errorf("%v and %v; want two traces", got[0].SpanContext(), got[1].SpanContext())
	}
}
