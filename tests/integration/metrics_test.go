package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// get returns what an ec-syncd serves at metrics_address.
func get(t *testing.T, port int, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// value returns the value of a series; "" if there is none.
func value(body, series string) string {
	for line := range strings.Lines(body) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// A scrape after a synchronization says what happened, in numbers, and no secret.
func TestMetrics(t *testing.T) {
	t.Parallel()
	port := harness.FreePort(t)
	d := newDuo(t, fmt.Sprintf("metrics_address '127.0.0.1:%d'\nmaster_headers 'X-Proxy-Token' => 'hush-token'\n", port))
	d.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/roles/?(role1)?$"), Method: "POST", Count: 1,
		Effect: chefserver.Status(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)})
	d.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/roles/[^/]+$"), Method: "PUT",
		Effect: chefserver.Status(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)})
	d.write.Small()
	d.write.Item("many", "hidden", "hush-value")
	for _, path := range []string{"/healthz", "/readyz"} {
		var code int
		var body string
		harness.Until(t, path+" is 200", func() bool { // it gives Temporal two seconds to answer
			code, body = get(t, port, path)
			return code == http.StatusOK
		}, func() string { return fmt.Sprint(code, body) })
	}
	if _, body := get(t, port, "/metrics"); value(body, `chef_sync_pair_running{organization="acme",replica="sync"}`) == "1" {
		t.Error("a pair runs that nobody started")
	}
	d.start()
	d.is("unsynced", 1)
	d.is("state", "following")

	const of = `{organization="acme",replica="sync"}`
	want := map[string]string{
		`chef_sync_pair_lag_changes` + of:                                                                   "0",
		`chef_sync_pair_lag_seconds` + of:                                                                   "0",
		`chef_sync_pair_running` + of:                                                                       "1",
		`chef_sync_pair_unsynced` + of:                                                                      "1",
		`chef_sync_pair_extra_objects` + of:                                                                 "0",
		`chef_sync_pair_mode{mode="following",organization="acme",replica="sync"}`:                          "1",
		`chef_sync_pair_unsynced_objects{kind="role",organization="acme",replica="sync"}`:                   "1",
		`chef_sync_pair_info{feed="updated_since",organization="acme",replica="sync",source="acme"}`:        "1",
		`chef_sync_objects_total{action="created",kind="data_bag_item",organization="acme",replica="sync"}`: fmt.Sprint(d.count("/data/", 3)),
		`chef_sync_objects_total{action="created",kind="cookbook",organization="acme",replica="sync"}`:      fmt.Sprint(d.count("/cookbooks/", 3)),
		`chef_sync_objects_total{action="created",kind="role",organization="acme",replica="sync"}`:          fmt.Sprint(d.count("/roles/", 2) - 1),
		`chef_sync_delete_guard_halts_total` + of:                                                           "0",
		`chef_sync_temporal_up{replica="sync"}`:                                                             "1",
	}
	var body string
	var bad []string
	harness.Until(t, "the metrics say what happened", func() bool {
		_, body = get(t, port, "/metrics")
		bad = nil
		for series, v := range want {
			if got := value(body, series); got != v {
				bad = append(bad, fmt.Sprintf("%s is %q, want %s", series, got, v))
			}
		}
		return len(bad) == 0
	}, func() string { return strings.Join(bad, "\n") + "\n" + body })
	for _, series := range []string{
		`chef_sync_objects_total{action="failed",kind="role",organization="acme",replica="sync"}`,
		`chef_sync_requests_total{replica="sync",result="ok",route="updated_since",server="primary"}`,
		`chef_sync_requests_total{replica="sync",result="ok",route="cookbooks",server="replica"}`,
		`chef_sync_requests_total{replica="sync",result="object",route="roles",server="replica"}`,
		`chef_sync_request_seconds_count{replica="sync",route="file",server="primary"}`,
		`chef_sync_files_total{direction="downloaded",kind="cookbook",organization="acme",replica="sync"}`,
		`chef_sync_file_bytes_total{direction="uploaded",kind="any",organization="acme",replica="sync"}`,
		`chef_sync_phase_seconds_count{phase="poll",replica="sync"}`,
		`chef_sync_phase_seconds_count{phase="fetch",replica="sync"}`,
		`chef_sync_phase_seconds_count{phase="apply",replica="sync"}`,
	} {
		if v := value(body, series); v == "" || v == "0" {
			t.Errorf("%s is %q; want more than 0", series, v)
		}
	}
	if !strings.Contains(body, "temporal_activity_execution_latency_seconds_count{") {
		t.Error("Temporal's SDK says nothing")
	}
	for _, secret := range []string{"hush", "PRIVATE KEY", harness.SyncUser, "hidden", "/roles/", d.primary.URL} {
		if strings.Contains(body, secret) {
			t.Errorf("the metrics name %q", secret)
		}
	}
	d.syncd.MustCtl(t, "remove", harness.Organization, "--yes")
	harness.Until(t, "the metrics say that it does not run", func() bool {
		_, body = get(t, port, "/metrics")
		return value(body, `chef_sync_pair_running`+of) == "0" && !strings.Contains(body, "chef_sync_pair_mode{")
	}, func() string { return body })
}

