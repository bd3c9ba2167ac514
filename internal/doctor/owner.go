package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/chef-sync/chef-sync/internal/config"
)

// packaged is where the packages' service is given two files whenever it starts,
// whoever owns them: see packaging/ec-syncd.service.
const packaged = "/etc/chef-sync"

// An Account is who runs ec-syncd.
type Account struct {
	UID    uint32
	Groups []uint32
	Name   string // or the number, if it has none
}

// Service is who runs ec-syncd on this host, as far as its directories tell: the
// owner of the working directory, or of the nearest one above it that there is.
func Service(cfg *config.Config) (Account, error) {
	dir := cfg.Dir
	if !cfg.Replicates() {
		dir = cfg.Server.Dir
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(existing(dir))
	}
	if err != nil {
		return Account{}, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Account{}, fmt.Errorf("the owner of %s cannot be told", dir)
	}
	return account(owner.Uid), nil
}

func account(uid uint32) Account {
	number := strconv.FormatUint(uint64(uid), 10)
	out := Account{UID: uid, Name: number}
	u, err := osuser.LookupId(number)
	if err != nil {
		return out
	}
	out.Name = u.Username
	ids, err := u.GroupIds()
	if err != nil {
		ids = []string{u.Gid}
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			out.Groups = append(out.Groups, uint32(n))
		}
	}
	return out
}

// CannotRead returns those of the files that the configuration names which are
// there, and which that account may not read. The two that the packages' service
// is given when it starts are none of them.
func (a Account) CannotRead(cfg *config.Config) []string {
	var out []string
	for _, file := range files(cfg) {
		info, err := os.Stat(file)
		if err == nil && !given(file) && !a.reads(info) {
			out = append(out, file)
		}
	}
	return out
}

// reads reports whether the mode of a file lets the account read it.
func (a Account) reads(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok || a.UID == 0:
		return true
	case owner.Uid == a.UID:
		return mode&0o400 != 0
	case slices.Contains(a.Groups, owner.Gid):
		return mode&0o040 != 0
	}
	return mode&0o004 != 0
}

// files are those that ec-syncd reads on this host, each once.
func files(cfg *config.Config) []string {
	names := []string{cfg.File}
	if cfg.Replicates() {
		for _, s := range []config.Server{cfg.Primary, cfg.Replica} {
			names = append(names, s.KeyFile, s.TLS.CAFile, s.TLS.ClientCertFile, s.TLS.ClientKeyFile)
		}
		t := cfg.Temporal
		names = append(names, cfg.Watch.WebhookHeadersFile, t.APIKeyFile, t.CodecKeyFile, t.TLS.CAFile, t.TLS.ClientCertFile, t.TLS.ClientKeyFile)
	}
	if cfg.Serves() {
		names = append(names, cfg.Server.DatabasePasswordFile, cfg.Server.TLSCert, cfg.Server.TLSKey)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

func given(file string) bool {
	return filepath.Dir(file) == packaged && slices.Contains([]string{"ec_sync_user.pem", "database_password"}, filepath.Base(file))
}

// Give is the command that has the account read files.
func (a Account) Give(files []string) string {
	return "chown " + a.Name + " " + strings.Join(files, " ")
}

// owner looks whether the service may read what we, who are root, can.
func owner(_ context.Context, x *exam, _ subject) []Finding {
	a, err := Service(x.Config)
	if err != nil {
		return failed("ec_sync_client['dir'] in "+x.File, "who runs ec-syncd: %v", err)
	}
	return a.finding(x.Config, os.Geteuid())
}

func (a Account) finding(cfg *config.Config, us int) []Finding {
	bad := a.CannotRead(cfg)
	switch {
	case len(bad) > 0:
		return failed(a.Give(bad), "%s, who owns the working directory, cannot read %s", a.Name, strings.Join(bad, ", "))
	case us != 0 && int64(us) != int64(a.UID):
		return warning("sudo chef-sync-ctl doctor", "the working directory is %s's, and this is another user: what ec-syncd may do can look different", a.Name)
	}
	return fine("%s, who owns the working directory, can read the files that chef-sync.rb names", a.Name)
}
