package connect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
)

// TestKeyProblems: each file is named once, with the setting that names it and a command
// that helps.
func TestKeyProblems(t *testing.T) {
	dir := t.TempDir()
	good := newSetup(t, "").key
	file := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	key, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	open, odd, absent := file("open.pem", string(key), 0o640), file("odd.pem", "hush", 0o600), filepath.Join(dir, "absent.pem")
	conf := filepath.Join(dir, "chef-sync.rb")
	doctor := "chef-sync-ctl --config " + conf + " doctor"
	for name, c := range map[string]struct {
		keys string
		want []connect.KeyProblem
	}{
		"good":     {"ec_sync_client['sync_key'] = '" + good + "'\n", nil},
		"too open": {"ec_sync_client['sync_key'] = '" + open + "'\n", []connect.KeyProblem{{Side: "master", Setting: "ec_sync_client['sync_key']", File: open, Fix: "chmod 600 " + open}}},
		"no key":   {"ec_sync_client['sync_key'] = '" + odd + "'\n", []connect.KeyProblem{{Side: "master", Setting: "ec_sync_client['sync_key']", File: odd, Fix: doctor}}},
		"one side": {"ec_sync_client['sync_key'] = '" + good + "'\nreplica_key '" + absent + "'\n", []connect.KeyProblem{{Side: "replica", Setting: "replica_key", File: absent, Fix: doctor}}},
		"both": {"master_key '" + open + "'\nreplica_key '" + absent + "'\n", []connect.KeyProblem{
			{Side: "master", Setting: "master_key", File: open, Fix: "chmod 600 " + open}, {Side: "replica", Setting: "replica_key", File: absent, Fix: doctor}}},
	} {
		cfg, err := config.Parse(conf, []byte("master 'https://chef-1.example.com'\nreplica 'https://chef-2.example.com'\norganizations ['acme']\n"+c.keys))
		if err != nil {
			t.Fatal(err)
		}
		got := connect.KeyProblems(cfg)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i].Err == nil || !strings.Contains(got[i].Err.Error(), c.want[i].File) || strings.Contains(got[i].Err.Error(), "hush") {
				t.Errorf("%s: %v", name, got[i].Err)
			}
			if got[i].Err = nil; got[i] != c.want[i] {
				t.Errorf("%s: %+v, want %+v", name, got[i], c.want[i])
			}
		}
	}
}