// An ec-syncd that cannot have its metrics_address says so and does not run.
func TestMetricsAddressInUse(t *testing.T) {
	t.Parallel()
	settings := fmt.Sprintf("metrics_address '127.0.0.1:%d'\n", harness.FreePort(t))
	d := newDuo(t, settings)
	other := harness.PrepareSyncd(t)
	other.Configure(t, d.primary.Side(), d.replica.Side(), settings)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.BuildBinary(t, "./worker"), "--config", other.Config)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "metrics_address in "+other.Config) {
		t.Errorf("ended with %v:\n%s\nwant 1, and the setting", err, out)
	}
}

// count is how many objects the primary has below a path, of so many names.
func (d *duo) count(prefix string, words int) int {
	d.t.Helper()
	n := 0
	for path := range harness.Dump(d.t, d.primary.Client) {
		if strings.HasPrefix(path, prefix) && strings.Count(path, "/") == words {
			n++
		}
	}
	return n
}

// receiver is an endpoint of a webhook.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	events []activities.Event
	refuse int // so many posts
	tokens []string
}

func newReceiver(t *testing.T, refuse int) *receiver {
	r := &receiver{refuse: refuse}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tokens = append(r.tokens, req.Header.Get("Authorization"))
		if r.refuse--; r.refuse >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var e activities.Event
		if err := json.NewDecoder(req.Body).Decode(&e); err != nil {
			t.Errorf("body: %v", err)
		}
		r.events = append(r.events, e)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []activities.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// replays makes sure that a workflow does the same again from its history.
func replays(t *testing.T, c client.Client, id string) {
	t.Helper()
	h := &history.History{}
	it := c.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
	if err != nil {
		t.Fatal(err)
	}
	workflows.Register(r)
	if err := r.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h); err != nil || len(h.Events) < 10 {
		t.Errorf("%d events: %v", len(h.Events), err)
	}
}

// The webhook is told once that a pair halted, also if it refused the first time
// and if ec-syncd was killed, and once that it recovered.
func TestWebhook(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 1)
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("Authorization: Bearer hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDuo(t, fmt.Sprintf("webhook_url '%s/s3cr3t'\nwebhook_headers_file '%s'\n", r.URL, headers))
	for i := range 30 {
		d.write.Item("many", fmt.Sprintf("item%02d", i), "1")
	}
	d.start()
	d.equal("bootstrap")
	d.syncd.MustCtl(t, "sync-stop", harness.Organization)
	for i := range 30 {
		if err := d.primary.Client.DeleteDataBagItem(t.Context(), "many", fmt.Sprintf("item%02d", i)); err != nil {
			t.Fatal(err)
		}
	}
	d.start()
	d.is("state", "halted")
	told := func(n int) []activities.Event {
		t.Helper()
		harness.Until(t, fmt.Sprintf("%d events", n), func() bool { return len(r.got()) >= n },
			func() string { return fmt.Sprint(r.got()) + d.syncd.Log(t) })
		return r.got()
	}
	e := told(1)[0]
	if e.Event != "halted" || e.Version != 1 || e.Organization != harness.Organization || e.Replica != "sync" || e.Mode != "halted" ||
		e.Since.IsZero() || !strings.Contains(e.Reason, "data_bag_item") || !strings.Contains(e.Hint, "approve-deletes") || e.ID == "" {
		t.Errorf("event %+v", e)
	}

	harness.Until(t, "Temporal knows that it was told", func() bool {
		desc, err := d.syncd.Temporal(t).DescribeWorkflowExecution(t.Context(), "chef-sync-incident/sync/"+harness.Organization, "")
		return err == nil && len(desc.GetPendingActivities()) == 0
	}, func() string { return d.syncd.Log(t) })
	d.syncd.Kill()
	d.syncd.Start(t)
	d.is("state", "halted")
	time.Sleep(5 * time.Second) // its first look is at once
	d.syncd.MustCtl(t, "approve-deletes", harness.Organization, "--yes")
	d.equal("after the approval")
	all := told(2)
	if all[1].Event != "recovered" || all[1].ID == e.ID {
		t.Errorf("events %+v; want halted and recovered, once each", all)
	}
	for _, token := range r.tokens {
		if token != "Bearer hush" {
			t.Errorf("a post came with %q", token)
		}
	}
	said := d.syncd.Log(t)
	if !strings.Contains(said, "503") {
		t.Error("the log does not say that the webhook refused")
	}
	if strings.Contains(said, "s3cr3t") || strings.Contains(said, "hush") {
		t.Error("the log holds a secret")
	}
	if n := len(r.got()); n != 2 {
		t.Errorf("%d events in the end; want 2", n)
	}
	replays(t, d.syncd.Temporal(t), "chef-sync-incident/sync/"+harness.Organization)
}
