package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// The names under which activities and workflows report to the metrics handler of
// Temporal's client, and the tags; package telemetry has the table of what they
// become.
const (
	MetricPhase = "chef_sync_phase"              // a timer, with the tag phase
	MetricLost  = "chef_sync_cursors_lost"       // a counter, with TagOrganization
	MetricHalts = "chef_sync_delete_guard_halts" // a counter, with TagOrganization
	MetricPosts = "chef_sync_webhook_posts"      // a counter, with the tags event and result

	TagOrganization = "organization"
)

// measure times a phase until the returned function is called.
func measure(ctx context.Context, phase string) (done func()) {
	began := time.Now()
	return func() {
		activity.GetMetricsHandler(ctx).WithTags(map[string]string{"phase": phase}).Timer(MetricPhase).Record(time.Since(began))
	}
}

// count adds one to a counter.
func count(ctx context.Context, name string, tags map[string]string) {
	activity.GetMetricsHandler(ctx).WithTags(tags).Counter(name).Inc(1)
}
