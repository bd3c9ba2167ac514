package connect_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/connect"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestEngine compares without staging.
func TestEngine(t *testing.T) {
	s := newSetup(t, "")
	harness.Write(t, s.primary.Client).Small()
	e, err := connect.Engine(t.Context(), s.cfg, acme, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Compare(t.Context(), func(object.Ref) {})
	if err != nil || len(c.Differences) == 0 {
		t.Errorf("Compare = %+v, %v; want what the replica lacks", c, err)
	}
	other := acme
	other.Destination = "other"
	if _, err := connect.Engine(t.Context(), s.cfg, other, slog.New(slog.DiscardHandler)); !errors.Is(err, activities.ErrNotConfigured) {
		t.Errorf("Engine of another pair: %v; want ErrNotConfigured", err)
	}
}
