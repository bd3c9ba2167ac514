package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

const (
	configFile = "/etc/chef-sync/chef-sync.rb"
	keyFile    = "/etc/chef-sync/ec_sync_user.pem"
)

func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds packages, boots systemd three times, starts PostgreSQL and Temporal")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "chef-sync.rb")
	if err := os.WriteFile(config, []byte(changed+example(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	build(t, dir, firstVersion, "", "deb")
	build(t, dir, firstVersion, "", "rpm")
	build(t, dir, secondVersion, config, "deb")
	t.Run("deb", func(t *testing.T) { testDeb(t, newHost(t, "deb", dir)) })
	t.Run("without systemd", func(t *testing.T) { testWithoutSystemd(t, newHost(t, "container", dir)) })
	t.Run("steps", func(t *testing.T) { testSteps(t, newHost(t, "primary", dir), newHost(t, "replica", dir)) })
	t.Run("rpm", func(t *testing.T) { testRPM(t, dir) })
}

// installed is what "stat" says of the files of the package, and of the directories
// that it makes.
const installed = `-rw-r----- root:chef-sync '/etc/chef-sync/chef-sync.rb'
drwxr-xr-x root:root '/etc/chef-sync'
-rwxr-xr-x root:root '/opt/chef-sync/bin/chef-sync-ctl'
-rwxr-xr-x root:root '/opt/chef-sync/bin/ec-syncd'
lrwxrwxrwx root:root '/usr/bin/chef-sync-ctl' -> '/opt/chef-sync/bin/chef-sync-ctl'
lrwxrwxrwx root:root '/usr/bin/ec-syncd' -> '/opt/chef-sync/bin/ec-syncd'
-rw-r--r-- root:root '/usr/lib/systemd/system/ec-syncd.service'
-rw-r--r-- root:root '/usr/share/bash-completion/completions/chef-sync-ctl'
-rw-r--r-- root:root '/usr/share/doc/chef-sync/copyright'
-rw-r--r-- root:root '/usr/share/doc/chef-sync/settings.md'
drwxr-x--- chef-sync:chef-sync '/var/opt/chef-sync'
drwxr-x--- chef-sync:chef-sync '/var/opt/chef-sync/ec_sync_client'
drwxr-x--- chef-sync:chef-sync '/var/opt/chef-sync/ec_sync_server'
drwxr-xr-x root:root '/var/log/opscode'
drwxr-x--- chef-sync:chef-sync '/var/log/opscode/chef-sync/client'
drwxr-x--- chef-sync:chef-sync '/var/log/opscode/chef-sync/server'
`

// stat prints mode, owner and name of files.
func (h *host) stat(names ...string) string {
	h.t.Helper()
	return h.must(append([]string{"stat", "--format", "%A %U:%G %N"}, names...)...)
}

// names are the files in installed.
func names() []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^\S+ \S+ '([^']+)'`).FindAllStringSubmatch(installed, -1) {
		out = append(out, m[1])
	}
	return out
}

