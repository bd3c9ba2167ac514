package telemetry_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/telemetry"
)

var update = flag.Bool("update", false, "write the golden files")

// well says that the process can do its work.
func well(context.Context) error { return nil }

// scrape returns the lines of /metrics that begin with prefix, without comments.
func scrape(t *testing.T, m *telemetry.Metrics, prefix string) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler(well).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("GET /metrics: %d %s", rec.Code, rec.Body)
	}
	var out []string
	for line := range strings.Lines(rec.Body.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) {
			out = append(out, line)
		}
	}
	return out
}

func has(t *testing.T, lines []string, want string) {
	t.Helper()
	if !slices.Contains(lines, want) {
		t.Errorf("no line %s in\n%s", want, strings.Join(lines, "\n"))
	}
}

// full is metrics of which each family has something to show.
func full() *telemetry.Metrics {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync", Version: "v1", Organizations: []string{"acme"}})
	m.Request("primary", "roles", "ok", 20*time.Millisecond)
	m.Object("acme", "role", "created")
	m.File("acme", "cookbook", "downloaded", 1000)
	m.Temporal(true)
	m.SDK().WithTags(map[string]string{"phase": "poll"}).Timer("chef_sync_phase").Record(time.Second)
	m.Pairs([]telemetry.Pair{{
		Organization: "acme", Running: true, Known: true, Source: "acme", Feed: "listing", Mode: "waiting", Trouble: "credentials",
		Success: time.Unix(1700000000, 0), Behind: 7, Unsynced: 2, Kinds: map[string]int{"role": 2}, Extras: 3,
	}})
	m.Paces(func() []telemetry.Pace {
		return []telemetry.Pace{{Server: "replica", Parallel: 2, InFlight: 1, Waiting: 5, Cuts: 3, AloneSeconds: 7.5}}
	})
	return m
}

var line = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? `)

// served returns the labels of each family as it is served.
func served(t *testing.T, m *telemetry.Metrics) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, l := range scrape(t, m, "chef_sync_") {
		parts := line.FindStringSubmatch(l)
		if parts == nil {
			t.Fatalf("line %q", l)
		}
		var labels []string
		for _, pair := range strings.Split(parts[2], `",`) {
			if name, _, _ := strings.Cut(pair, "="); name != "le" {
				labels = append(labels, name)
			}
		}
		name := regexp.MustCompile(`_seconds_(bucket|sum|count)$`).ReplaceAllString(parts[1], "_seconds")
		out[name] = strings.Join(labels, ",")
	}
	return out
}

// TestNamesAndLabels: dashboards and alerts of operators rely on them.
func TestNamesAndLabels(t *testing.T) {
	got := served(t, full())
	want := map[string]string{}
	for _, f := range telemetry.Families() {
		labels := append(f.Labels, "replica")
		slices.Sort(labels)
		want[f.Name] = strings.Join(labels, ",")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is served is not what the table says (-table +served):\n%s", diff)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&b, "%s{%s}\n", name, got[name])
	}
	golden := filepath.Join("testdata", "metrics.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(held), b.String()); diff != "" {
		t.Errorf("names or labels changed (-update accepts it, operators may not):\n%s", diff)
	}
}

// TestDocumented: docs/metrics.md has the table.
func TestDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range telemetry.Families() {
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", f.Name, f.Type, strings.Join(f.Labels, ", "), f.Help)
		if !strings.Contains(string(data), row+"\n") {
			t.Errorf("docs/metrics.md lacks the line\n%s", row)
		}
	}
	for _, name := range regexp.MustCompile("(?m)^\\| `(chef_sync_[a-z_]+)`").FindAllStringSubmatch(string(data), -1) {
		if !strings.HasPrefix(name[1], "chef_sync_feed_") && !slices.ContainsFunc(telemetry.Families(), func(f telemetry.Family) bool { return f.Name == name[1] }) {
			t.Errorf("docs/metrics.md tells of %s, which there is not", name[1])
		}
	}
}

func TestCounters(t *testing.T) {
	m := full()
	m.Object("acme", "role", "created")
	m.SDK().WithTags(map[string]string{"organization": "acme", "workflow_type": "SyncWorkflow"}).Counter("chef_sync_delete_guard_halts").Inc(1)
	got := scrape(t, m, "chef_sync_")
	has(t, got, `chef_sync_objects_total{action="created",kind="role",organization="acme",replica="sync"} 2`)
	has(t, got, `chef_sync_file_bytes_total{direction="downloaded",kind="cookbook",organization="acme",replica="sync"} 1000`)
	has(t, got, `chef_sync_requests_total{replica="sync",result="ok",route="roles",server="primary"} 1`)
	has(t, got, `chef_sync_request_seconds_bucket{replica="sync",route="roles",server="primary",le="0.025"} 1`)
	has(t, got, `chef_sync_delete_guard_halts_total{organization="acme",replica="sync"} 1`)
	has(t, got, `chef_sync_cursors_lost_total{organization="acme",replica="sync"} 0`) // so that the first one is an increase
	has(t, got, `chef_sync_temporal_up{replica="sync"} 1`)
	m.Temporal(false)
	has(t, scrape(t, m, "chef_sync_"), `chef_sync_temporal_up{replica="sync"} 0`)
}

