//go:build !linux

package harness

import (
	"os/exec"
	"testing"
)

func onOwnDisk(*exec.Cmd, string, int64) {
	panic("harness: only Linux gives a program a disk of its own")
}

// FillDisk fills the disk of [Syncd.OwnDisk]; it needs Linux.
func (d *Syncd) FillDisk(t testing.TB) (free func()) {
	t.Helper()
	t.Fatal("harness: only Linux gives a program a disk of its own")
	return nil
}
