package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
)

// shownAs is "VALUE from SOURCE" of each setting.
func shownAs(all []Effective) map[string]string {
	out := map[string]string{}
	for _, e := range all {
		from := string(e.Source)
		if e.Line > 0 {
			from = "line " + itoa(e.Line)
		}
		if e.Via != "" {
			from += " " + e.Via
		}
		if e.Changed {
			from += ", changed"
		}
		out[e.Name] = e.Literal + " from " + from
	}
	return out
}

func TestEffective(t *testing.T) {
	c, err := Parse("/etc/chef-sync/chef-sync.rb", []byte(`role :replica
ec_sync_client['master'] = 'https://chef-1.example.com/'
organization [
  'acme', { :source => 'uk', :destination => 'eu', :extras => :delete,
    :delete_limit => { :percent => 5 } }]
master_key 'keys/me.pem'
ec_sync_client['dir'] = '/srv/sync'
poll_interval '10s'
deep_interval 90
feed 'auto'
clients true
master_headers 'X-Token' => 'hush'
ec_sync_server['database'] = 'postgres://me:hush@db/opscode_chef'
chef_base_path '/x'
`))
	if err != nil {
		t.Fatal(err)
	}
	got := shownAs(c.Effective())
	for name, want := range map[string]string{
		"role":                            ":replica from line 1",
		"master":                          "'https://chef-1.example.com' from line 2 ec_sync_client['master'], changed",
		"replica":                         "'https://127.0.0.1' from default",
		"organizations":                   "[{ :source => 'acme', :destination => 'acme' }, { :source => 'uk', :destination => 'eu' }] from line 3 organization, changed",
		"master_user":                     "'ec_sync_user' from setting ec_sync_client['sync_user']",
		"master_key":                      "'/etc/chef-sync/keys/me.pem' from line 6, changed",
		"replica_key":                     "'/etc/chef-sync/ec_sync_user.pem' from setting ec_sync_client['sync_key']",
		"staging":                         "'file:///srv/sync/staging' from setting ec_sync_client['dir'], changed",
		"poll_interval":                   "'10s' from line 8",
		"deep_interval":                   "'1m30s' from line 9, changed",
		"feed":                            ":auto from line 10",
		"clients":                         "true from line 11, changed",
		"extras":                          ":keep from default",
		"kinds":                           ":all from default",
		"master_headers":                  "{ 'X-Token' => '(hidden)' } from line 12, changed",
		"ec_sync_server['database']":      "'postgres://(hidden)' from line 13, changed",
		"ec_sync_server['allow']":         "['ec_sync_user'] from setting ec_sync_client['sync_user']",
		"temporal['port']":                "7233 from default",
		"ec_sync_server['auth_skew']":     "'15m' from default",
		"ec_sync_client['master']":        "",
		"organization":                    "",
		"chef_base_path":                  "",
		"temporal['tls']['insecure']":     "false from default",
		"ec_sync_client['log_directory']": "'/var/log/opscode/chef-sync/client' from default",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	own := shownAs(c.EffectiveOf(c.Pairs[1]))
	for name, want := range map[string]string{
		"extras":                  ":delete from line 4, changed",
		"delete_limit['percent']": "5 from line 5, changed",
		"delete_limit['objects']": "20 from default",
		"clients":                 "true from line 11, changed",
		"poll_interval":           "",
	} {
		if own[name] != want {
			t.Errorf("%s of uk -> eu is %q, want %q", name, own[name], want)
		}
	}
	if got := shownAs(c.EffectiveOf(c.Pairs[0]))["extras"]; got != ":keep from default" {
		t.Errorf("extras of acme is %q", got)
	}
	if text, err := json.Marshal(c.Effective()); err != nil || strings.Contains(string(text), "hush") {
		t.Errorf("a secret is shown, or %v: %s", err, text)
	}
}

// TestEffectiveOfDefaults checks that each setting is shown once, and that
// nothing of an empty file is changed.
func TestEffectiveOfDefaults(t *testing.T) {
	got := map[string]Effective{}
	for _, e := range Defaults().Effective() {
		missing := e.Name == "master" || e.Name == "organizations"
		if _, twice := got[e.Name]; twice || e.Changed != missing || e.Source == FromFile || (e.Literal == "") != missing {
			t.Errorf("%+v: twice, or changed", e)
		}
		got[e.Name] = e
	}
	for _, r := range table() {
		if _, ok := got[r.name()]; ok != (r.why == "" && !r.alias()) {
			t.Errorf("%s: shown %t", r.name(), ok)
		}
	}
	for _, r := range scopeRows() {
		if _, ok := pairValues(Defaults().Settings(object.Pair{}))[r.name()]; !ok {
			t.Errorf("%s is missing from the settings of a pair: add it to pairValues", r.name())
		}
	}
}

// TestInspect reads all that can be read of a file with problems.
func TestInspect(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chef-sync.rb")
	src := "role :replica\nmaster 'https://me:hush@chef-1.example.com'\nreplica 'https://chef-2.example.com'\n" +
		"organizations ['acme', { :source => 'uk', :destination => 'eu', :extras => :purge }, 7]\nparallel 99\nlog_level ENV['X']\nname 'eu'\n"
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := Inspect(file)
	if err != nil || len(problems) != 5 || len(c.Pairs) != 2 {
		t.Fatalf("Inspect: %v, problems %v, pairs %v; want 5 problems and two pairs", err, problems, c.Pairs)
	}
	got := shownAs(c.Effective())
	for name, want := range map[string]string{
		"name":          "'eu' from line 7, changed",
		"master":        " from line 2, changed",
		"replica":       "'https://chef-2.example.com' from line 3, changed",
		"parallel":      " from line 5, changed",
		"log_level":     " from default, changed",
		"poll_interval": "'10s' from default",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if _, _, err := Inspect(file + "x"); err == nil {
		t.Error("a file that is not there was inspected")
	}
}
