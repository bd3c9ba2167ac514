//go:build !linux

package harness

import (
	"os/exec"
	"testing"
)

func startDisk(t testing.TB, _ string, _ int64) *process {
	t.Helper()
	t.Fatal("harness: only Linux gives a program a disk of its own")
	return nil
}

func onDisk(*exec.Cmd, *process) {}

// FillDisk fills the disk of [Syncd.OwnDisk]; it needs Linux.
func (d *Syncd) FillDisk(t testing.TB) (free func()) {
	t.Helper()
	t.Fatal("harness: only Linux gives a program a disk of its own")
	return nil
}
