package harness

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// Feedd is an ec-syncd process with role :master, the feed server, over the
// database of a [Mirror].
type Feedd struct {
	URL    string
	Config string // its chef-sync.rb
	Dir    string

	// Settings are the lines of Config without the role.
	Settings string

	process *process
}

// NewFeedd writes a chef-sync.rb with role :master and further settings, installs
// the change log with chef-sync-ctl reconfigure, and starts ec-syncd.
func NewFeedd(t testing.TB, m *Mirror, settings string) *Feedd {
	t.Helper()
	dir, err := os.MkdirTemp(runDir(t), "feedd-")
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	port := FreePort(t)
	d := &Feedd{URL: "http://" + loopback(port), Dir: dir, Config: filepath.Join(dir, "chef-sync.rb")}
	d.Settings = fmt.Sprintf(`ec_sync_server['database']      = '%s'
ec_sync_server['port']          = %d
ec_sync_server['allow']         = ['%s']
ec_sync_server['dir']           = '%s'
ec_sync_server['log_directory'] = '%s'
ec_sync_server['nginx_addon_dir'] = ''
%s
`, m.DSN, port, m.user, filepath.Join(dir, "data"), filepath.Join(dir, "log"), settings)
	if err := os.WriteFile(d.Config, []byte("role :master\n"+d.Settings), 0o600); err != nil {
		t.Fatalf("harness: %v", err)
	}
	if out, err := exec.Command(BuildBinary(t, "./starter"), "--config", d.Config, "reconfigure").CombinedOutput(); err != nil {
		t.Fatalf("harness: reconfigure: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		d.Stop()
		if t.Failed() {
			t.Logf("the end of the feed server's log:\n%s", tail(d.logFile()))
		}
		_ = os.RemoveAll(dir)
	})
	d.Start(t)
	return d
}

// Start starts the process and waits until it says that its log is there.
func (d *Feedd) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(BuildBinary(t, "./worker"), "--config", d.Config, "--log-level", "debug")
	cmd.Dir = d.Dir
	p, err := spawn(runDir(t), cmd, d.logFile())
	if err != nil {
		t.Fatalf("harness: start the feed server: %v", err)
	}
	d.process = p
	if !eventually(patience, func() bool { return p.exited() || d.Answers() }) || p.exited() {
		t.Fatalf("harness: the feed server does not answer:\n%s", tail(d.logFile()))
	}
}

// Answers reports whether the feed server can read its log.
func (d *Feedd) Answers() bool {
	status, _ := d.Get("/_status")
	return status == http.StatusOK
}

// Get asks without a signature. The status is 0 if nobody answers.
func (d *Feedd) Get(path string) (status int, body string) {
	resp, err := http.Get(d.URL + path) //nolint:noctx // of a test
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// Kill ends the process with SIGKILL.
func (d *Feedd) Kill() { d.process.end(syscall.SIGKILL) }

// Stop ends the process in good order.
func (d *Feedd) Stop() {
	if d.process != nil {
		d.process.end(syscall.SIGTERM)
	}
}

func (d *Feedd) logFile() string { return filepath.Join(d.Dir, "ec-syncd.out") }

// Log returns what the process has logged.
func (d *Feedd) Log(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(d.logFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// feedPath is what nginx passes to the feed server.
var feedPath = regexp.MustCompile(`^/organizations/([^/]+)/(updated_since|objects_since)/?$`)

// AsNginx stands before a Chef server and passes requests for changes to a feed
// server, as the nginx of a primary does.
func AsNginx(feedURL string) func(http.Handler) http.Handler {
	u, err := url.Parse(feedURL)
	if err != nil {
		panic(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(u); r.SetXForwarded() },
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return func(server http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if feedPath.MatchString(r.URL.Path) {
				proxy.ServeHTTP(w, r)
				return
			}
			server.ServeHTTP(w, r)
		})
	}
}
