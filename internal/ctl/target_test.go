package ctl

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chef-sync/chef-sync/internal/config"
)

// environment is that of a process.
type environment map[string]string

func (e environment) Environ() []string { return nil }

func (e environment) LookupEnv(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

// TestSecuredAddress: TLS, API key and namespace count with --address as they do with
// temporal['address'], and are not shown to the server inside ec-syncd.
func TestSecuredAddress(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // with nobody's profile
	const named = "temporal['tls']['server_name'] = 'temporal.test'\n"
	keyFile := filepath.Join(t.TempDir(), "api.key")
	if err := os.WriteFile(keyFile, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	keyed := "temporal['api_key_file'] = '" + keyFile + "'\n" + named
	env := environment{"TEMPORAL_TLS": "true", "TEMPORAL_TLS_SERVER_NAME": "env.test", "TEMPORAL_API_KEY": "k", "TEMPORAL_NAMESPACE": "theirs"}
	none := environment{}
	for name, c := range map[string]struct {
		settings, address string
		env               environment
		server, namespace string // the name that TLS asks for; "" = no TLS
		key               bool
	}{
		"nothing is named":                      {"", "a.example.com:1", none, "", "default", false},
		"chef-sync.rb":                          {named, "a.example.com:1", none, "temporal.test", "default", false},
		"chef-sync.rb, on this host":            {named, "127.0.0.1:1", none, "temporal.test", "default", false},
		"API key of a file, on this host":       {"temporal['api_key_file'] = '" + keyFile + "'\n", "127.0.0.1:1", env, "env.test", "theirs", true},
		"API key of a file":                     {keyed, "a.example.com:1", none, "temporal.test", "default", true},
		"environment":                           {"", "a.example.com:1", env, "env.test", "theirs", true},
		"environment, namespace of the file":    {"temporal['namespace'] = 'mine'\n", "a.example.com:1", env, "env.test", "mine", true},
		"both":                                  {named, "a.example.com:1", env, "temporal.test", "theirs", true},
		"environment of others, on this host":   {"", "127.0.0.1:1", env, "", "default", false},
		"environment of others, by name":        {"", "localhost:1", env, "", "default", false},
		"environment of others, IPv6":           {"", "[::1]:1", env, "", "default", false},
		"no --address, the server inside":       {named, "", env, "", "default", false},
		"another address than the configured":   {named + "temporal['address'] = 'b.example.com:2'\n", "a.example.com:1", none, "temporal.test", "default", false},
		"this host, and a configured elsewhere": {named + "temporal['address'] = 'b.example.com:2'\n", "127.0.0.1:1", env, "temporal.test", "theirs", true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Parse("chef-sync.rb", []byte("master 'https://a'\nreplica 'https://b'\norganizations ['o']\n"+c.settings))
			if err != nil {
				t.Fatal(err)
			}
			a := &App{Env: c.env}
			got, err := a.target(settings{cfg: cfg, file: "chef-sync.rb", replica: "sync"}, settingsFlags{address: c.address})
			if err != nil {
				t.Fatal(err)
			}
			server := ""
			if tls := got.Options.ConnectionOptions.TLS; tls != nil {
				server = tls.ServerName
			}
			if key := got.Options.Credentials != nil; server != c.server || got.Namespace != c.namespace || key != c.key {
				t.Errorf("TLS for %q, namespace %s, API key %t; want %q, %s, %t", server, got.Namespace, key, c.server, c.namespace, c.key)
			}
			if c.address != "" && (got.Options.HostPort != c.address || got.From != "from --address" || got.Embedded) {
				t.Errorf("%s %s, embedded %t; want %s", got.Options.HostPort, got.From, got.Embedded, c.address)
			}
		})
	}
}
