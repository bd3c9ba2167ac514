package ctl

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/chef-sync/chef-sync/internal/config"
)

// TestMakeDir: directories belong to whom the one above them belongs.
func TestMakeDir(t *testing.T) {
	above := t.TempDir()
	if os.Geteuid() == 0 { // others cannot give anything away
		if err := os.Chown(above, 4711, 4712); err != nil {
			t.Fatal(err)
		}
	}
	want := owner(t, above)
	for range 2 { // again is no error
		if err := makeDir(filepath.Join(above, "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"a", "a/b"} {
		dir = filepath.Join(above, dir)
		if got := owner(t, dir); got != want {
			t.Errorf("%s is owned by %v, want %v", dir, got, want)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o027 != 0 {
			t.Errorf("%s: %v, %v; want it closed to others", dir, info.Mode(), err)
		}
	}
	file := filepath.Join(above, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeDir(filepath.Join(file, "a")); err == nil {
		t.Error("a directory was made in a file")
	}
}

func owner(t *testing.T, name string) [2]uint32 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	s := info.Sys().(*syscall.Stat_t)
	return [2]uint32{s.Uid, s.Gid}
}

// TestMendKey: the command fits what is wrong with the file.
func TestMendKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "k.pem")
	if got := mendKey(file, "f.rb"); got != "scp -p OTHERHOST:"+file+" "+file {
		t.Error(got)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil { //nolint:gosec // the mistake that is meant
		t.Fatal(err)
	}
	if got := mendKey(file, "f.rb"); got != "chmod 600 "+file {
		t.Error(got)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mendKey(file, "f.rb"); got != "$EDITOR f.rb    # ec_sync_client['sync_key']" {
		t.Error(got)
	}
}

// TestReadable: what ec-syncd cannot read is said first, with the command.
func TestReadable(t *testing.T) {
	if os.Geteuid() != 0 { // nothing can be given to somebody else: the owner reads all
		return
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "k.pem")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config.Defaults()
	cfg.Dir, cfg.Primary.KeyFile, cfg.Replica.KeyFile = filepath.Join(dir, "data"), key, key
	r := &reconfiguration{cfg: cfg}
	if !r.readable() || len(r.answer.Notes)+len(r.answer.Next) > 0 {
		t.Errorf("%+v; root reads everything", r.answer)
	}
	if err := os.Chown(dir, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if r.readable() || len(r.answer.Notes) != 1 || !slices.Equal(r.answer.Next, []string{"chown 4711 " + key}) {
		t.Errorf("%+v; want the key to be given to 4711", r.answer)
	}
}
