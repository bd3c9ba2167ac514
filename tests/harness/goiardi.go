package harness

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const goiardiSchema = "/usr/share/goiardi/sql-files/sql-files/goiardi-schema-postgres.sql"

// A GoiardiServer is one running goiardi: a Chef server without organizations,
// whose API is at the root of its URL. It demands signed requests.
type GoiardiServer struct {
	URL     string // http://127.0.0.1:PORT
	Port    int
	User    string // admin, who may do everything
	KeyFile string // its private key, readable by its owner only

	// Dir holds its key, its index, its uploaded files and its log.
	Dir string

	args    []string
	process *process
	frozen  bool
}

// A GoiardiOption changes how a goiardi runs.
type GoiardiOption func(*goiardiOptions)

type goiardiOptions struct {
	inMemory bool
	flags    []string
}

// InMemory runs goiardi without a database. It then loses writes that come side
// by side, after it acknowledged them, and everything at a restart: the peer
// that only a verification catches.
func InMemory() GoiardiOption { return func(o *goiardiOptions) { o.inMemory = true } }

// Flags adds command line flags; of one that is given twice the last counts.
func Flags(flags ...string) GoiardiOption {
	return func(o *goiardiOptions) { o.flags = append(o.flags, flags...) }
}

// Goiardi starts a goiardi with a database of its own in the run's cluster, and
// stops it at the end of the test. If the test fails, the end of its log is
// shown.
func Goiardi(t testing.TB, options ...GoiardiOption) *GoiardiServer {
	t.Helper()
	var o goiardiOptions
	for _, option := range options {
		option(&o)
	}
	Require(t, "goiardi")
	g := &GoiardiServer{User: "admin"}
	var err error
	if g.Dir, err = os.MkdirTemp(runDir(t), "goiardi-"); err != nil {
		t.Fatalf("harness: %v", err)
	}
	g.KeyFile = filepath.Join(g.Dir, "admin.pem")
	g.args = g.flags(t, o)
	t.Cleanup(func() { g.cleanup(t) })
	for range 5 {
		g.Port = FreePort(t)
		if err = g.start(t); err == nil {
			return g
		}
	}
	t.Fatalf("harness: %v", err)
	return nil
}

// flags returns the command line without the port.
func (g *GoiardiServer) flags(t testing.TB, o goiardiOptions) []string {
	t.Helper()
	files := filepath.Join(g.Dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatalf("harness: %v", err)
	}
	out := []string{
		"-A", "-I", "127.0.0.1", "-H", "127.0.0.1", "--conf-root=" + g.Dir, "--local-filestore-dir=" + files, "--log-events",
	}
	if !o.inMemory {
		pg := Postgres(t)
		out = append(out, "--use-postgresql", "--postgresql-username="+pg.User, "--postgresql-password="+pg.Password,
			"--postgresql-host="+pg.Host, "--postgresql-port="+strconv.Itoa(pg.Port), "--postgresql-ssl-mode=disable",
			"--postgresql-dbname="+pg.Database(t, goiardiSchema), "--db-pool-size=10", "--max-connections=20",
			"-i", filepath.Join(g.Dir, "index.bin"))
	}
	return append(out, o.flags...)
}

// start runs the process on g.Port and waits until it answers.
func (g *GoiardiServer) start(t testing.TB) error {
	cmd := exec.Command("goiardi", append([]string{"-P", strconv.Itoa(g.Port)}, g.args...)...)
	cmd.Dir = g.Dir
	cmd.Env = withoutPrefix(os.Environ(), "GOIARDI_")
	p, err := spawn(runDir(t), cmd, g.logFile())
	if err != nil {
		return fmt.Errorf("start goiardi: %w", err)
	}
	g.process, g.frozen = p, false
	g.URL = "http://" + loopback(g.Port)
	ready := func() bool { return p.exited() || p.owns(g.Port) && g.answers() }
	if !eventually(patience, ready) || p.exited() {
		p.end(syscall.SIGKILL)
		return fmt.Errorf("goiardi does not answer on port %d:\n%s", g.Port, tail(g.logFile()))
	}
	// goiardi writes its keys for everybody to read, which clients refuse.
	return os.Chmod(g.KeyFile, 0o600)
}

// answers reports whether the server refuses an unsigned request and has written
// the administrator's key.
func (g *GoiardiServer) answers() bool {
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	resp, err := client.Get(g.URL + "/roles")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode < 500 && isFile(g.KeyFile)
}

func (g *GoiardiServer) logFile() string { return filepath.Join(g.Dir, "goiardi.log") }

// Kill ends the server as a power cut does, with SIGKILL, and returns when it is
// gone.
func (g *GoiardiServer) Kill() { g.process.end(syscall.SIGKILL) }

// Stop ends the server in good order.
func (g *GoiardiServer) Stop() {
	g.Thaw()
	g.process.end(syscall.SIGTERM)
}

// Freeze stops the server from running without closing its connections: it
// accepts requests and does not answer, until [GoiardiServer.Thaw].
func (g *GoiardiServer) Freeze() {
	g.process.signal(syscall.SIGSTOP)
	g.frozen = true
}

// Thaw lets a frozen server go on.
func (g *GoiardiServer) Thaw() {
	if g.frozen {
		g.process.signal(syscall.SIGCONT)
		g.frozen = false
	}
}

// Restart starts the server again, on the same port and the same data, after
// ending it if it still runs.
func (g *GoiardiServer) Restart(t testing.TB) {
	t.Helper()
	g.Stop()
	var err error
	for range 3 {
		if err = g.start(t); err == nil {
			return
		}
	}
	t.Fatalf("harness: restart: %v", err)
}

func (g *GoiardiServer) cleanup(t testing.TB) {
	if g.process != nil {
		g.Stop()
	}
	if t.Failed() {
		t.Logf("the end of goiardi's log (%s):\n%s", g.URL, tail(g.logFile()))
	}
	if err := os.RemoveAll(g.Dir); err != nil {
		t.Logf("harness: %v", err)
	}
}
