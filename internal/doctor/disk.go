package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// Below freeFails bytes the first large cookbook fills the disk; below freeWarns
// it is time to look.
const (
	freeFails = 100 << 20
	freeWarns = 1 << 30
)

// canWrite reports whether this process may make files in a directory.
func canWrite(dir string) bool {
	const writable = 2 // W_OK of access(2)
	return syscall.Access(dir, writable) == nil
}

// directory looks at the working directory.
func directory(_ context.Context, x *exam, _ subject) []Finding {
	return place(x.Config.Dir, "working directory", "ec_sync_client['dir']", canWrite)
}

// logs looks at the directories of logs.
func logs(_ context.Context, x *exam, _ subject) []Finding {
	var out []Finding
	if x.replicates() {
		out = append(out, logPlace(x.Config.LogDirectory, "ec_sync_client['log_directory']")...)
	}
	if x.serves() {
		out = append(out, logPlace(x.Config.Server.LogDirectory, "ec_sync_server['log_directory']")...)
	}
	return out
}

func logPlace(dir, setting string) []Finding {
	if dir == "" {
		return skipped("%s is '': no log files are written", setting)
	}
	return place(dir, "directory of logs", setting, canWrite)
}

// place looks whether files can be written in a directory, or it can be made.
func place(dir, what, setting string, writable func(dir string) bool) []Finding {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		above := existing(dir)
		if !writable(above) {
			return failed("install -d -m 0750 -o USER "+dir+"    # the user of ec-syncd", "there is no %s %s, and it cannot be made in %s", what, dir, above)
		}
		return fine("there is no %s %s yet; ec-syncd makes it", what, dir)
	case err != nil && !errors.Is(err, syscall.ENOTDIR):
		return failed("sudo chef-sync-ctl doctor", "%s: %v", what, err)
	case err != nil || !info.IsDir():
		return failed(setting+" in chef-sync.rb", "%s %s is no directory", what, dir)
	case !writable(dir):
		return failed("chown -R USER "+dir+"    # the user of ec-syncd", "%s %s cannot be written by uid %d", what, dir, os.Getuid())
	}
	free, err := freeBytes(dir)
	switch {
	case err != nil:
		return failed("df "+dir, "%s %s: %v", what, dir, err)
	case room(free) == Failed:
		return failed("df "+dir, "%s %s: the disk is full, %s are free", what, dir, size(free))
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0:
		return warning("chmod go-w "+dir, "%s %s can be written by others (mode %04o)", what, dir, info.Mode().Perm())
	case room(free) == Warning:
		return warning("df "+dir, "%s %s: %s are free", what, dir, size(free))
	}
	return fine("%s %s can be written, %s are free", what, dir, size(free))
}

// room is what so many free bytes mean.
func room(free int64) State {
	switch {
	case free < freeFails:
		return Failed
	case free < freeWarns:
		return Warning
	}
	return OK
}

// existing is the nearest directory above that there is.
func existing(dir string) string {
	for {
		up := filepath.Dir(dir)
		if _, err := os.Stat(up); err == nil || up == dir {
			return up
		}
		dir = up
	}
}

// freeBytes is what is left of the disk for those who are not root.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // of other types elsewhere
}

func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// stagingStore looks at where bodies and files wait. It holds secrets, and
// ec-syncd refuses one that others can read.
func stagingStore(ctx context.Context, x *exam, _ subject) []Finding {
	u, err := url.Parse(x.Config.StagingURL)
	if err != nil || u.Scheme != "file" {
		return bucket(ctx, x)
	}
	dir := filepath.FromSlash(u.Path)
	found := place(dir, "staging directory", "staging", canWrite)
	if info, err := os.Stat(dir); err == nil && info.IsDir() && info.Mode().Perm()&0o077 != 0 {
		return failed("chmod 0700 "+dir, "staging directory %s can be read by others (mode %04o), and it holds secrets", dir, info.Mode().Perm())
	}
	return found
}

// bucket looks at a store on S3, by reading and writing it.
func bucket(ctx context.Context, x *exam) []Finding {
	st, err := staging.Open(ctx, x.Config.StagingURL)
	if err != nil {
		return failed("staging in "+x.File, "%v", err)
	}
	defer st.Close()
	if _, err := st.Join(ctx); err != nil {
		return failed("staging in "+x.File+", AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a role) of ec-syncd's user: "+
			"it needs ListBucket, GetObject, PutObject and DeleteObject", "%s: %v", config.ShownStaging(x.Config.StagingURL), err)
	}
	return fine("staging is in %s, which can be read and written", config.ShownStaging(x.Config.StagingURL))
}

// others reports whether others than its owner have access to a file.
func others(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0
}

// here reports whether a name is this host's own.
func here(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
