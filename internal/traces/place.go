package traces

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"go.opentelemetry.io/otel/trace"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// header is the field of an activity's header that holds its place.
const header = "chef-sync-trace"

// A place is where an activity stands: in which trace, and whether it begins it.
type place struct {
	// Run and N say which trace: the Nth of a run of a workflow.
	Run string `json:"run"`
	N   int    `json:"n"`

	// Begins says that the activity's span is the root of the trace.
	Begins bool `json:"begins,omitempty"`
}

// ids are those of the trace and of its root, always the same ones: whoever has a
// place knows them, whatever crashed meanwhile.
func (p place) ids() (t trace.TraceID, root trace.SpanID) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(p.Run), uint64(p.N))) //nolint:gosec // N counts from 1
	copy(t[:], sum[:])
	copy(root[:], sum[len(t):])
	return t, root
}

// put writes a place into a header; a nil header takes none.
func (p place) put(to map[string]*commonpb.Payload) {
	if to == nil {
		return
	}
	if payload, err := converter.GetDefaultDataConverter().ToPayload(p); err == nil {
		to[header] = payload
	}
}

// placeIn reads the place in a header; false if there is none, because whoever
// scheduled the activity had no traces.
func placeIn(h map[string]*commonpb.Payload) (p place, ok bool) {
	payload := h[header]
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &p) != nil {
		return place{}, false
	}
	return p, p.Run != ""
}

// rootKey is the key of the place whose root a span is to be, in a context.
type rootKey struct{}

// ids gives spans their IDs: random ones, but for the root of a place.
type ids struct{}

// NewIDs returns the IDs of a root.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if p, ok := ctx.Value(rootKey{}).(place); ok {
		return p.ids()
	}
	var t trace.TraceID
	_, _ = rand.Read(t[:]) // never fails
	return t, ids{}.NewSpanID(ctx, t)
}

// NewSpanID returns the ID of a span that is no root.
func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var s trace.SpanID
	_, _ = rand.Read(s[:])
	return s
}
