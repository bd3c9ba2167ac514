package connect_test

import (
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
	for name, c := range map[string]struct {
		env                map[string]string
		settings           string // of chef-sync.rb
		address, namespace string
		embedded           bool
	}{
		"nothing": {nil, "temporal['port'] = 7", "127.0.0.1:7", "default", true},
		"environment without an address": {
			map[string]string{"TEMPORAL_NAMESPACE": "theirs", "TEMPORAL_API_KEY": "k", "TEMPORAL_TLS": "true"},
			"temporal['port'] = 7", "127.0.0.1:7", "default", true,
		},
		"address":                 {nil, "temporal['address'] = 'a:1'", "a:1", "default", false},
		"address of environment":  {map[string]string{"TEMPORAL_ADDRESS": "e:1", "TEMPORAL_NAMESPACE": "n"}, "", "e:1", "n", false},
		"both":                    {map[string]string{"TEMPORAL_ADDRESS": "e:1"}, "temporal['address'] = 'a:1'", "a:1", "default", false},
		"namespace of the file":   {map[string]string{"TEMPORAL_ADDRESS": "e:1", "TEMPORAL_NAMESPACE": "n"}, "temporal['namespace'] = 'mine'", "e:1", "mine", false},
		"profile":                 {map[string]string{"TEMPORAL_CONFIG_FILE": file}, "temporal['profile'] = 'prod'", "prod:2", "default", false},
		"profile without address": {map[string]string{"TEMPORAL_CONFIG_FILE": file}, "temporal['profile'] = 'bare'", "localhost:7233", "bare", false},
		"profile of environment":  {map[string]string{"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "prod"}, "", "prod:2", "default", false},
		"file of environment":     {map[string]string{"TEMPORAL_CONFIG_FILE": file}, "", "default:1", "theirs", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := connect.Temporal(configured(t, c.settings), lookup(c.env))
			if err != nil {
				t.Fatal(err)
			}
			o := got.Options
			if o.HostPort != c.address || o.Namespace != c.namespace || got.Embedded != c.embedded {
				t.Errorf("%s %s embedded %v; want %s %s %v", o.HostPort, o.Namespace, got.Embedded, c.address, c.namespace, c.embedded)
			}
			if got.Embedded && (o.Credentials != nil || o.ConnectionOptions.TLS != nil) {
				t.Error("the embedded server would be shown credentials of another cluster")
			}
		})
	}
	absent := configured(t, "temporal['profile'] = 'absent'")
	if _, err := connect.Temporal(absent, lookup{"TEMPORAL_CONFIG_FILE": file}); err == nil {
		t.Error("a profile that is not there was accepted")
	}
}

// configured is a chef-sync.rb with one more setting.
func configured(t *testing.T, setting string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("chef-sync.rb", []byte("master 'https://a'\nreplica 'https://b'\norganizations ['o']\n"+setting+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// lookup is an environment.
type lookup map[string]string

func (l lookup) Environ() []string {
	var out []string
	for k, v := range l {
		out = append(out, k+"="+v)
	}
	return out
}

func (l lookup) LookupEnv(name string) (string, bool) {
	v, ok := l[name]
	return v, ok
}
