package traces

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// mostRequests is how many exchanges of one activity are remembered: the last ones.
const mostRequests = 500

// An exchange is a request and its answer, or what came instead.
type exchange struct {
	chef.RequestInfo
	server, result string
	ended          time.Time
}

// recorderKey is the key of an activity's recorder in its context.
type recorderKey struct{}

// A recorder remembers the exchanges of an activity until it ends.
type recorder struct {
	mu    sync.Mutex
	ring  []exchange
	next  int // where the next one goes in a full ring
	left  int // how many were overwritten
	ended bool
}

func (r *recorder) add(e exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended: // whoever was left behind by an activity
	case len(r.ring) < mostRequests:
		r.ring = append(r.ring, e)
	default:
		r.ring[r.next] = e
		r.next = (r.next + 1) % mostRequests
		r.left++
	}
}

// end returns what was remembered, in the order in which it ended, and how many were
// not.
func (r *recorder) end() ([]exchange, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	return append(r.ring[r.next:len(r.ring):len(r.ring)], r.ring[:r.next]...), r.left
}

// Request implements the tracer of package connect: it remembers what an activity asked
// a server. Server is primary or replica; result is ok, or whom an error concerns.
func (t *Traces) Request(ctx context.Context, server, result string, r chef.RequestInfo) {
	if rec, ok := ctx.Value(recorderKey{}).(*recorder); ok {
		rec.add(exchange{RequestInfo: r, server: server, result: result, ended: time.Now()})
	}
}

// tellRequest makes the span of an exchange.
func (t *Traces) tellRequest(ctx context.Context, organization string, e exchange) {
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", e.Method),
		attribute.String("chef_sync.server", e.server),
		attribute.String("chef_sync.route", e.Route),
		attribute.String("chef_sync.result", e.result),
		attribute.Int("chef_sync.attempt", e.Attempt),
	}
	if organization != "" {
		attrs = append(attrs, attribute.String(attrOrganization, organization))
	}
	why := "no_answer"
	if e.Status != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", e.Status))
		why = strconv.Itoa(e.Status)
	}
	_, span := t.tracer.Start(ctx, e.Method+" "+e.Route, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(e.ended.Add(-e.Duration)), trace.WithAttributes(attrs...))
	// That an object is not there is mostly what was to be found out.
	if e.result != "ok" && e.Status != 404 {
		span.SetAttributes(attribute.String("error.type", why))
		span.SetStatus(codes.Error, why)
	}
	span.End(trace.WithTimestamp(e.ended))
}
