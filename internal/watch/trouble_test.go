package watch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/workflows"
)

// TestWhatWasNotTakenIsToldAgain: an event, or a recovery, that Temporal did not take
// is told at the next look, and an incident that is not listed yet is one all the same.
func TestWhatWasNotTakenIsToldAgain(t *testing.T) {
	w := newWorld(1)
	halted := w.in(workflows.ModeHalted)
	w.deaf = errors.New("not now")
	w.see(t, halted)
	w.deaf = nil
	w.see(t, halted, "halted")
	w.deaf = errors.New("not now")
	w.see(t, w.following(0))
	w.deaf, w.late = nil, true
	w.see(t, w.following(0), "recovered")
	w.see(t, halted, "halted") // again: the incident of before has ended
}

// TestAnEndedWatcherTellsNothing: what it saw while it was stopped may be half of it.
func TestAnEndedWatcherTellsNothing(t *testing.T) {
	w := newWorld(1)
	w.looks[acme] = w.in(workflows.ModeHalted)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.round(ctx)
	if w.fake.told != nil {
		t.Errorf("told %v", w.fake.told)
	}
}

// TestListsThatFail: pairs are looked at all the same, Temporal is up, and what goes
// wrong is said once.
func TestListsThatFail(t *testing.T) {
	w := newWorld(1)
	var said strings.Builder
	w.o.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.o.Metrics = telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync"})
	for i, blind := range []error{errors.New("no lists"), errors.New("no lists"), nil, errors.New("no lists"), errors.New("other")} {
		w.blind = blind
		w.see(t, w.following(0))
		rec := httptest.NewRecorder()
		w.o.Metrics.Handler(nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if !strings.Contains(rec.Body.String(), `chef_sync_temporal_up{replica="sync"} 1`) {
			t.Errorf("round %d: Temporal is not up", i)
		}
	}
	if n := strings.Count(said.String(), "know little"); n != 3 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
}

// TestARecoveryIsNotToldEachRound: an incident stays open while its webhook does not
// answer. Each time that it is told something adds to its history.
func TestARecoveryIsNotToldEachRound(t *testing.T) {
	w := newWorld(1)
	w.see(t, w.in(workflows.ModeHalted), "halted")
	w.mute = true
	w.see(t, w.following(0), "recovered")
	w.see(t, w.following(0))
	w.see(t, w.in(workflows.ModeHalted), "halted") // meanwhile, and well again: both are news
	w.see(t, w.following(0), "recovered")
	w.see(t, w.following(0))
	w.clock = w.clock.Add(again)
	w.see(t, w.following(0), "recovered") // the first may have come before what it ends
	w.mute = false
	w.clock = w.clock.Add(again)
	w.see(t, w.following(0), "recovered")
	w.see(t, w.following(0))
}

// TestWithoutAWebhook: nothing is told that begins, and what was told when there was one
// ends with its trouble. Other pairs are looked at for the metrics only.
func TestWithoutAWebhook(t *testing.T) {
	w := newWorld(3)
	w.see(t, w.in(workflows.ModeHalted), "halted")
	w.restart(w.o.Pairs)
	w.o.Webhook = false
	other := w.o.Pairs[1]
	w.looks[other] = w.in(workflows.ModeHalted)
	looks := func(want int) {
		t.Helper()
		if len(w.looked) != want {
			t.Errorf("%d looks, want %d", len(w.looked), want)
		}
		w.looked = nil
	}
	w.looked = nil
	w.see(t, w.in(workflows.ModeHalted))
	looks(1)
	w.see(t, w.following(0), "recovered")
	looks(1)
	w.see(t, w.following(0))
	looks(0)

	w.o.Metrics = telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync"})
	w.see(t, w.in(workflows.ModeHalted))
	looks(3)
	w.incidents[workflows.IncidentWorkflowID(acme)] = "" // of another ec-syncd, which has one
	w.see(t, w.in(workflows.ModeHalted))
	w.see(t, w.following(0), "recovered")
}
