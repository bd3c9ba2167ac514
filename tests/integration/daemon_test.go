package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// What ec-syncd says to a person who starts it wrongly, and how it ends.
func TestDaemonRefusesBadInput(t *testing.T) {
	if testing.Short() {
		t.Skip("builds ec-syncd with its Temporal server")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"no such file", []string{"--config", filepath.Join(dir, "absent.rb")}, 2, []string{"absent.rb", "organizations"}},
		{"all problems at once", []string{"--config", write("bad.rb", "rolle :replica\nmaster File.read('x')\npoll_interval 'soon'\n")}, 2,
			[]string{"bad.rb:1", "role", "bad.rb:2", "bad.rb:3", "poll_interval"}},
		{"a primary without its database", []string{"--config", write("primary.rb", "role :master\nec_sync_server['log_directory'] = 'log'\n")}, 2,
			[]string{"ec_sync_server['database'] = 'postgres://"}},
		{"a primary without its certificate", []string{"--config", write("certificate.rb",
			"role :master\nec_sync_server 'log_directory' => 'log', 'database' => 'postgres://u@127.0.0.1:9/d', 'tls_cert' => 'none.pem', 'tls_key' => 'none.key'\n")}, 2,
			[]string{"tls_cert", "none.pem"}},
		{"a primary on another's address", []string{"--config", write("address.rb",
			"role :master\nec_sync_server 'log_directory' => 'log', 'database' => 'postgres://u@127.0.0.1:9/d', 'listen' => '192.0.2.1'\n")}, 1,
			[]string{"ec_sync_server['listen']"}},
		{"nothing to do", []string{"--config", write("off.rb", "role :master\nec_sync_server['enable'] = false\n")}, 2, []string{"nothing runs on this host"}},
		{"unknown command", []string{"dmeo"}, 2, []string{"dmeo", "--help"}},
		{"unknown flag", []string{"--colour"}, 2, []string{"colour", "--help"}},
		{"staging that others can read", []string{"--config", write("open.rb",
			"master 'https://a'\nreplica 'https://b'\norganizations ['o']\nec_sync_client['dir'] = '"+dir+"'\nec_sync_client['log_directory'] = '"+dir+"/log'\nstaging 'file://"+open(t)+"'\n")}, 1,
			[]string{"chmod 0700"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(harness.BuildBinary(t, "./worker"), c.args...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d (%v); want %d\n%s", code, err, c.code, out)
			}
			for _, want := range c.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

// open is a directory that everybody can read.
func open(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	return dir
}

// The demo replicates its sample, finds both servers equal and says so; what it
// prints is all that a first user knows of the product.
func TestDemoOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("builds ec-syncd with its Temporal server")
	}
	cmd := exec.Command(harness.BuildBinary(t, "./worker"), "demo", "--once", "--dir", "a/demo")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"Web UI", "SyncWorkflow", "cookbook", "data_bag_item", "The two servers are equal."} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "ERROR") || strings.Contains(string(out), "WARN") {
		t.Errorf("the demo shows log lines that a person would worry about:\n%s", out)
	}
}
