// Package alerts makes each alert of ../prometheus/chef-sync.rules.yml fire, with
// Prometheus's own evaluation of its expressions. It is a module of its own, so that
// Prometheus's dependencies are not chef-sync's; "go test ./deploy" runs it.
package alerts

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"gopkg.in/yaml.v3"
)

var rulesFile = flag.String("rules", "../prometheus/chef-sync.rules.yml", "the alert rules")

// rule is an alert of the file.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// hold is how long the expression has to be true.
func (r rule) hold(t *testing.T) time.Duration {
	t.Helper()
	if r.For == "" {
		return 0
	}
	d, err := time.ParseDuration(r.For)
	if err != nil {
		t.Fatalf("%s: for: %v", r.Alert, err)
	}
	return d
}

func load(t *testing.T) map[string]rule {
	t.Helper()
	data, err := os.ReadFile(*rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]rule{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if _, twice := out[r.Alert]; twice {
				t.Errorf("%s stands there twice", r.Alert)
			}
			out[r.Alert] = r
		}
	}
	return out
}

// A scene is a series of each metric, one value a minute, and when an alert fires
// there. Notation: 1x30 is 1, 31 times; 0+1x5 counts from 0 to 5; _ is no value.
type scene struct {
	series string
	fires  time.Duration // when first; 0 = never, for two hours longer than it waits
	of     string        // a label that the alert has then
}

const pair = `{replica="sync",organization="acme",instance="a"}`

// scenes are, for each alert, one that makes it fire and others that must not.
var scenes = map[string][]scene{
	"ChefSyncPairStale": {
		// The last success was at 10 min; 15 and 2 minutes later it fires.
		{"chef_sync_pair_last_success_timestamp_seconds" + pair + " 0+60x10 600x110", 28 * time.Minute, "acme"},
		{"chef_sync_pair_last_success_timestamp_seconds" + pair + " 0+60x120", 0, ""},
		// One ec-syncd that looks and another that does not know better.
		{"chef_sync_pair_last_success_timestamp_seconds" + pair + " 0+60x120\n" +
			`chef_sync_pair_last_success_timestamp_seconds{replica="sync",organization="acme",instance="b"} 0x120`, 0, ""},
		{"chef_sync_pair_last_success_timestamp_seconds" + pair + " 0x120\n" +
			`chef_sync_pair_mode{replica="sync",organization="acme",instance="a",mode="stopped"} 1x120`, 0, ""},
		// It rests for an hour; 15 and 2 minutes after that it fires, if it does not wake.
		{"chef_sync_pair_last_success_timestamp_seconds" + pair + " 0x120\n" +
			`chef_sync_pair_trouble{replica="sync",organization="acme",instance="a",reason="maintenance"} 1x60`, 77 * time.Minute, "acme"},
	},
	"ChefSyncPairHalted": {
		{`chef_sync_pair_mode{replica="sync",organization="acme",mode="halted"} _x4 1x100`, 5 * time.Minute, "acme"},
		{`chef_sync_pair_mode{replica="sync",organization="acme",mode="following"} 1x120`, 0, ""},
	},
	"ChefSyncCredentialsRefused": {
		{`chef_sync_pair_trouble{replica="sync",organization="acme",reason="credentials"} _x4 1x100`, 6 * time.Minute, "credentials"},
		{`chef_sync_pair_trouble{replica="sync",organization="acme",reason="permission"} 1x100`, 2 * time.Minute, "permission"},
		{`chef_sync_pair_trouble{replica="sync",organization="acme",reason="unreachable"} 1x120`, 0, ""},
	},
	"ChefSyncPairInTrouble": {
		{`chef_sync_pair_trouble{replica="sync",organization="acme",reason="unreachable"} _x4 1x100`, 14 * time.Minute, "unreachable"},
		{`chef_sync_pair_trouble{replica="sync",organization="acme",reason="credentials"} 1x120`, 0, ""},
		{`chef_sync_pair_trouble{replica="sync",organization="acme",reason="maintenance"} 1x120`, 0, ""},
	},
	"ChefSyncUnsyncedGrowing": {
		{"chef_sync_pair_unsynced" + pair + " 0x30 1+1x90", 61 * time.Minute, "acme"},
		{"chef_sync_pair_unsynced" + pair + " 5x120", 0, ""},
		{"chef_sync_pair_unsynced" + pair + " 0x30 7x10 0x80", 0, ""},
	},
	"ChefSyncUnsyncedObjects": {
		{"chef_sync_pair_unsynced" + pair + " 0x30 1x600", 391 * time.Minute, "acme"},
		{"chef_sync_pair_unsynced" + pair + " 1x200 0x5 1x300", 0, ""},
	},
	"ChefSyncPairNotRunning": {
		{"chef_sync_pair_running" + pair + " 1x5 0x100", 36 * time.Minute, "acme"},
		{"chef_sync_pair_running" + pair + " 1x120", 0, ""},
	},
	"ChefSyncFeedCursorLost": {
		{"chef_sync_cursors_lost_total" + pair + " 0x9 1x100", 10 * time.Minute, "acme"},
		{"chef_sync_cursors_lost_total" + pair + " 3x120", 0, ""},
	},
	"ChefSyncDown": {
		{`up{job="chef-sync",instance="a"} 1x9 0x100`, 15 * time.Minute, "a"},
		{`up{job="other",instance="a"} 0x120`, 0, ""},
	},
	"ChefSyncNoWorker": {
		{`chef_sync_temporal_up{replica="sync",instance="a"} 1x9 0x100`, 15 * time.Minute, "sync"},
		{"chef_sync_temporal_up{replica=\"sync\",instance=\"a\"} 1x9 _x100\nchef_sync_temporal_up{replica=\"eu\",instance=\"b\"} 1x120", 19 * time.Minute, "sync"},
		{`up{job="chef-sync",instance="a"} 0x120`, 5 * time.Minute, ""},
		{"chef_sync_temporal_up{replica=\"sync\",instance=\"a\"} 0x120\nchef_sync_temporal_up{replica=\"sync\",instance=\"b\"} 1x120", 0, ""},
	},
	"ChefSyncWebhookFails": {
		{`chef_sync_webhook_posts_total{replica="sync",event="halted",result="failed"} 0x9 1+1x100`, 12 * time.Minute, "sync"},
		{`chef_sync_webhook_posts_total{replica="sync",event="halted",result="failed"} 0x9 1x110`, 0, ""},
	},
	"ChefSyncFeedDown": {
		{`up{job="chef-sync-feed",instance="p"} 1x9 0x100`, 15 * time.Minute, "p"},
		{`up{job="chef-sync",instance="p"} 0x120`, 0, ""},
	},
	"ChefSyncFeedLogUnreadable": {
		{`chef_sync_feed_log_up{instance="p"} 1x9 0x100`, 12 * time.Minute, "p"},
		{`chef_sync_feed_log_up{instance="p"} 1x120`, 0, ""},
	},
	"ChefSyncFeedLags": {
		{`chef_sync_feed_log_lag_seconds{instance="p"} 1x9 100x100`, 15 * time.Minute, "p"},
		{`chef_sync_feed_log_lag_seconds{instance="p"} 1x9 100x2 1x100`, 0, ""},
	},
	"ChefSyncFeedProblems": {
		{`chef_sync_feed_log_problems{instance="p"} 0x9 1x100`, 20 * time.Minute, "p"},
		{`chef_sync_feed_log_problems{instance="p"} 0x120`, 0, ""},
	},
}

