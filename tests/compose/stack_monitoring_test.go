package compose

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// dashboard has Prometheus scrape all workers, and asks it what each panel asks.
func (s *stack) dashboard(replicas []*replica) {
	s.t.Helper()
	home := s.mounted("prometheus", "/etc/prometheus")
	config := filepath.Join(home, "prometheus.yml")
	s.done(exec.Command("promtool", "check", "config", config))
	// Outside a network of containers nobody resolves the name of the workers.
	text := readFile(s.t, config)
	targets := []string{}
	for _, r := range replicas {
		for _, port := range r.workers {
			targets = append(targets, fmt.Sprintf("'127.0.0.1:%d'", port))
		}
	}
	here := regexp.MustCompile(`(?s)dns_sd_configs:.*`).ReplaceAllString(text, "static_configs: [{targets: ["+strings.Join(targets, ", ")+"]}]\n")
	here = strings.ReplaceAll(here, "15s", "1s")
	if err := os.WriteFile(config, []byte(here), 0o600); err != nil {
		s.t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(s.t))
	program, err := exec.LookPath("prometheus")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(s.bin, "prometheus")); err != nil {
		s.t.Fatal(err)
	}
	// The program is the image's entrypoint.
	service := s.compose.Services["prometheus"]
	service.Entrypoint = []string{"prometheus"}
	s.compose.Services["prometheus"] = service
	cmd := s.command("prometheus", []string{"/etc/prometheus", home, "=/prometheus", "=" + filepath.Join(s.dir, "tsdb")})
	cmd.Args = append(cmd.Args, "--web.listen-address="+address)
	p := harness.StartProgram(s.t, cmd)
	s.answers("Prometheus", p, address, s.health("prometheus"))

	up := fmt.Sprint(len(targets))
	harness.Until(s.t, "all workers are scraped", func() bool {
		r := s.ask(address, `count(up{job="chef-sync"} == 1)`)
		return len(r) == 1 && r[0].Value[1] == up
	}, p.Log)
	harness.Until(s.t, "both replicas have told of their pair", func() bool {
		return len(s.ask(address, `max by (replica, organization) (chef_sync_pair_mode{mode="following"}) == 1`)) == len(replicas)
	}, p.Log)
	shown := 0
	harness.Until(s.t, "15 panels of the dashboard show something", func() bool { // a rate takes two scrapes
		shown = 0
		for _, expr := range panels(s.t) {
			if len(s.ask(address, expr)) > 0 {
				shown++
			}
		}
		return shown >= 15
	}, func() string { return fmt.Sprint(shown) })
	if _, rules := get(s.t, "http://"+address+"/api/v1/rules"); !strings.Contains(rules, `"ChefSyncPairHalted"`) {
		s.t.Errorf("Prometheus does not know the alerts: %s", rules)
	}
}

// mounted makes a directory of the files that a service has below one of its own.
func (s *stack) mounted(service, below string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	for _, v := range s.compose.Services[service].Volumes {
		text, _ := v.(string)
		source, rest, _ := strings.Cut(text, ":")
		target, _, _ := strings.Cut(rest, ":")
		if filepath.Dir(target) != below {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(target)), []byte(readFile(s.t, source)), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return dir
}

// sample is one of the answers of Prometheus: a time and a value.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

// ask returns what Prometheus answers to an expression.
func (s *stack) ask(address, expr string) []sample {
	s.t.Helper()
	code, body := get(s.t, "http://"+address+"/api/v1/query?query="+url.QueryEscape(expr))
	var answer struct{ Data struct{ Result []sample } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", expr, code, body)
	}
	return answer.Data.Result
}

// panels are the expressions of the dashboard, for all replicas.
func panels(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "../../deploy/grafana/dashboards/chef-sync.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	all := strings.NewReplacer("$replica", ".*", "$organization", ".*", "$__rate_interval", "1m")
	var out []string
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			out = append(out, all.Replace(q.Expr))
		}
	}
	return out
}
