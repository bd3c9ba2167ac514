package ctl

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/prepare"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// startBare is the command bare ROLE [LINE…]: it starts two servers with the
// organizations acme and acme-eu, which nobody has prepared, and writes a
// chef-sync.rb for them, with more lines. $PRIMARYKEY and $REPLICAKEY are the keys
// of their superusers, $ADMINKEY is that of $ADMIN, an admin of acme on both. any.rb takes the
// replica for a primary, and so any organization.
func startBare(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.servers = &servers{harness.FastChef(w.t, chefserver.Options{}), harness.FastChef(w.t, chefserver.Options{})}
	for name, s := range map[string]*harness.ChefServer{"PRIMARY": w.servers.primary, "REPLICA": w.servers.replica} {
		_, err := s.CreateOrganization("acme-eu", "Acme Europe")
		ts.Check(err)
		file := ts.MkAbs(strings.ToLower(name) + "-pivotal.pem")
		ts.Check(os.WriteFile(file, s.PivotalKeyPEM(), 0o600))
		ts.Setenv(name, s.URL)
		ts.Setenv(name+"KEY", file)
		ts.Setenv("ADMIN", harness.FastUser)
		ts.Setenv("ADMINKEY", s.KeyFile)
	}
	text := fmt.Sprintf(`role :%s
master '%s'
replica '%s'
ec_sync_client['sync_user'] = 'replicator'
ec_sync_client['sync_key'] = 'etc/replicator.pem'
%s
`, args[0], w.servers.primary.URL, w.servers.replica.URL, strings.Join(args[1:], "\n"))
	ts.Check(os.WriteFile(ts.MkAbs("chef-sync.rb"), []byte(text), 0o600))
	text = fmt.Sprintf("role :master\nmaster '%s'\nec_sync_client['sync_user'] = 'replicator'\nec_sync_client['sync_key'] = 'etc/replicator.pem'\n", w.servers.replica.URL)
	ts.Check(os.WriteFile(ts.MkAbs("any.rb"), []byte(text), 0o600))
}

// startGoiardi is the command goiardi: it starts one as the primary, and writes a
// chef-sync.rb for a host that is primary and replica. $GOIARDI is its URL, $ADMIN
// its administrator with $ADMINKEY.
func startGoiardi(ts *testscript.TestScript, _ bool, _ []string) {
	g := harness.Goiardi(worldOf(ts).t, harness.InMemory())
	ts.Setenv("GOIARDI", g.URL)
	ts.Setenv("ADMIN", g.User)
	ts.Setenv("ADMINKEY", g.KeyFile)
	text := fmt.Sprintf(`role :master_and_replica
master '%s'
master_organizations false
replica 'https://chef-2.example.com'
organizations ['acme']
ec_sync_client['sync_user'] = 'replicator'
ec_sync_client['sync_key'] = 'etc/replicator.pem'
`, g.URL)
	ts.Check(os.WriteFile(ts.MkAbs("chef-sync.rb"), []byte(text), 0o600))
}

// TestUndone: what helps against errors that no step has a suggestion for.
func TestUndone(t *testing.T) {
	p := &preparation{call: &call{set: settings{cfg: config.Defaults(), file: "f.rb"}}, org: "acme", side: sideReplica}
	p.flags = cli.NewContext(nil, flag.NewFlagSet("", flag.ContinueOnError), nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for want, got := range map[string]error{
		"prepare-org: interrupted":       p.undone(ended, &prepare.Error{Step: "user", Err: context.Canceled}),
		"replica_tls['ca_file'], or the": p.undone(t.Context(), &prepare.Error{Step: "user", Err: chef.ErrTLS}),
	} {
		var out strings.Builder
		if code := report(&out, nil, got); code != ExitNotDone || !strings.Contains(out.String(), want) {
			t.Errorf("%d %s; want %d and %q", code, &out, ExitNotDone, want)
		}
	}
	if got := few([]string{"a", "b", "c", "d", "e", "f", "g"}); got != "a, b, c, d, e, f and 1 more" {
		t.Error(got)
	}
}

// TestOnThisHost: no other certificate than that of this very host goes unverified.
func TestOnThisHost(t *testing.T) {
	for _, tt := range []struct {
		server config.Server
		want   bool
	}{
		{config.Server{URL: "https://127.0.0.1"}, true},
		{config.Server{URL: "https://127.0.0.1:8443"}, false}, // anybody may listen there
		{config.Server{URL: "https://chef.example.com"}, false},
		{config.Server{URL: "https://127.0.0.1.example.com"}, false},
		{config.Server{URL: "https://127.0.0.1", TLS: config.TLS{CAFile: "ca.pem"}}, false},
		{config.Server{URL: "https://127.0.0.1", TLS: config.TLS{PinSHA256: "00"}}, false},
	} {
		s := tt.server
		if got := onThisHost(&s); got != tt.want || s.TLS.Insecure != tt.want {
			t.Errorf("%+v: %t, insecure %t; want %t", tt.server, got, s.TLS.Insecure, tt.want)
		}
	}
}
