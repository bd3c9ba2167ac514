// Package deploy tests what operators put around chef-sync: alert rules, scrape
// configurations and dashboards.
package deploy

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/chef-sync/chef-sync/internal/telemetry"
)

const (
	rulesFile     = "prometheus/chef-sync.rules.yml"
	dashboardFile = "grafana/dashboards/chef-sync.json"
)

// alert is one of the rules.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(read(t, rulesFile), &file); err != nil {
		t.Fatal(err)
	}
	var out []alert
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

// expressions returns those of the rules and of the dashboard, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, a := range alerts(t) {
		out[a.Alert] = a.Expr
	}
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				RefID string `json:"refId"`
				Expr  string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Name  string          `json:"name"`
				Query json.RawMessage `json:"query"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(read(t, dashboardFile), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			out["panel "+p.Title+" "+q.RefID] = q.Expr
		}
	}
	for _, v := range dashboard.Templating.List {
		var q struct{ Query string }
		if json.Unmarshal(v.Query, &q) == nil {
			out["variable "+v.Name] = q.Query
		}
	}
	if len(out) < 40 {
		t.Fatalf("only %d expressions were found", len(out))
	}
	return out
}

// strings of a Go file that a function picks.
func literals(t *testing.T, file string, pick func(string) (string, bool)) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				if name, ok := pick(s); ok {
					out = append(out, name)
				}
			}
		}
		return true
	})
	if len(out) < 5 {
		t.Fatalf("%s: only %v was found", file, out)
	}
	return out
}

// served returns the labels of each metric that there is; nil = not known.
func served(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{"up": nil}
	for _, f := range telemetry.Families() {
		labels := append(f.Labels, "replica")
		if f.Type == telemetry.TypeHistogram {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				out[f.Name+suffix] = append(labels, "le")
			}
			continue
		}
		out[f.Name] = labels
	}
	word := regexp.MustCompile(`^[a-z_]+$`)
	for _, name := range literals(t, "../internal/feedserver/metrics.go", func(s string) (string, bool) {
		s = strings.TrimPrefix(s, "chef_sync_feed_")
		return "chef_sync_feed_" + s, word.MatchString(s)
	}) {
		out[name] = nil
	}
	for _, name := range sdkNames(t) {
		for _, suffix := range []string{"", "_total", "_seconds_bucket"} {
			out["temporal_"+name+suffix] = nil
		}
	}
	return out
}

// sdkNames are the metrics of Temporal's SDK, as its constants name them.
func sdkNames(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.temporal.io/sdk").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(strings.TrimSpace(string(dir)), "internal", "common", "metrics", "constants.go")
	names := literals(t, file, func(s string) (string, bool) { return s, true })
	return append(names, "request_failure", "request_latency") // which it puts together
}

var (
	metric   = regexp.MustCompile(`\b(?:chef_sync|temporal)_[a-z_]+\b|\bup\b`)
	selector = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
)

// TestEveryMetricExists: a rule or panel about a metric that is not served would
// never fire, and show nothing, without a word.
func TestEveryMetricExists(t *testing.T) {
	known := served(t)
	for where, expr := range expressions(t) {
		names := metric.FindAllString(expr, -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric: %s", where, expr)
		}
		for _, name := range names {
			if _, ok := known[name]; !ok {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(expr, -1) {
			labels := known[s[1]]
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if labels != nil && !slices.Contains(labels, m[1]) {
					t.Errorf("%s: %s has no label %s", where, s[1], m[1])
				}
			}
		}
	}
}

// grouping is what an aggregation keeps apart.
var grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)

// TestLegendsTellSeriesApart: two lines of one name, of an organization on two replicas
// say, tell nobody anything.
func TestLegendsTellSeriesApart(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(read(t, dashboardFile), &dashboard); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range dashboard.Panels {
		if p.Type != "timeseries" {
			continue
		}
		for _, q := range p.Targets {
			by := grouping.FindStringSubmatch(q.Expr)
			if by == nil {
				continue
			}
			for label := range strings.SplitSeq(by[1], ", ") {
				if seen++; label != "le" && !strings.Contains(q.LegendFormat, "{{"+label+"}}") {
					t.Errorf("panel %s: its lines are told apart by %s, which the legend %q does not name", p.Title, label, q.LegendFormat)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d labels were found", seen)
	}
}

// TestHeldRequestsAreNotSlow: a poll that a feed server holds for a minute says nothing
// of how fast a server is.
func TestHeldRequestsAreNotSlow(t *testing.T) {
	for name, without := range map[string]string{"chef_sync_request_seconds": `route!="updated_since"`, "chef_sync_phase_seconds": `phase!="poll"`} {
		shown := 0
		for where, expr := range expressions(t) {
			if !strings.Contains(expr, name) {
				continue
			}
			if shown++; !strings.Contains(expr, without) {
				t.Errorf("%s shows how long requests were held: %s", where, expr)
			}
		}
		if shown == 0 {
			t.Errorf("nothing shows %s", name)
		}
	}
}

// TestAlertsAreDocumented in docs/metrics.md.
func TestAlertsAreDocumented(t *testing.T) {
	doc := string(read(t, "../docs/metrics.md"))
	for _, a := range alerts(t) {
		if row := fmt.Sprintf("| `%s` | %s | ", a.Alert, a.Labels["severity"]); !strings.Contains(doc, row) {
			t.Errorf("docs/metrics.md has no line %s", row)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(ChefSync[A-Za-z]+)`").FindAllStringSubmatch(doc, -1) {
		if !slices.ContainsFunc(alerts(t), func(a alert) bool { return a.Alert == m[1] }) {
			t.Errorf("docs/metrics.md tells of the alert %s, which there is not", m[1])
		}
	}
}

// TestScrapeConfiguration has the jobs and files that the rules rely on.
func TestScrapeConfiguration(t *testing.T) {
	var c struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			Job string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	text := read(t, "prometheus/prometheus.yml")
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.RuleFiles) != 1 || c.RuleFiles[0] != filepath.Base(rulesFile) {
		t.Errorf("rule_files %v", c.RuleFiles)
	}
	for _, a := range alerts(t) {
		for _, job := range regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(a.Expr, -1) {
			if !strings.Contains(string(text), "job_name: "+job[1]+"\n") {
				t.Errorf("%s is about the job %s, which prometheus.yml lacks", a.Alert, job[1])
			}
		}
	}
	for _, file := range []string{"grafana/provisioning/datasources/prometheus.yml", "grafana/provisioning/dashboards/chef-sync.yml"} {
		var any map[string]any
		if err := yaml.Unmarshal(read(t, file), &any); err != nil || any["apiVersion"] != 1 {
			t.Errorf("%s: %v, %v", file, any, err)
		}
	}
}

// TestAlertsFire runs the module that has Prometheus's evaluation of expressions.
func TestAlertsFire(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a part of Prometheus, a minute or two the first time")
	}
	cmd := exec.Command("go", "test", "-count=1", "./...")
	cmd.Dir = "alerts"
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}
