package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// mountAndRun mounts a file system in memory and becomes the program that follows.
const mountAndRun = `mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" && shift 2 && exec "$@"`

// onOwnDisk has a program see a file system of its own, of so many bytes, at a
// directory. It needs no privileges where users may have namespaces.
func onOwnDisk(cmd *exec.Cmd, dir string, bytes int64) {
	cmd.Args = append([]string{"sh", "-c", mountAndRun, "sh", fmt.Sprint(bytes), dir, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // in which no mount is seen elsewhere
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
}

// FillDisk fills the disk of [Syncd.OwnDisk] to the last byte. What it returns
// makes room again.
func (d *Syncd) FillDisk(t testing.TB) (free func()) {
	t.Helper()
	file := filepath.Join(fmt.Sprintf("/proc/%d/root", d.process.pid), d.OwnDisk, "filler")
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
