package version

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestFrom(t *testing.T) {
	recorded := &debug.BuildInfo{
		Main: debug.Module{Version: "v0.9.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-11-23T12:00:00Z"},
			{Key: "vcs.modified", Value: "true"},
		},
	}
	if got := from(&debug.BuildInfo{}); got.Version != Development || got.Commit != "" || got.String() != Development || got.Go == "" {
		t.Errorf("without any record: %+v", got)
	}
	got := from(recorded)
	if got.Version != "v0.9.0" || got.Date != "2026-11-23T12:00:00Z" || got.String() != "v0.9.0 (0123456789ab, modified)" {
		t.Errorf("as recorded: %+v, %s", got, got)
	}
	t.Cleanup(func() { Version, Commit, Date = "", "", "" })
	Version, Commit, Date = "1.2.3", "cafe", "2026-12-01T00:00:00Z"
	if got := from(recorded); got.String() != "1.2.3 (cafe)" || got.Date != Date || got.Modified {
		t.Errorf("set by the linker: %+v, %s", got, got)
	}
}

// TestLinker builds a program as packages do.
func TestLinker(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "show")
	const at = "github.com/chef-sync/chef-sync/internal/version."
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, //nolint:gosec // a test's own program
		"-ldflags", "-X "+at+"Version=9.8.7 -X "+at+"Commit=feed", "./testdata/show")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), bin).CombinedOutput() //nolint:gosec // the same
	if err != nil || strings.TrimSpace(string(out)) != "9.8.7 (feed)" {
		t.Errorf("it says %q, %v", out, err)
	}
}

func TestWorkerIdentity(t *testing.T) {
	t.Cleanup(func() { Version = "" })
	Version = "1.2.3"
	if got, ok := OfWorker(WorkerIdentity("host", 7)); got != "1.2.3" || !ok {
		t.Errorf("of %q: %q, %t", WorkerIdentity("host", 7), got, ok)
	}
	for _, other := range []string{"", "7@host@", "ec-syncd/", "ec-syncd/1.2.3"} {
		if got, ok := OfWorker(other); ok {
			t.Errorf("of %q: %q", other, got)
		}
	}
}
