package activities

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/internal/webhook"
)

// measured runs an activity with metrics, and returns these and its error.
func measured(t *testing.T, activity, in any) (string, error) {
	t.Helper()
	m := telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync", Organizations: []string{"acme"}})
	s := quiet()
	s.SetMetricsHandler(m.SDK())
	env := s.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	_, err := env.ExecuteActivity(activity, in)
	rec := httptest.NewRecorder()
	m.Handler(nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return rec.Body.String(), err
}

func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestWhatActivitiesReport has the names and labels of the table of metrics.
func TestWhatActivitiesReport(t *testing.T) {
	b := newBench(t)
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{}, fmt.Errorf("%w: because", feed.ErrCursorLost)
	}
	got, err := measured(t, b.acts.Poll, PollInput{Pair: pair, Cursor: at("7")})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, got, fmt.Sprintf(`chef_sync_cursors_lost_total{organization="%s",replica="sync"} 1`, pair.Destination),
		`chef_sync_phase_seconds_count{phase="poll",replica="sync"} 1`)

	b.write.Role("r", "1")
	got, err = measured(t, b.acts.Fetch, FetchInput{Pair: pair, Changes: []object.Change{change(object.ActionUpdate, "/roles/r")}})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, got, `chef_sync_phase_seconds_count{phase="fetch",replica="sync"} 1`)
	got, err = measured(t, b.acts.Apply, ApplyInput{Pair: pair, Deletes: []object.Ref{object.MustRef("/roles/r")}})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, got, `chef_sync_phase_seconds_count{phase="delete",replica="sync"} 1`)
}

func TestNotify(t *testing.T) {
	var body string
	code := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body = string(data)
		w.WriteHeader(code)
	}))
	defer s.Close()
	b := newBench(t)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := Event{
		Version: 1, ID: "sync/acme/halted/7", Event: EventHalted, At: noon.Add(time.Minute), Replica: "sync", Organization: "acme", Source: "acme",
		Mode: "halted", Since: noon, LastSuccess: noon, Reason: "role: 30 of 30 would be deleted", Hint: "chef-sync-ctl approve-deletes acme",
	}
	_, err := measured(t, b.acts.Notify, e)
	wantError(t, err, TypeUnavailable, true)
	b.acts.Webhook = webhook.New(s.URL+"/s3cr3t", "")
	got, err := measured(t, b.acts.Notify, e)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, got, `chef_sync_webhook_posts_total{event="halted",replica="sync",result="ok"} 1`)
	const want = `{"version":1,"id":"sync/acme/halted/7","event":"halted","at":"2026-11-23T12:01:00Z",` +
		`"replica":"sync","organization":"acme","source":"acme","mode":"halted","since":"2026-11-23T12:00:00Z",` +
		`"last_success":"2026-11-23T12:00:00Z","unsynced":0,"reason":"role: 30 of 30 would be deleted",` +
		`"hint":"chef-sync-ctl approve-deletes acme"}`
	if body != want || !json.Valid([]byte(body)) {
		t.Errorf("the webhook got\n%s\nwant\n%s", body, want)
	}
	code = http.StatusInternalServerError
	got, err = measured(t, b.acts.Notify, e)
	if err == nil || strings.Contains(err.Error()+b.log.String(), "s3cr3t") {
		t.Errorf("refused: %v\n%s", err, b.log.String())
	}
	wantLines(t, got, `chef_sync_webhook_posts_total{event="halted",replica="sync",result="failed"} 1`)
}