const step = time.Minute

func TestAlerts(t *testing.T) {
	rules := load(t)
	for name := range scenes {
		if _, ok := rules[name]; !ok {
			t.Errorf("there is no alert %s", name)
		}
	}
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			if _, err := parser.ParseExpr(r.Expr); err != nil {
				t.Fatal(err)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Error("it has no severity, summary or description")
			}
			fired := 0
			for _, s := range scenes[name] {
				if s.fires > 0 {
					fired++
				}
				if at, labels := first(t, r, s.series); at != s.fires || !strings.Contains(labels, s.of) {
					t.Errorf("with\n%s\nit fires first at %v {%s}, want %v {%s}", s.series, at, labels, s.fires, s.of)
				}
			}
			if fired == 0 || fired == len(scenes[name]) {
				t.Error("there is no scene in which it fires, or none in which it does not")
			}
		})
	}
}

// first returns when an alert first fires, and its labels: when its expression has
// been true of the same labels at each minute for as long as it says.
func first(t *testing.T, r rule, series string) (time.Duration, string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("load 1m\n")
	for _, line := range strings.Split(series, "\n") {
		b.WriteString("  " + line + "\n")
	}
	storage := promqltest.LoadedStorage(t, b.String())
	defer storage.Close()
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	since := map[string]time.Duration{}
	for at := time.Duration(0); at <= r.hold(t)+2*time.Hour; at += step {
		q, err := engine.NewInstantQuery(context.Background(), storage, nil, r.Expr, time.Unix(0, 0).Add(at))
		if err != nil {
			t.Fatal(err)
		}
		result := q.Exec(context.Background())
		vector, err := result.Vector()
		if err != nil {
			t.Fatal(err)
		}
		now := map[string]time.Duration{}
		for _, sample := range vector {
			now[sample.Metric.String()] = began(since, sample, at)
		}
		q.Close()
		for labels, began := range now {
			if at-began >= r.hold(t) {
				return at, labels
			}
		}
		since = now
	}
	return 0, ""
}

// began is since when an alert has been pending.
func began(since map[string]time.Duration, s promql.Sample, at time.Duration) time.Duration {
	if was, ok := since[s.Metric.String()]; ok {
		return was
	}
	return at
}
