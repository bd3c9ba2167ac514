package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// keepDisk mounts a file system in memory, where nobody else sees it, and stays.
const keepDisk = `mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" && exec sleep infinity`

// startDisk starts what keeps a file system of so many bytes at a directory, for the
// processes that [onDisk] starts. It needs no privileges where users may have
// namespaces.
func startDisk(t testing.TB, dir string, bytes int64) *process {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("harness: %v", err)
	}
	cmd := exec.Command("/bin/sh", "-c", keepDisk, "sh", fmt.Sprint(bytes), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	log := dir + ".log"
	p, err := spawn(runDir(t), cmd, log)
	if err != nil {
		t.Fatalf("harness: a disk at %s: %v", dir, err)
	}
	mounted := func() bool {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", p.pid))
		return err == nil && strings.Contains(string(table), "tmpfs "+dir+" tmpfs")
	}
	if !eventually(patience, func() bool { return p.exited() || mounted() }) || p.exited() {
		t.Fatalf("harness: a disk at %s: mount needs root, or user namespaces:\n%s", dir, tail(log))
	}
	return p
}

// onDisk has a command see the disk.
func onDisk(cmd *exec.Cmd, disk *process) {
	args := []string{"nsenter", "--target", strconv.Itoa(disk.pid), "--mount", "--wd=" + cmd.Dir}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--preserve-credentials")
	}
	cmd.Args = append(append(args, "--", cmd.Path), cmd.Args[1:]...)
	cmd.Path, cmd.Err = exec.LookPath("nsenter")
}

// FillDisk fills the disk of [Syncd.OwnDisk] to the last byte. What it returns
// makes room again.
func (d *Syncd) FillDisk(t testing.TB) (free func()) {
	t.Helper()
	file := filepath.Join(fmt.Sprintf("/proc/%d/root", d.disk.pid), d.OwnDisk, "filler")
	if err := fillDisk(file); err != nil {
		t.Fatalf("harness: fill the disk of ec-syncd: %v", err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(file); err != nil {
			t.Fatalf("harness: make room on the disk of ec-syncd: %v", err)
		}
	}
}

// fillDisk writes a file until there is no space left.
func fillDisk(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := make([]byte, 1<<16); len(chunk) > 0; {
		_, err := f.Write(chunk)
		switch {
		case errors.Is(err, syscall.ENOSPC):
			chunk = chunk[:len(chunk)/2]
		case err != nil:
			return err
		}
	}
	return nil
}
