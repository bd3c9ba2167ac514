package harness

import (
	"log/slog"
	"testing"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// NewTemporal starts an ec-syncd whose Temporal server is all that it is for: its
// chef-sync.rb names a server and nobody, and no pair of theirs is ever started. It
// stands for a Temporal cluster with its database.
func NewTemporal(t testing.TB, anybody Side) *Syncd {
	t.Helper()
	d := PrepareSyncd(t)
	nobody := anybody
	nobody.URL = "http://" + loopback(FreePort(t))
	d.Configure(t, anybody, nobody, "name 'nobody'\n")
	d.Start(t)
	return d
}

// NewWorker is [NewSyncd] for an ec-syncd whose Temporal is another's, which it
// reaches through a wire.
func NewWorker(t testing.TB, server *Syncd, wire *Wire, primary, replica Side, settings string) *Syncd {
	t.Helper()
	d := PrepareWorker(t, server, wire, primary, replica, settings)
	d.Start(t)
	return d
}

// PrepareWorker is [NewWorker] without its start.
func PrepareWorker(t testing.TB, server *Syncd, wire *Wire, primary, replica Side, settings string) *Syncd {
	t.Helper()
	d := PrepareSyncd(t)
	d.Port, d.UIPort, d.temporal = server.Port, server.UIPort, loopback(wire.Port)
	d.Configure(t, primary, replica, settings)
	return d
}

// Address is the host and port of the ec-syncd's Temporal server.
func (d *Syncd) Address() string { return loopback(d.Port) }

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
