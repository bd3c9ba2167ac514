package packages

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// A host is a Debian with systemd: a copy of this system, to be thrown away, that
// boot.sh made. Its network is ours, its files and processes are its own.
type host struct {
	t   *testing.T
	pid string // of its systemd, as seen from here
}

// newHost boots one. The directory shared is its /mnt.
func newHost(t *testing.T, name, shared string) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test boots a copy of the system and installs a package there, and only root may: sudo go test ./tests/packages")
	}
	harness.Require(t, "dpkg", "systemd")
	name = "chef-sync-test-" + strconv.Itoa(os.Getpid()) + "-" + name
	cmd := exec.Command("/bin/sh", "boot.sh", t.TempDir(), name, shared) //nolint:gosec // our own script
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &host{t: t}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare, which takes systemd and all that runs below it along
		_ = cmd.Wait()
		harness.Until(t, "the control groups of "+name+" are gone", func() bool { return removeGroups(name) }, func() string { return "" })
	})
	up := func() bool {
		if h.pid == "" {
			h.pid = firstChild(cmd.Process.Pid)
		}
		if h.pid == "" {
			return false
		}
		out, _ := h.try("systemctl", "is-system-running")
		return out == "running\n"
	}
	harness.Until(t, "systemd runs in a copy of this system, which needs overlayfs and namespaces", up, said.String)
	h.must("systemctl", "start", "systemd-journald")
	return h
}

// firstChild is the process that another one has begun; "" for none.
func firstChild(pid int) string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children"))
	child, _, _ := strings.Cut(string(text), " ")
	// The shell's own children come and go before it becomes unshare.
	name, _ := os.ReadFile(filepath.Join("/proc", child, "comm"))
	if child == "" || string(name) != "systemd\n" {
		return ""
	}
	return child
}

// removeGroups removes the control groups that boot.sh made, once they are empty.
func removeGroups(name string) bool {
	gone := true
	for _, tree := range []string{"", "systemd", "unified"} {
		top := filepath.Join("/sys/fs/cgroup", tree, name)
		var dirs []string
		_ = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			if err := syscall.Rmdir(dirs[i]); err != nil && !errors.Is(err, syscall.ENOENT) {
				gone = false
			}
		}
	}
	return gone
}

// try runs a command there, as root, and returns what it printed and its exit code.
func (h *host) try(args ...string) (string, int) {
	h.t.Helper()
	enter := []string{"--target", h.pid, "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--root", "--wd", "--"}
	cmd := exec.Command("nsenter", append(enter, args...)...) //nolint:gosec // a test's own commands
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("%v: %v", args, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed.
func (h *host) must(args ...string) string {
	h.t.Helper()
	out, code := h.try(args...)
	if code != 0 {
		h.t.Fatalf("%s: exit code %d\n%s%s", strings.Join(args, " "), code, out, h.journal())
	}
	return out
}

// file is the name here of one there. Symbolic links are not to be followed.
func (h *host) file(name string) string { return filepath.Join("/proc", h.pid, "root", name) }

func (h *host) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.file(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// write keeps the mode and the owner of a file that is there.
func (h *host) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// exists reports whether there is such a file, also a link into the void.
func (h *host) exists(name string) bool {
	_, err := os.Lstat(h.file(name))
	return err == nil
}

// journal is the end of what ec-syncd and systemd said of it.
func (h *host) journal() string {
	out, _ := h.try("journalctl", "--unit", "ec-syncd", "--no-pager", "--lines", "40", "--output", "cat")
	return "the journal of ec-syncd:\n" + out
}

// mainPID is the process of the service there; "0" if it does not run.
func (h *host) mainPID() string {
	h.t.Helper()
	return strings.TrimSpace(h.must("systemctl", "show", "--property", "MainPID", "--value", "ec-syncd"))
}

// until waits for what a command there prints.
func (h *host) until(what string, good func(out string) bool, args ...string) {
	h.t.Helper()
	var out string
	harness.Until(h.t, what, func() bool {
		out, _ = h.try(args...)
		if !good(out) {
			time.Sleep(200 * time.Millisecond) // each is a process
			return false
		}
		return true
	}, func() string { return out + "\n" + h.journal() })
}
