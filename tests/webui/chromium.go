package webui

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"
)

// chromiumPath is where Debian's package chromium has its program.
const chromiumPath = "/usr/bin/chromium"

// chromium returns the path of the browser. Where that is missing it installs the
// package if it may, and fails the test if not: a browser test that quietly does
// not run would be taken for one that passed.
func chromium(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(chromiumPath); !errors.Is(err, fs.ErrNotExist) {
		return chromiumPath
	}
	aptGet, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		t.Fatalf("%s is missing: install Debian's package chromium (apt-get install chromium)", chromiumPath)
	}
	// Another test binary may be installing something at the same time.
	install := exec.CommandContext(t.Context(), aptGet, "-o", "DPkg::Lock::Timeout=600",
		"install", "--yes", "--no-install-recommends", "chromium")
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	t.Log("installing Debian's package chromium")
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("apt-get install chromium: %v\n%s", err, output)
	}
	return chromiumPath
}
