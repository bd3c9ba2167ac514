package ctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/doctor"
)

// replica checks what a replicator needs of this host. readable says that ec-syncd
// can read its files.
func (r *reconfiguration) replica(readable bool) error {
	for _, s := range []config.Server{r.cfg.Primary, r.cfg.Replica} {
		if err := readableKey(s.KeyFile); err != nil {
			return fail(ExitUsage, mendKey(s.KeyFile, r.set.file), "reconfigure: %w", err)
		}
	}
	for _, dir := range []string{r.cfg.Dir, r.cfg.LogDirectory} {
		if dir == "" || r.dry {
			continue
		}
		if err := makeDir(dir); err != nil {
			return fail(ExitNotDone, "$EDITOR "+r.set.file+"    # ec_sync_client['dir'] and ['log_directory']", "reconfigure: %w", err)
		}
	}
	if readable {
		r.note("%s is in order, and so are keys and directories: a replica needs nothing else. On the primary, %s reconfigure with role :master is optional.", r.set.file, program)
	}
	r.answer.Next = append(r.answer.Next, "systemctl restart ec-syncd")
	for _, p := range r.cfg.Pairs {
		p.Replica = r.set.replica
		r.answer.Next = append(r.answer.Next, program+" sync-start "+p.Destination)
	}
	return nil
}

// readable reports whether the user of ec-syncd can read its files, and says what
// it cannot read.
func (r *reconfiguration) readable() bool {
	service, err := doctor.Service(r.cfg)
	if err != nil || r.uninstall {
		return true
	}
	bad := service.CannotRead(r.cfg)
	if len(bad) > 0 {
		r.note("Problem: %s, who owns the working directory and so runs ec-syncd, cannot read %s.", service.Name, strings.Join(bad, ", "))
		r.answer.Next = append(r.answer.Next, service.Give(bad))
	}
	return len(bad) == 0
}

// makeDir makes a directory and those above it, each for the owner of the one
// above: ec-syncd need not be the user that we are.
func makeDir(dir string) error {
	switch _, err := os.Stat(dir); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	above := filepath.Dir(dir)
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err != nil || os.Geteuid() != 0 {
		return err
	}
	info, err := os.Stat(above)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

// readableKey reports what is wrong with a private key.
func readableKey(name string) error {
	_, err := chef.ReadKey(name)
	return err
}

// mendKey is the command for a private key that cannot be used; config is where
// its file is named.
func mendKey(file, config string) string {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "scp -p OTHERHOST:" + file + " " + file
	case err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		return "chmod 600 " + file
	}
	if f, err := os.Open(file); errors.Is(err, fs.ErrPermission) {
		return "ls -l " + file + "    # this has to run as its owner, or as root"
	} else if err == nil {
		_ = f.Close()
	}
	return "$EDITOR " + config + "    # ec_sync_client['sync_key']"
}
