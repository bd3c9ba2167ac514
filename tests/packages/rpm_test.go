package packages

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// testRPM reads the .rpm back: there is no Red Hat here to install it on.
func testRPM(t *testing.T, dir string) {
	harness.Require(t, "rpm")
	files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the packages are %v, %v", files, err)
	}
	ask := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("rpm", append([]string{"--query", "--package", files[0], "--dbpath", t.TempDir()}, args...)...).Output()
		if err != nil {
			t.Fatalf("rpm %v: %v", args, err)
		}
		return string(out)
	}
	if got := ask("--queryformat", "%{NAME} %{VERSION} %{RELEASE} %{LICENSE}"); got != "chef-sync "+firstVersion+" 1 Apache-2.0" {
		t.Errorf("it is %q", got)
	}
	got := strings.Fields(ask("--queryformat", `[%{FILEMODES:perms},%{FILEUSERNAME}:%{FILEGROUPNAME},%{FILENAMES}\n]`))
	for _, want := range []string{
		"-rwxr-xr-x,root:root,/opt/chef-sync/bin/chef-sync-ctl",
		"-rwxr-xr-x,root:root,/opt/chef-sync/bin/ec-syncd",
		"-rw-r-----,root:chef-sync,/etc/chef-sync/chef-sync.rb",
		"l---------,root:root,/usr/bin/ec-syncd",
		"l---------,root:root,/usr/bin/chef-sync-ctl",
		"-rw-r--r--,root:root,/usr/lib/systemd/system/ec-syncd.service",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s among\n%s", want, strings.Join(got, "\n"))
		}
	}
	if got := ask("--queryformat", `[%{FILEFLAGS:fflags} %{FILENAMES}\n]`); !strings.Contains(got, "cn /etc/chef-sync/chef-sync.rb\n") {
		t.Errorf("chef-sync.rb is not config|noreplace:\n%s", got)
	}
	scripts := ask("--scripts")
	for _, want := range []string{"useradd", "install -d", "remove | 0)", "purge)"} {
		if !strings.Contains(scripts, want) {
			t.Errorf("no %q in its scripts:\n%s", want, scripts)
		}
	}
}
