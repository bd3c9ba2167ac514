package connect_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
)

func TestTemporal(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "temporal.toml")
	err := os.WriteFile(file, []byte(`[profile.default]
address = "default:1"
namespace = "theirs"
api_key = "k"
[profile.prod]
address = "prod:2"
[profile.bare]
namespace = "bare"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	std := config.Defaults().Temporal
	with := func(f func(*config.Temporal)) config.Temporal { c := std; f(&c); return c }
	for name, c := range map[string]struct {
		env       map[string]string
		t         config.Temporal
		address   string
		namespace string
		embedded  bool
	}{
		"nothing": {nil, with(func(c *config.Temporal) { c.Port = 7 }), "127.0.0.1:7", std.Namespace, true},
		"environment without an address": {
			map[string]string{"TEMPORAL_NAMESPACE": "theirs", "TEMPORAL_API_KEY": "k", "TEMPORAL_TLS": "true"},
			with(func(c *config.Temporal) { c.Port = 7 }), "127.0.0.1:7", std.Namespace, true,
		},
		"address":                 {nil, with(func(c *config.Temporal) { c.Address = "a:1" }), "a:1", std.Namespace, false},
		"address of environment":  {map[string]string{"TEMPORAL_ADDRESS": "e:1", "TEMPORAL_NAMESPACE": "n"}, std, "e:1", "n", false},
		"both":                    {map[string]string{"TEMPORAL_ADDRESS": "e:1"}, with(func(c *config.Temporal) { c.Address = "a:1" }), "a:1", std.Namespace, false},
		"namespace of the file":   {map[string]string{"TEMPORAL_ADDRESS": "e:1", "TEMPORAL_NAMESPACE": "n"}, with(func(c *config.Temporal) { c.Namespace = "mine" }), "e:1", "mine", false},
		"profile":                 {map[string]string{"TEMPORAL_CONFIG_FILE": file}, with(func(c *config.Temporal) { c.Profile = "prod" }), "prod:2", std.Namespace, false},
		"profile without address": {map[string]string{"TEMPORAL_CONFIG_FILE": file}, with(func(c *config.Temporal) { c.Profile = "bare" }), "", "bare", false},
		"profile of environment":  {map[string]string{"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "prod"}, std, "prod:2", std.Namespace, false},
		"file of environment":     {map[string]string{"TEMPORAL_CONFIG_FILE": file}, std, "default:1", "theirs", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{"ADDRESS", "NAMESPACE", "API_KEY", "TLS", "PROFILE", "CONFIG_FILE"} {
				t.Setenv("TEMPORAL_"+v, "")
				if _, set := c.env["TEMPORAL_"+v]; !set {
					if err := os.Unsetenv("TEMPORAL_" + v); err != nil {
						t.Fatal(err)
					}
				}
			}
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			t.Setenv("XDG_CONFIG_HOME", home)
			t.Setenv("HOME", home)
			opts, embedded, err := connect.Temporal(c.t, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if opts.HostPort != c.address || opts.Namespace != c.namespace || embedded != c.embedded {
				t.Errorf("%s %s embedded %v; want %s %s %v", opts.HostPort, opts.Namespace, embedded, c.address, c.namespace, c.embedded)
			}
			if embedded && (opts.Credentials != nil || opts.ConnectionOptions.TLS != nil) {
				t.Error("the embedded server would be shown credentials of another cluster")
			}
		})
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", file)
	if _, _, err := connect.Temporal(with(func(c *config.Temporal) { c.Profile = "absent" }), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a profile that is not there was accepted")
	}
}
