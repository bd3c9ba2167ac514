package integration

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// otlp is a collector of traces. It refuses whoever does not show its token, and
// repeats in the refusal what it was shown.
type otlp struct {
	collector.UnimplementedTraceServiceServer
	URL   string
	token string // "" wants none

	mu    sync.Mutex
	spans []*tracepb.Span
	text  strings.Builder // all that was sent
}

// newOTLP starts a collector.
func newOTLP(t *testing.T, token string) *otlp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &otlp{URL: "http://" + l.Addr().String(), token: token}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return c
}

// Export implements the service.
func (c *otlp) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if shown := md.Get("authorization"); c.token != "" && !slices.Contains(shown, c.token) {
		return nil, status.Errorf(codes.Unauthenticated, "who is %q?", shown)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.WriteString(protojson.Format(r))
	for _, of := range r.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// got returns the spans so far.
func (c *otlp) got() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// said is all that was sent, as JSON.
func (c *otlp) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// traces are the spans by trace, each as "Poll>Apply>PUT roles replica 200": its
// parents, its name, and of a request the server and the status.
func (c *otlp) traces() map[string][]string {
	spans := c.got()
	byID := map[string]*tracepb.Span{}
	for _, s := range spans {
		byID[string(s.SpanId)] = s
	}
	out := map[string][]string{}
	for _, s := range spans {
		text := s.Name + told(s, "chef_sync.server") + told(s, "http.response.status_code")
		for parent := s.ParentSpanId; len(parent) > 0; {
			p := byID[string(parent)]
			if p == nil {
				text = "?>" + text
				break
			}
			text, parent = p.Name+">"+text, p.ParentSpanId
		}
		id := fmt.Sprintf("%x", s.TraceId)
		out[id] = append(out[id], text)
	}
	return out
}

// told is an attribute of a span with a blank before it; "" if there is none.
func told(s *tracepb.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if v := a.Value.GetStringValue(); v != "" {
				return " " + v
			}
			return fmt.Sprint(" ", a.Value.GetIntValue())
		}
	}
	return ""
}

// has reports whether one trace has all of these spans, and begins with a Poll.
func (c *otlp) has(spans ...string) bool {
	for _, have := range c.traces() {
		if !slices.ContainsFunc(append([]string{"Poll"}, spans...), func(s string) bool { return !slices.Contains(have, s) }) {
			return true
		}
	}
	return false
}
