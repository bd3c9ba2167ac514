package traces

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/chef-sync/chef-sync/activities"
)

// attrOrganization is the destination of the pair that a span is about.
const attrOrganization = "chef_sync.organization"

// organizationOf returns the destination of the pair that an activity is about; "" if
// its arguments do not say.
func organizationOf(args []any) string {
	if len(args) == 0 {
		return ""
	}
	switch in := args[0].(type) {
	case activities.PollInput:
		return in.Pair.Destination
	case activities.FetchInput:
		return in.Pair.Destination
	case activities.ApplyInput:
		return in.Pair.Destination
	case activities.VerifyListInput:
		return in.Pair.Destination
	case activities.VerifyInput:
		return in.Pair.Destination
	case activities.Event:
		return in.Organization
	}
	return ""
}

// attributes are those of an attempt's span.
func (d deed) attributes() []attribute.KeyValue {
	out := []attribute.KeyValue{
		attribute.String("temporal.workflow.id", d.info.WorkflowExecution.ID),
		attribute.String("temporal.run.id", d.info.WorkflowExecution.RunID),
		attribute.String("temporal.activity.id", d.info.ActivityID),
		attribute.Int("temporal.attempt", int(d.info.Attempt)),
		attribute.Int("chef_sync.requests", len(d.requests)+d.left),
	}
	if d.organization != "" {
		out = append(out, attribute.String(attrOrganization, d.organization))
	}
	if d.left > 0 {
		out = append(out, attribute.Int("chef_sync.requests_left_out", d.left))
	}
	if d.err != nil {
		return out
	}
	return append(out, figures(d.result)...)
}

// figures are what an activity has done, in numbers.
func figures(result any) []attribute.KeyValue {
	n := func(name string, v int) attribute.KeyValue { return attribute.Int("chef_sync."+name, v) }
	switch r := result.(type) {
	case activities.PollResult:
		out := []attribute.KeyValue{n("changes", len(r.Changes)), n("ignored", r.Ignored)}
		if r.Cursor.Feed != "" {
			out = append(out, attribute.String("chef_sync.feed", r.Cursor.Feed))
		}
		return out
	case activities.FetchResult:
		return []attribute.KeyValue{
			n("equal", r.Equal), n("gone", len(r.Gone)), n("failed", len(r.Failed)), attribute.Int64("chef_sync.bytes", r.Bytes),
		}
	case activities.ApplyResult:
		return []attribute.KeyValue{
			n("created", r.Created), n("updated", r.Updated), n("deleted", r.Deleted), n("equal", r.Equal),
			n("failed", len(r.Failed)), n("files", r.Files),
		}
	}
	return nil
}