func TestPairs(t *testing.T) {
	m := full()
	const of = `{organization="acme",replica="sync"}`
	got := scrape(t, m, "chef_sync_pair_")
	has(t, got, `chef_sync_pair_mode{mode="waiting",organization="acme",replica="sync"} 1`)
	has(t, got, `chef_sync_pair_trouble{organization="acme",reason="credentials",replica="sync"} 1`)
	has(t, got, `chef_sync_pair_unsynced_objects{kind="role",organization="acme",replica="sync"} 2`)
	has(t, got, `chef_sync_pair_last_success_timestamp_seconds`+of+` 1.7e+09`)
	has(t, got, `chef_sync_pair_lag_changes`+of+` 7`)
	if slices.Contains(got, `chef_sync_pair_lag_seconds`+of+` 0`) {
		t.Error("a pair that is not caught up lags 0 s")
	}
	m.Pairs([]telemetry.Pair{
		{Organization: "acme", Running: true, Known: true, Mode: "following", CaughtUp: true, Behind: -1, Success: time.Now().Add(-time.Hour)},
		{Organization: "idle"},
	})
	got = scrape(t, m, "chef_sync_pair_")
	has(t, got, `chef_sync_pair_lag_seconds`+of+` 0`)
	has(t, got, `chef_sync_pair_lag_changes`+of+` 0`)
	has(t, got, `chef_sync_pair_running{organization="idle",replica="sync"} 0`)
	for _, l := range got {
		if strings.Contains(l, "credentials") || strings.Contains(l, `kind="role"`) || strings.Contains(l, "idle") && !strings.Contains(l, "running") {
			t.Errorf("still there: %s", l)
		}
	}
}

// TestSDK takes the metrics of Temporal's SDK, and nothing without end.
// TestPaces: the servers are shown as they are when somebody looks.
// TestOddPairs: a pair that runs and has told nothing shows no more than that, and a
// success by a clock that was ahead is no negative lag.
func TestOddPairs(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{Replica: "sync"})
	m.Pairs([]telemetry.Pair{
		{Organization: "silent", Running: true},
		{Organization: "ahead", Running: true, Known: true, Mode: "waiting", Success: time.Now().Add(time.Hour), Behind: -1},
	})
	lines := scrape(t, m, "chef_sync_pair_")
	has(t, lines, `chef_sync_pair_lag_seconds{organization="ahead",replica="sync"} 0`)
	has(t, lines, `chef_sync_pair_running{organization="silent",replica="sync"} 1`)
	for _, l := range lines {
		if strings.Contains(l, "silent") && !strings.HasPrefix(l, "chef_sync_pair_running") || strings.Contains(l, "lag_changes") {
			t.Errorf("shown: %s", l)
		}
	}
	m.SDK().Counter("temporal_odd").Inc(-1) // a counter that goes down would end the process
	has(t, scrape(t, m, "temporal_odd"), `temporal_odd_total{activity_type="",cause="",failure_reason="",namespace="",operation="",poller_type="",status_code="",task_queue="",worker_type="",workflow_type=""} 0`)
}

func TestPaces(t *testing.T) {
	lines := scrape(t, full(), "chef_sync_server_")
	for name, v := range map[string]string{"parallel": "2", "in_flight": "1", "waiting": "5", "cuts_total": "3", "left_alone_seconds": "7.5"} {
		has(t, lines, `chef_sync_server_`+name+`{replica="sync",server="replica"} `+v)
	}
	var none *telemetry.Metrics
	none.Paces(nil)
}

func TestSDK(t *testing.T) {
	m := full()
	h := m.SDK().WithTags(map[string]string{"namespace": "default", "client_name": "temporal_go", "workflow_type": "none"})
	h.WithTags(map[string]string{"operation": "StartWorkflowExecution"}).Counter("temporal_request").Inc(2)
	h.Gauge("temporal_num_pollers").Update(5)
	h.Timer("temporal_request_latency").Record(time.Second)
	h.Gauge("temporal_request_total").Update(9) // of another type: dropped
	h.Counter("another").Inc(1)
	h.Counter("chef_sync_unknown").Inc(1)
	got := scrape(t, m, "")
	has(t, got, `temporal_request_total{activity_type="",cause="",failure_reason="",namespace="default",operation="StartWorkflowExecution",poller_type="",status_code="",task_queue="",worker_type="",workflow_type=""} 2`)
	text := strings.Join(got, "\n")
	for _, want := range []string{"temporal_num_pollers{", "temporal_request_latency_seconds_count{"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, bad := range []string{"another", "unknown", "temporal_go"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s was taken", bad)
		}
	}
	for i := range 2000 {
		h.WithTags(map[string]string{"operation": fmt.Sprint(i)}).Counter("temporal_request").Inc(1)
		h.Counter(fmt.Sprintf("temporal_x%d", i)).Inc(1)
	}
	if n := len(scrape(t, m, "temporal_request_total")); n != 500 {
		t.Errorf("%d series of one name; want 500", n)
	}
	if n := len(scrape(t, m, "temporal_x")); n > 200 {
		t.Errorf("%d names; want 200 at the most", n)
	}
}

// TestNobodyReads: code that counts need not ask.
func TestNobodyReads(t *testing.T) {
	var m *telemetry.Metrics
	m.Request("primary", "roles", "ok", 0)
	m.Object("acme", "role", "created")
	m.File("acme", "cookbook", "downloaded", 1)
	m.Temporal(true)
	m.Pairs(nil)
	m.SDK().WithTags(nil).Counter("temporal_request").Inc(1)
}

func TestServe(t *testing.T) {
	m := full()
	var trouble error
	s, err := m.Serve(t.Context(), "127.0.0.1:0", func(context.Context) error { return trouble })
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + s.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/": 404, "/debug/pprof/": 404} {
		if got, _ := get(path); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}
	trouble = errors.New("Temporal does not answer")
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "Temporal") {
		t.Errorf("not ready: %d %q", code, body)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("not ready, and alive: %d", code)
	}
	if _, err := m.Serve(t.Context(), s.Address(), well); err == nil {
		t.Error("the address was had twice")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
