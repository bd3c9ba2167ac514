package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A tool is something that tests need from the system.
type tool struct {
	packages []string    // Debian's
	present  func() bool // whether it can be used already
}

// tools are those that are more than one program of the package's own name.
var tools = map[string]tool{
	"goiardi":    {[]string{"goiardi"}, func() bool { return inPath("goiardi") && isFile(goiardiSchema) }},
	"postgresql": {[]string{"postgresql"}, func() bool { return postgresBin() != "" }},
	"systemd":    {[]string{"systemd"}, func() bool { return isFile("/lib/systemd/systemd") }},
	"psql":       {[]string{"postgresql-client"}, func() bool { return inPath("psql") || postgresBin() != "" }},
	"chromium": {[]string{"chromium"}, func() bool {
		return inPath("chromium") || inPath("chromium-browser") || inPath("google-chrome")
	}},
	"ruby-mixlib-authentication": {[]string{"ruby", "ruby-mixlib-authentication"}, func() bool {
		// The gem fails unless openssl was loaded before it.
		return exec.Command("ruby", "-e", "require 'openssl'; require 'mixlib/authentication/signedheaderauth'").Run() == nil
	}},
}

// find returns the tool of a name. An unknown name is a program in the package
// of that name.
func find(name string) tool {
	if t, ok := tools[name]; ok {
		return t
	}
	return tool{[]string{name}, func() bool { return inPath(name) }}
}

func inPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// Require makes sure that the system has the named tools: goiardi, postgresql,
// chromium, ruby-mixlib-authentication, or any program in a Debian package of
// its name (docker-compose). As root on Debian it installs what is missing, and
// starts none of the services that come along; otherwise the test fails with
// the command that would. It never skips.
func Require(t testing.TB, names ...string) {
	t.Helper()
	if len(missing(names)) == 0 {
		return
	}
	unlock, err := lockInstaller()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	defer unlock()
	packages := missing(names) // another test binary may have been first
	if len(packages) == 0 {
		return
	}
	args := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	command := "apt-get " + strings.Join(args, " ")
	if os.Geteuid() != 0 || !inPath("apt-get") {
		t.Fatalf("harness: this test needs %s; install it with:\n\n\tsudo %s\n", strings.Join(packages, ", "), command)
	}
	t.Logf("harness: %s", command)
	out, err := install(args)
	if err != nil {
		t.Fatalf("harness: %s: %v\n%s", command, err, out)
	}
	if still := missing(names); len(still) > 0 {
		t.Fatalf("harness: %s ended well, but %s cannot be used", command, strings.Join(still, ", "))
	}
}

// missing returns the packages of the tools that are not there.
func missing(names []string) []string {
	var out []string
	for _, name := range names {
		if t := find(name); !t.present() {
			out = append(out, t.packages...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lockInstaller keeps test binaries that run at the same time from installing at
// the same time.
func lockInstaller() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("chef-sync-install-%d.lock", os.Geteuid())), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// install runs apt-get, and once more after an update if the package lists were
// missing or out of date.
func install(args []string) ([]byte, error) {
	restore, err := forbidServices()
	if err != nil {
		return nil, err
	}
	defer restore()
	out, err := aptGet(args...)
	if err == nil {
		return out, nil
	}
	if more, err := aptGet("update"); err != nil {
		return append(out, more...), fmt.Errorf("update: %w", err)
	}
	return aptGet(args...)
}

func aptGet(args ...string) ([]byte, error) {
	options := []string{"-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"}
	cmd := exec.Command("apt-get", append(options, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return cmd.CombinedOutput()
}

// forbidServices keeps packages from starting what they install, by the means
// that Debian has for it, unless the system has an own policy.
func forbidServices() (restore func(), err error) {
	const policy = "/usr/sbin/policy-rc.d"
	f, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if os.IsExist(err) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = f.WriteString("#!/bin/sh\nexit 101\n")
	return func() { os.Remove(policy) }, err
}
