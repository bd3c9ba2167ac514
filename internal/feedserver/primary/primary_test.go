package primary_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
)

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDatabase(t *testing.T) {
	t.Setenv("PGPASSWORD", "")
	running := write(t, "running.json", `{"private_chef":{"postgresql":{"vip":"10.1.2.3","port":6432,"db_superuser":"x"},"opscode-erchef":{"sql_user":"erchef","port":8000}},"run_list":[]}`, 0o600)
	insecure := write(t, "running.json", `{"private_chef":{"postgresql":{"port":"5433"},"opscode-erchef":{"sql_password":"hush"}}}`, 0o600)
	secrets := write(t, "secrets.json", `{"opscode_erchef":{"sql_password":"hush@/:","sql_ro_password":"y"},"veil":{"credentials":{"a":[]}}}`, 0o600)
	encrypted := write(t, "secrets.json", `{"veil":{"type":"Veil::CredentialCollection::ChefSecretsFile","credentials":"aGVsbG8="}}`, 0o600)
	private, shared, empty := write(t, "password", "from file\n", 0o600), write(t, "password", "x", 0o640), write(t, "password", "\n", 0o600)
	for _, c := range []struct {
		name           string
		db             primary.Database
		where, from    string
		password, says string
	}{
		{"url", primary.Database{URL: "postgres://u:hush@h/d"}, "d on h:5432 as u", "ec_sync_server['database']", "hush", ""},
		{"dsn", primary.Database{URL: "host=/tmp user=u dbname=d"}, "d on /tmp:5432 as u", "ec_sync_server['database']", "", ""},
		{"password file", primary.Database{URL: "postgres://u:hush@h:1/d", PasswordFile: private}, "d on h:1 as u", "ec_sync_server['database']", "from file", ""},
		{"found", primary.Database{RunningFile: running, SecretsFile: secrets}, "opscode_chef on 10.1.2.3:6432 as erchef", running, "hush@/:", ""},
		{"found with a password file", primary.Database{RunningFile: running, SecretsFile: "/none", PasswordFile: private}, "opscode_chef on 10.1.2.3:6432 as erchef", running, "from file", ""},
		{"found with its password", primary.Database{RunningFile: insecure, SecretsFile: "/none"}, "opscode_chef on 127.0.0.1:5433 as opscode_chef", insecure, "hush", ""},
		{"nothing", primary.Database{RunningFile: "/none"}, "", "", "", "there is no /none"},
		{"no secrets", primary.Database{RunningFile: running, SecretsFile: "/none"}, "", "", "", "chef-server-ctl show-secret opscode_erchef sql_password"},
		{"encrypted secrets", primary.Database{RunningFile: running, SecretsFile: encrypted}, "", "", "", "database_password_file"},
		{"no json", primary.Database{RunningFile: private}, "", "", "", "is not as it should be"},
		{"no url", primary.Database{URL: "postgres://u:hush@h:port/d"}, "", "", "", "cannot be understood"},
		{"others may read", primary.Database{URL: "postgres://u@h/d", PasswordFile: shared}, "", "", "", "run chmod 600 " + shared},
		{"empty", primary.Database{URL: "postgres://u@h/d", PasswordFile: empty}, "", "", "", "is empty"},
		{"no file", primary.Database{URL: "postgres://u@h/d", PasswordFile: "/none"}, "", "", "", "no such file"},
		{"a directory", primary.Database{URL: "postgres://u@h/d", PasswordFile: "/"}, "", "", "", "no file with a password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.db.PoolSize = 7
			cfg, from, err := c.db.Config()
			if c.says != "" {
				if !errors.Is(err, primary.ErrDatabase) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
					t.Errorf("err %v; want %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := primary.Where(cfg); got != c.where || from != c.from || cfg.ConnConfig.Password != c.password || cfg.MaxConns != 7 {
				t.Errorf("%s from %s, password %q; want %s, %s, %q", got, from, cfg.ConnConfig.Password, c.where, c.from, c.password)
			}
		})
	}
}

func TestNginxFiles(t *testing.T) {
	dir := t.TempDir()
	files := primary.Nginx(dir, "::1", 9996, false)
	if !strings.Contains(files[0].Content, "server [::1]:9996;") || !strings.Contains(files[1].Content, "proxy_pass http://chef_sync_feed;") ||
		!strings.Contains(primary.Nginx(dir, "::1", 9996, true)[1].Content, "proxy_pass https://") {
		t.Errorf("files %+v", files)
	}
	for _, f := range files {
		if f.Present() {
			t.Errorf("%s is present before it was written", f.Path)
		}
		for range 2 {
			if err := f.Write(); err != nil || !f.Present() {
				t.Errorf("write %s: %v", f.Path, err)
			}
		}
		if removed, err := f.Remove(); !removed || err != nil {
			t.Errorf("remove %s: %v, %v", f.Path, removed, err)
		}
		if removed, err := f.Remove(); removed || err != nil {
			t.Errorf("remove %s again: %v, %v", f.Path, removed, err)
		}
		if err := os.WriteFile(f.Path, []byte("theirs"), 0o600); err != nil {
			t.Fatal(err)
		}
		if removed, err := f.Remove(); removed || err == nil {
			t.Errorf("removed what is not ours: %v, %v", removed, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestErchef(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"as installed", `{"private_chef":{"opscode-erchef":{"vip":"127.0.0.1","listen":"127.0.0.1","port":8000}}}`, "http://127.0.0.1:8000"},
		{"port as text", `{"private_chef":{"opscode-erchef":{"port":"8001"}}}`, "http://127.0.0.1:8001"},
		{"IPv6", `{"private_chef":{"opscode-erchef":{"vip":"::1","port":8000}}}`, "http://[::1]:8000"},
		{"elsewhere", `{"private_chef":{"opscode-erchef":{"vip":"10.0.0.1","port":8000}}}`, ""},
		{"a name", `{"private_chef":{"opscode-erchef":{"vip":"localhost.evil.example","port":8000}}}`, ""},
		{"no port", `{"private_chef":{"opscode-erchef":{"vip":"127.0.0.1"}}}`, ""},
		{"no number", `{"private_chef":{"opscode-erchef":{"port":"http"}}}`, ""},
		{"too large", `{"private_chef":{"opscode-erchef":{"port":80000}}}`, ""},
		{"nothing", `{}`, ""},
		{"no JSON", `private_chef`, ""},
	} {
		if got := primary.Erchef(write(t, "running.json", c.text, 0o600)); got != c.want {
			t.Errorf("%s: %q; want %q", c.name, got, c.want)
		}
	}
	if got := primary.Erchef("/none"); got != "" {
		t.Errorf("without a file: %q", got)
	}
}
