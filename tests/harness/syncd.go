package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Side is one server in a chef-sync.rb.
type Side struct {
	URL           string
	Organizations bool // false for goiardi
	User, KeyFile string
}

// Side returns the server as a chef-sync.rb names it.
func (s *ChefServer) Side() Side {
	return Side{URL: s.URL, Organizations: true, User: SyncUser, KeyFile: s.KeyFile}
}

// Side returns the server as a chef-sync.rb names it.
func (g *GoiardiServer) Side() Side {
	return Side{URL: g.URL, User: g.User, KeyFile: g.KeyFile}
}

// Syncd is an ec-syncd process of its own, built from this module, with its
// embedded Temporal server: a process because kill -9 is one of its tests.
type Syncd struct {
	Config string // its chef-sync.rb
	Dir    string
	Port   int // of Temporal
	UIPort int // of the Web UI

	// Organizations are those of its pairs, [Organization] alone unless set before
	// Configure.
	Organizations []string

	// OwnDisk, if set before Start, is a directory at which the process finds a disk of
	// its own, of OwnDiskBytes, empty at first. It outlives the process.
	OwnDisk      string
	OwnDiskBytes int64

	// Binary, if set before Start, is run instead of the one built from this module.
	Binary string

	// Env, if set before Start, is added to the environment of the process: NAME=VALUE.
	Env []string

	temporal string // host:port of a Temporal that is not its own; "" = its own
	process  *process
	disk     *process // what keeps OwnDisk
}

// NewSyncd writes a chef-sync.rb for one pair of organizations called
// [Organization], with the further settings appended, and starts ec-syncd.
func NewSyncd(t testing.TB, primary, replica Side, settings string) *Syncd {
	t.Helper()
	d := PrepareSyncd(t)
	d.Configure(t, primary, replica, settings)
	d.Start(t)
	return d
}

// PrepareSyncd makes the directory of an ec-syncd, which ends with the test, and
// does not start it.
func PrepareSyncd(t testing.TB) *Syncd {
	t.Helper()
	dir, err := os.MkdirTemp(runDir(t), "syncd-")
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	d := &Syncd{Dir: dir, Config: filepath.Join(dir, "chef-sync.rb"), Port: FreePort(t), UIPort: FreePort(t), Organizations: []string{Organization}}
	t.Cleanup(func() { d.cleanup(t) })
	return d
}

// Configure writes the chef-sync.rb; ec-syncd reads it when it starts.
func (d *Syncd) Configure(t testing.TB, primary, replica Side, settings string) {
	t.Helper()
	text := fmt.Sprintf(`role :replica
master  '%s'
replica '%s'
master_organizations  %t
replica_organizations %t
master_user '%s'
master_key  '%s'
replica_user '%s'
replica_key  '%s'
organizations [ %s ]
ec_sync_client['dir']           = '%s'
ec_sync_client['log_directory'] = '%s'
temporal['port']    = %d
temporal['ui_port'] = %d
%s
`, primary.URL, replica.URL, primary.Organizations, replica.Organizations, primary.User, primary.KeyFile,
		replica.User, replica.KeyFile, d.pairs(),
		filepath.Join(d.Dir, "data"), filepath.Join(d.Dir, "log"), d.Port, d.UIPort, settings)
	if d.temporal != "" {
		text += fmt.Sprintf("temporal['address'] = '%s'\n", d.temporal)
	}
	if err := os.WriteFile(d.Config, []byte(text), 0o600); err != nil {
		t.Fatalf("harness: %v", err)
	}
}

// pairs are the entries of organizations.
func (d *Syncd) pairs() string {
	entries := make([]string, len(d.Organizations))
	for i, org := range d.Organizations {
		entries[i] = fmt.Sprintf("{ :source => '%s', :destination => '%s' }", org, org)
	}
	return strings.Join(entries, ",\n  ")
}

// UIURL is the root of the Web UI.
func (d *Syncd) UIURL() string { return "http://" + loopback(d.UIPort) }

