package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/config"
)

// replicaHost is the configuration of a replica with a key in a directory, which
// belong to whoever runs the test.
func replicaHost(t *testing.T) (cfg *config.Config, key string) {
	t.Helper()
	dir := t.TempDir()
	key = filepath.Join(dir, "k.pem")
	file := filepath.Join(dir, "chef-sync.rb")
	text := fmt.Sprintf("master 'https://a.example.com'\nreplica 'https://b.example.com'\norganizations ['acme']\n"+
		"ec_sync_client['sync_key'] = '%s'\nec_sync_client['dir'] = '%s'\n", key, filepath.Join(dir, "data", "deep"))
	for name, mode := range map[string]os.FileMode{key: 0o600, file: 0o640} {
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, key
}

// TestService: who owns the nearest directory there is runs ec-syncd.
func TestService(t *testing.T) {
	cfg, _ := replicaHost(t)
	a, err := Service(cfg)
	if err != nil || int(a.UID) != os.Getuid() || a.Name == "" {
		t.Errorf("%+v, %v; want uid %d", a, err, os.Getuid())
	}
	if bad := a.CannotRead(cfg); len(bad) > 0 {
		t.Errorf("the owner cannot read %s", bad)
	}
}

// TestCannotRead, by the mode of each file for its owner, its group and others.
func TestCannotRead(t *testing.T) {
	cfg, key := replicaHost(t)
	gid := uint32(os.Getgid()) //nolint:gosec // of this process
	for _, tt := range []struct {
		account Account
		want    []string
	}{
		{Account{UID: 0}, nil},
		{Account{UID: 4711}, []string{cfg.File, key}},
		{Account{UID: 4711, Groups: []uint32{4712, gid}}, []string{key}},
	} {
		if got := tt.account.CannotRead(cfg); !slices.Equal(got, tt.want) {
			t.Errorf("%+v cannot read %s, want %s", tt.account, got, tt.want)
		}
	}
	if err := os.Chmod(key, 0o604); err != nil {
		t.Fatal(err)
	}
	if got := (Account{UID: 4711}).CannotRead(cfg); !slices.Equal(got, []string{cfg.File}) {
		t.Errorf("what all may read: %s", got)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if got := (Account{UID: 4711}).CannotRead(cfg); !slices.Equal(got, []string{cfg.File}) {
		t.Errorf("what is not there: %s", got)
	}
}

// TestGiven: the service of the packages is given two files when it starts.
func TestGiven(t *testing.T) {
	for file, want := range map[string]bool{
		"/etc/chef-sync/ec_sync_user.pem": true, "/etc/chef-sync/database_password": true,
		"/etc/chef-sync/master.pem": false, "/etc/chef-sync/old/ec_sync_user.pem": false, "/srv/ec_sync_user.pem": false,
	} {
		if given(file) != want {
			t.Errorf("%s: %t", file, !want)
		}
	}
}

// TestOwnerFinding: what cannot be read fails; another user's look is a warning.
func TestOwnerFinding(t *testing.T) {
	cfg, key := replicaHost(t)
	other := Account{UID: 4711, Name: "chef-sync"}
	got := other.finding(cfg, 0)[0]
	if got.State != Failed || !strings.Contains(got.Text, key) || got.Fix != "chown chef-sync "+cfg.File+" "+key {
		t.Errorf("%+v", got)
	}
	if err := os.Chmod(key, 0o644); err != nil { //nolint:gosec // any user may read it
		t.Fatal(err)
	}
	if err := os.Chmod(cfg.File, 0o644); err != nil { //nolint:gosec // any user may read it
		t.Fatal(err)
	}
	for us, want := range map[int]State{0: OK, 4711: OK, 4712: Warning} {
		if got := other.finding(cfg, us)[0]; got.State != want {
			t.Errorf("as %d: %+v, want %s", us, got, want)
		}
	}
}
