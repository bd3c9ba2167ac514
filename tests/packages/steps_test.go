package packages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// newServer starts a Chef server as one is when it has just been installed and has
// one organization: pivotal is the only user.
func newServer(t *testing.T, o chefserver.Options) *harness.ChefServer {
	t.Helper()
	s := &harness.ChefServer{Server: chefserver.New(o), KeyFile: filepath.Join(t.TempDir(), "pivotal.pem")}
	if err := os.WriteFile(s.KeyFile, s.PivotalKeyPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateOrganization(harness.Organization, "Acme"); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	s.Client = harness.NewClient(t, s.URL, harness.Organization, "pivotal", s.KeyFile)
	return s
}

// testSteps sets up a primary and a replica by the ten steps of the original's
// documentation, with what the package installed, and sees changes arrive; then
// once more after an upgrade of the replica.
func testSteps(t *testing.T, primary, replica *host) {
	source, copied := newServer(t, chefserver.Options{Feed: true}), newServer(t, chefserver.Options{})
	rows := harness.NewMirror(t, source)
	port := harness.FreePort(t)
	feed := fmt.Sprintf("http://127.0.0.1:%d", port)
	nginx := httptest.NewServer(harness.AsNginx(feed)(source.Server))
	t.Cleanup(nginx.Close)
	onPrimary := masterConfig(t, primary, rows, nginx.URL, port)
	onReplica := fmt.Sprintf("role :replica\nmaster '%s'\nreplica '%s'\norganizations ['%s']\npoll_interval 1\npoll_hold '5s'\n"+
		"temporal['port'] = %d\ntemporal['ui_port'] = %d\n", nginx.URL, copied.URL, harness.Organization, harness.FreePort(t), harness.FreePort(t))

	// 1 to 4, on the primary: install, role :master, reconfigure, prepare-org.
	primary.superuser(source)
	primary.must("dpkg", "--install", deb(t, firstVersion))
	primary.write(configFile, onPrimary)
	primary.must("chef-sync-ctl", "reconfigure")
	primary.must("chef-sync-ctl", "prepare-org", harness.Organization)
	rows.User(t, harness.SyncUser, primary.file(keyFile))
	primary.must("systemctl", "enable", "--now", "ec-syncd")
	harness.Until(t, "the feed server has its log", func() bool { return status(feed+"/_status") == http.StatusOK }, primary.journal)

	// 5 to 10, on the replica: install, copy the key, role :replica, reconfigure,
	// prepare-org, start.
	replica.superuser(copied)
	replica.must("dpkg", "--install", deb(t, firstVersion))
	replica.write(keyFile, primary.read(keyFile))
	replica.write(configFile, onReplica)
	replica.must("chef-sync-ctl", "reconfigure")
	replica.must("chef-sync-ctl", "prepare-org", harness.Organization)
	replica.must("systemctl", "enable", "--now", "ec-syncd")
	replica.answers()
	replica.must("chef-sync-ctl", "sync-start", harness.Organization)

	p := &pair{t: t, source: source, copied: copied, rows: rows, replica: replica}
	p.arrives("web", "1.0.0")
	testRuns(t, replica)
	if out := replica.must("chef-sync-ctl", "--output", "json", "sync-status"); !strings.Contains(out, `"updated_since"`) {
		t.Errorf("the feed server of the primary is not used:\n%s", out)
	}
	testUpgrade(t, p)
}

// status asks without a signature; 0 if nobody answers.
func status(url string) int {
	resp, err := http.Get(url) //nolint:noctx,gosec // of a test
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// masterConfig is the chef-sync.rb of a primary whose PostgreSQL is that of rows. Its
// password is in a file of its own, as the documentation has it.
func masterConfig(t *testing.T, h *host, rows *harness.Mirror, server string, port int) string {
	t.Helper()
	database, err := url.Parse(rows.DSN)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := database.User.Password()
	database.User = url.User(database.User.Username())
	h.must("mkdir", "--parents", "/var/opt/opscode/nginx/etc/addon.d", "/etc/chef-sync")
	h.write("/etc/chef-sync/database_password", password+"\n")
	return fmt.Sprintf("role :master\nmaster '%s'\nec_sync_server['database'] = '%s'\nec_sync_server['port'] = %d\n"+
		"ec_sync_server['database_password_file'] = '/etc/chef-sync/database_password'\n", server, database, port)
}

// superuser puts pivotal's key where a Chef server has it.
func (h *host) superuser(s *harness.ChefServer) {
	h.t.Helper()
	h.must("mkdir", "--parents", "/etc/opscode")
	h.write("/etc/opscode/pivotal.pem", string(s.PivotalKeyPEM()))
}

// answers waits until ec-syncd answers chef-sync-ctl.
func (h *host) answers() {
	h.t.Helper()
	harness.Until(h.t, "ec-syncd answers", func() bool {
		_, code := h.try("chef-sync-ctl", "sync-status")
		return code < 2
	}, h.journal)
}

// testRuns looks at the process of a service that runs.
func testRuns(t *testing.T, h *host) {
	t.Helper()
	status := h.must("grep", "--extended-regexp", "^(Uid|NoNewPrivs|CapEff|CapBnd|Seccomp):", "/proc/"+h.mainPID()+"/status")
	uid := strings.TrimSpace(h.must("id", "--user", "chef-sync"))
	for _, want := range []string{"Uid:\t" + uid + "\t" + uid, "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("the process has\n%s\nwant %q", status, want)
		}
	}
	if got := h.stat(keyFile); got != "-rw------- chef-sync:chef-sync '"+keyFile+"'\n" {
		t.Errorf("the key is %s", got)
	}
	for _, file := range []string{"/var/log/opscode/chef-sync/client/ec-syncd.log", "/var/opt/chef-sync/ec_sync_client/temporal"} {
		if got := h.stat(file); !strings.Contains(got, " chef-sync:chef-sync ") || strings.Contains(got[7:10], "r") {
			t.Errorf("%s is %s, want it the user's, and not for others", file, got)
		}
	}
}

// A pair is what is followed.
type pair struct {
	t              *testing.T
	source, copied *harness.ChefServer
	rows           *harness.Mirror
	replica        *host
}

// arrives uploads a cookbook to the primary and waits for it on the replica.
func (p *pair) arrives(name, version string) {
	p.t.Helper()
	harness.Write(p.t, p.source.Client).Cookbook(name, version, false, map[string]string{"recipes/default.rb": "log '" + version + "'"})
	if err := p.rows.Sync(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	start := time.Now()
	path := "/cookbooks/" + name + "/" + version
	want := harness.Dump(p.t, p.source.Client)[path]
	harness.Until(p.t, path+" arrives", func() bool { return want != "" && harness.Dump(p.t, p.copied.Client)[path] == want }, func() string {
		out, _ := p.replica.try("chef-sync-ctl", "sync-status")
		return out + p.replica.journal()
	})
	p.t.Logf("%s is there after %v", path, time.Since(start).Round(time.Millisecond))
}

// testUpgrade upgrades a replica that runs, and removes the package from it.
func testUpgrade(t *testing.T, p *pair) {
	h := p.replica
	before, config := h.mainPID(), h.read(configFile)
	h.must("dpkg", "--force-confdef", "--install", deb(t, secondVersion))
	if after := h.mainPID(); after == before || after == "0" {
		t.Errorf("the process was %s before the upgrade and is %s after it", before, after)
	}
	if h.read(configFile) != config {
		t.Error("the upgrade changed chef-sync.rb")
	}
	h.answers()
	p.arrives("web", "1.1.0")
	h.must("dpkg", "--remove", "chef-sync")
	if out, _ := h.try("pgrep", "ec-syncd"); out != "" {
		t.Errorf("after the removal there runs %s", out)
	}
	if !h.exists(keyFile) || !h.exists("/var/opt/chef-sync/ec_sync_client/temporal") {
		t.Error("the removal took the key or the state with it")
	}
}
