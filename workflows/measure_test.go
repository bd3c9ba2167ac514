package workflows_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/workflows"
)

// A halt is counted, once for each time that the pair asks.
func TestHaltsAreCounted(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync"})
	w := measuredWorld(t, m)
	w.without("/data/b", 30)
	w.signal(time.Minute, workflows.SignalApproveDeletes)
	w.run(following(0), 2*time.Hour)
	rec := httptest.NewRecorder()
	m.Handler(nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	want := fmt.Sprintf("\nchef_sync_delete_guard_halts_total{organization=%q,replica=\"sync\"} 1\n", pair.Destination)
	if !strings.Contains(rec.Body.String(), want) {
		t.Errorf("no line%sin\n%s", want, rec.Body)
	}
}

// Status says which kinds are unsynced, and what a waiting pair waits for.
func TestStatusForMetrics(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad1", "bad2", "b")
	w.change(object.ActionUpdate, "/roles/bad1", "/roles/bad2", "/data/b/x")
	w.at(30*time.Minute, func() {
		s := w.status()
		if want := map[object.Kind]int{object.KindRole: 2, object.KindDataBagItem: 1}; !maps.Equal(s.UnsyncedKinds, want) || s.Unsynced != 3 {
			t.Errorf("unsynced %d, by kind %v; want %v", s.Unsynced, s.UnsyncedKinds, want)
		}
		if s.Trouble != "" {
			t.Errorf("a pair that is well waits for %q", s.Trouble)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.onPoll = func(activities.PollInput) (*activities.PollResult, error) {
			return &activities.PollResult{Trouble: &activities.Trouble{Key: "pair/401", Message: "no"}}, nil
		}
		bad = false
	})
	w.at(31*time.Minute, func() { w.env.SignalWorkflow(workflows.SignalSyncNow, nil) })
	if s := w.run(following(0), 2*time.Hour); s.Mode != workflows.ModeWaiting || s.Trouble != "pair/401" {
		t.Errorf("mode %s waits for %q; want pair/401", s.Mode, s.Trouble)
	}
}