// Start starts the process and waits until all of it runs.
func (d *Syncd) Start(t testing.TB) {
	t.Helper()
	args := []string{"--config", d.Config}
	says := false
	if text, err := os.ReadFile(d.Config); err == nil && !bytes.Contains(text, []byte("log_level")) {
		args, says = append(args, "--log-level", "info"), true // whatever the default is
	}
	runs := d.saidToRun()
	if d.Binary == "" {
		d.Binary = BuildBinary(t, "./worker")
	}
	cmd := exec.Command(d.Binary, args...)
	cmd.Dir = d.Dir
	cmd.Env = append(withoutPrefix(withoutPrefix(os.Environ(), "TEMPORAL_"), "OTEL_"), d.Env...)
	if d.OwnDisk != "" {
		if d.disk == nil {
			d.disk = startDisk(t, d.OwnDisk, d.OwnDiskBytes)
		}
		onDisk(cmd, d.disk)
	}
	p, err := spawn(runDir(t), cmd, d.logFile())
	if err != nil {
		t.Fatalf("harness: start ec-syncd: %v", err)
	}
	d.process = p
	ready := func() bool { return p.exited() || d.answers() && (!says || d.saidToRun() > runs) }
	if !eventually(patience, ready) || p.exited() {
		t.Fatalf("harness: ec-syncd does not answer:\n%s", tail(d.logFile()))
	}
}

// saidToRun is how often the log says that all of an ec-syncd runs, which is after
// its Web UI does.
func (d *Syncd) saidToRun() int {
	log, _ := os.ReadFile(d.logFile()) // none yet
	return bytes.Count(log, []byte("ec-syncd runs"))
}

func (d *Syncd) answers() bool {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(d.UIURL())
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Alive reports whether the process runs.
func (d *Syncd) Alive() bool { return !d.process.exited() }

// Kill ends the process with SIGKILL.
func (d *Syncd) Kill() { d.process.end(syscall.SIGKILL) }

// Stop ends the process in good order.
func (d *Syncd) Stop() { d.process.end(syscall.SIGTERM) }

func (d *Syncd) logFile() string { return filepath.Join(d.Dir, "ec-syncd.out") }

// Log returns what the process has logged.
func (d *Syncd) Log(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(d.logFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Ctl runs chef-sync-ctl against this ec-syncd and returns what it wrote and its
// exit code.
func (d *Syncd) Ctl(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	binary := BuildBinary(t, "./starter") // which may take longer than the command
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--config", d.Config}, args...)...)
	cmd.Env = withoutPrefix(os.Environ(), "TEMPORAL_")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("chef-sync-ctl %v: %v", args, err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// MustCtl is Ctl for a command that has to succeed.
func (d *Syncd) MustCtl(t testing.TB, args ...string) string {
	t.Helper()
	stdout, stderr, code := d.Ctl(t, args...)
	if code != 0 {
		t.Fatalf("chef-sync-ctl %v: exit code %d\n%s%s\nec-syncd:\n%s", args, code, stdout, stderr, tail(d.logFile()))
	}
	return stdout
}

// Until waits until cond is true, as long as a slow machine may need, and fails
// the test with what say returns if it never is.
func Until(t testing.TB, what string, cond func() bool, say func() string) {
	t.Helper()
	Within(t, patience, what, cond, say)
}

// Within is [Until] for what may take longer than a minute.
func Within(t testing.TB, limit time.Duration, what string, cond func() bool, say func() string) {
	t.Helper()
	if !eventually(limit, cond) {
		t.Fatalf("not in time: %s\n%s", what, say())
	}
}

func (d *Syncd) cleanup(t testing.TB) {
	if d.process != nil {
		d.Stop()
	}
	if d.disk != nil {
		d.disk.end(syscall.SIGTERM)
	}
	if t.Failed() {
		t.Logf("the end of ec-syncd's log:\n%s", tail(d.logFile()))
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		t.Logf("harness: %v", err)
	}
}
