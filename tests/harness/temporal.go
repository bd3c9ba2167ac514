package harness

import (
	"log/slog"
	"testing"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// Temporal connects to the ec-syncd's Temporal server.
func (d *Syncd) Temporal(t testing.TB) temporal.Client {
	t.Helper()
	c, err := temporal.DialContext(t.Context(), temporal.Options{
		HostPort: loopback(d.Port), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatalf("connect to the ec-syncd's Temporal: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// Copying reports whether a pair's workflow has a Fetch or Apply under way.
func (d *Syncd) Copying(t testing.TB, workflowID string) bool {
	t.Helper()
	got, err := d.Temporal(t).DescribeWorkflowExecution(t.Context(), workflowID, "")
	if err != nil {
		t.Fatalf("describe %s: %v", workflowID, err)
	}
	for _, a := range got.GetPendingActivities() {
		if n := a.GetActivityType().GetName(); n == "Fetch" || n == "Apply" {
			return true
		}
	}
	return false
}