// testDeb is the life of a package on a host: installed, upgraded with the
// configuration edited and not, removed, installed again, purged.
func testDeb(t *testing.T, h *host) {
	h.must("dpkg", "--install", deb(t, firstVersion))
	if got := h.stat(names()...); got != installed {
		t.Errorf("after the installation:\n%s\nwant\n%s", got, installed)
	}
	if got := h.must("getent", "passwd", "chef-sync"); !regexp.MustCompile(`^chef-sync:x:[0-9]{3}:[0-9]{3}:.*:/var/opt/chef-sync:/usr/sbin/nologin\n$`).MatchString(got) {
		t.Errorf("the user is %q", got)
	}
	if out := h.must("chef-sync-ctl", "version"); !strings.Contains(out, firstVersion) {
		t.Errorf("chef-sync-ctl version says %q", out)
	}
	if out := h.must("dpkg", "--verify", "chef-sync"); out != "" {
		t.Errorf("dpkg --verify finds\n%s", out)
	}
	if out := h.must("/bin/bash", "-c", ". /usr/share/bash-completion/completions/chef-sync-ctl && complete -p chef-sync-ctl"); !strings.Contains(out, "_chef_sync_ctl") {
		t.Errorf("bash completes with %q", out)
	}
	testUnit(t, h)
	testExample(t, h)

	h.must("dpkg", "--install", deb(t, secondVersion))
	if got := h.read(configFile); !strings.HasPrefix(got, changed) {
		t.Error("a chef-sync.rb that nobody edited was kept on an upgrade")
	}
	const edited = "role :master\n"
	h.write(configFile, edited)
	h.must("dpkg", "--force-confdef", "--install", deb(t, firstVersion))
	if got, beside := h.read(configFile), h.read(configFile+".dpkg-dist"); got != edited || beside != example(t) {
		t.Errorf("after an upgrade chef-sync.rb is\n%s\nand beside it is\n%s\nwant it as edited, and the new one beside", got, beside)
	}
	if out := h.must("chef-sync-ctl", "version"); !strings.Contains(out, firstVersion) {
		t.Errorf("after a change of versions, version says %q", out)
	}

	h.must("systemctl", "enable", "ec-syncd")
	h.write(keyFile, "a key\n")
	h.must("dpkg", "--remove", "chef-sync")
	h.gone("after the removal", "/opt/chef-sync", "/usr/bin/chef-sync-ctl", "/usr/bin/ec-syncd", "/usr/lib/systemd/system/ec-syncd.service",
		"/etc/systemd/system/multi-user.target.wants/ec-syncd.service")
	if h.read(configFile) != edited || h.read(keyFile) != "a key\n" || !h.exists("/var/opt/chef-sync/ec_sync_client") || !h.exists("/var/log/opscode/chef-sync/client") {
		t.Error("the removal took configuration, key, state or logs with it")
	}
	h.must("dpkg", "--force-confdef", "--install", deb(t, secondVersion))
	h.must("dpkg", "--purge", "chef-sync")
	h.gone("after the purge", "/opt/chef-sync", "/etc/chef-sync", "/var/opt/chef-sync", "/var/log/opscode")
	if out, code := h.try("dpkg", "--status", "chef-sync"); code == 0 {
		t.Errorf("after the purge dpkg still knows it:\n%s", out)
	}
	if out, _ := h.try("systemctl", "show", "--property", "LoadState", "--value", "ec-syncd"); out != "not-found\n" {
		t.Errorf("after the purge systemd says of the service: %s", out)
	}
	h.must("getent", "passwd", "chef-sync") // so that nobody else gets its number
}

// gone checks that there are no such files.
func (h *host) gone(when string, names ...string) {
	h.t.Helper()
	for _, name := range names {
		if h.exists(name) {
			h.t.Errorf("%s there is %s", when, name)
		}
	}
}

// testUnit looks at the service before it runs.
func testUnit(t *testing.T, h *host) {
	for want, args := range map[string][]string{
		"disabled\n": {"systemctl", "is-enabled", "ec-syncd"},
		"inactive\n": {"systemctl", "is-active", "ec-syncd"},
		"":           {"systemd-analyze", "verify", "/usr/lib/systemd/system/ec-syncd.service"},
	} {
		if got, _ := h.try(args...); got != want {
			t.Errorf("%s: %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	// In tenths, from 0 to 100; a service that says nothing has 96.
	if out, code := h.try("systemd-analyze", "security", "--no-pager", "--threshold=15", "ec-syncd.service"); code != 0 {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		t.Errorf("systemd-analyze security: exit code %d: %s", code, lines[len(lines)-1])
	}
}

// testExample starts the service with the example as it is: all that happens is
// that both programs say what is missing.
func testExample(t *testing.T, h *host) {
	const missing = "the setting master is missing"
	if out, code := h.try("chef-sync-ctl", "reconfigure"); code != 2 || !strings.Contains(out, missing) || !strings.Contains(out, "$EDITOR "+configFile) {
		t.Errorf("chef-sync-ctl reconfigure: exit code %d\n%s", code, out)
	}
	h.try("systemctl", "start", "ec-syncd")
	h.until("the service fails, and is not started again", func(out string) bool {
		return strings.Contains(out, "ActiveState=failed\n") && strings.Contains(out, "ExecMainStatus=2\n") && strings.Contains(out, "NRestarts=0\n")
	}, "systemctl", "show", "--property", "ActiveState,ExecMainStatus,NRestarts", "ec-syncd")
	var said string
	harness.Until(t, "the journal has what it said", func() bool { // which is written by another process
		said = h.journal()
		return strings.Contains(said, missing)
	}, func() string { return said })
}

// testWithoutSystemd installs and purges where systemd does not run, as in a
// container.
func testWithoutSystemd(t *testing.T, h *host) {
	for _, args := range [][]string{
		{"--install", deb(t, firstVersion)}, {"--install", deb(t, secondVersion)}, {"--remove", "chef-sync"}, {"--purge", "chef-sync"},
	} {
		command := "mount -t tmpfs none /run && dpkg " + strings.Join(args, " ")
		h.must("unshare", "--mount", "/bin/sh", "-c", command)
		if args[0] == "--install" && !strings.Contains(h.must("/usr/bin/ec-syncd", "version"), firstVersion) {
			t.Errorf("after %v there is no ec-syncd", args)
		}
	}
	h.gone("after the purge", "/etc/chef-sync", "/opt/chef-sync", "/var/opt/chef-sync", "/var/log/opscode")
}
