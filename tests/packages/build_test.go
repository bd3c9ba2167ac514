package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// The versions of the packages that are built.
const (
	firstVersion  = "1.2.3"
	secondVersion = "1.2.4"
)

// changed is what the second version's example of a chef-sync.rb begins with.
const changed = "# Changed in " + secondVersion + ".\n"

// build builds a package of a version into dir: deb or rpm. The programs are those that
// other tests run, without their symbols, and do not have the Temporal server
// compiled once more.
func build(t *testing.T, dir, version, config, format string) {
	t.Helper()
	bin := t.TempDir()
	const at = "github.com/chef-sync/chef-sync/internal/version.Version="
	for pkg, name := range map[string]string{"./worker": "ec-syncd", "./starter": "chef-sync-ctl"} {
		says := version
		if pkg == "./worker" { // linked once, for both versions
			says = firstVersion
		}
		file := harness.BuildBinary(t, pkg, "-ldflags", "-s -w -X "+at+says)
		if err := os.Link(file, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("packaging/build", architecture(t))
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "VERSION="+version, "FORMATS="+format, "DIST="+dir, "BIN="+bin,
		"CONFIG="+config, "COMPRESSION="+map[string]string{"deb": "none", "rpm": "gzip:1"}[format])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/build: %v\n%s", err, out)
	}
}

// architecture is Debian's name of this machine's, which is Go's for those that
// there are packages for.
func architecture(t *testing.T) string {
	t.Helper()
	harness.Require(t, "dpkg")
	out, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// deb is the file of a version, as the hosts see it.
func deb(t *testing.T, version string) string {
	return "/mnt/chef-sync_" + version + "_" + architecture(t) + ".deb"
}

// example is the chef-sync.rb of the package.
func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/chef-sync.rb")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
