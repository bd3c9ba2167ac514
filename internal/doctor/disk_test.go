package doctor

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPlaceNotWritable, also where the tests run as root, who may write
// everywhere.
func TestPlaceNotWritable(t *testing.T) {
	dir := t.TempDir()
	nowhere := func(string) bool { return false }
	for at, want := range map[string]string{
		dir:                                "cannot be written by uid",
		filepath.Join(dir, "deep", "down"): "cannot be made in " + dir,
	} {
		got := place(at, "directory", "setting", nowhere)
		if len(got) != 1 || got[0].State != Failed || !strings.Contains(got[0].Text, want) || !strings.Contains(got[0].Fix, at) {
			t.Errorf("%s: %+v; want a failure with %q", at, got, want)
		}
		if got := place(at, "directory", "setting", canWrite); got[0].State == Failed {
			t.Errorf("%s: %+v", at, got)
		}
	}
}

// TestRoom: a failure below 100 MiB, a warning below 1 GiB.
func TestRoom(t *testing.T) {
	for free, want := range map[int64]State{
		0: Failed, 100<<20 - 1: Failed, 100 << 20: Warning, 1<<30 - 1: Warning, 1 << 30: OK,
	} {
		if got := room(free); got != want {
			t.Errorf("%d bytes: %s, want %s", free, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	if got := size(5<<20) + ", " + size(3<<29); got != "5 MiB, 1.5 GiB" {
		t.Error(got)
	}
}
