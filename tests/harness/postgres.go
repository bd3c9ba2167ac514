package harness

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A PG is the run's own PostgreSQL cluster: on 127.0.0.1 and on a unix socket,
// without durability, for nobody else.
type PG struct {
	Host     string // 127.0.0.1
	Port     int
	User     string // a superuser
	Password string // wanted on TCP only

	// SocketDir is the directory of the unix socket.
	SocketDir string

	bin     string
	as      *syscall.Credential // who it runs as; nil: we
	process *process
	schemas map[string]bool // template databases, by name
}

// Postgres returns the run's cluster and starts it for the first caller. It
// stays until the end of the run.
func Postgres(t testing.TB) *PG {
	t.Helper()
	Require(t, "postgresql")
	dir := runDir(t)
	port := FreePort(t)
	run.Lock()
	defer run.Unlock()
	if run.pg != nil {
		return run.pg
	}
	pg, err := newCluster(dir)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	for range 5 {
		if err = pg.start(dir, port); err == nil {
			run.pg = pg
			return pg
		}
		port++ // the port may have been taken in the meantime
	}
	t.Fatalf("harness: %v", err)
	return nil
}

// postgresBin returns the directory of PostgreSQL's server programs, the newest
// version that Debian's packages installed before those in PATH; "" if there is
// none.
func postgresBin() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	if p, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(p))
	}
	for _, dir := range dirs {
		if isFile(filepath.Join(dir, "initdb")) && isFile(filepath.Join(dir, "postgres")) && isFile(filepath.Join(dir, "psql")) {
			return dir
		}
	}
	return ""
}

// version reads the number in /usr/lib/postgresql/15/bin.
func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// newCluster makes the files of a cluster.
func newCluster(dir string) (*PG, error) {
	home := filepath.Join(dir, "pg")
	pg := &PG{
		Host: "127.0.0.1", User: "postgres", Password: "not-a-secret", SocketDir: home,
		bin: postgresBin(), schemas: map[string]bool{},
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	passwords := filepath.Join(home, "password")
	if err := os.WriteFile(passwords, []byte(pg.Password), 0o600); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		var err error
		if pg.as, err = unprivileged(); err != nil {
			return nil, err
		}
		for _, name := range []string{home, passwords} {
			if err := os.Chown(name, int(pg.as.Uid), int(pg.as.Gid)); err != nil {
				return nil, err
			}
		}
	}
	cmd := pg.command(home, "initdb", "-D", filepath.Join(home, "data"), "-U", pg.User, "-E", "UTF8", "--locale=C",
		"--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+passwords)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return pg, nil
}

// unprivileged returns a user for a program that refuses to be root.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// command makes a command of PostgreSQL that runs as its user, with nothing of
// the caller's PG* variables.
func (pg *PG) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(pg.bin, program), args...)
	cmd.Dir = dir
	cmd.Env = append(withoutPrefix(os.Environ(), "PG"), "LC_ALL=C", "TZ=UTC", "HOME="+dir)
	if pg.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.as}
	}
	return cmd
}

func withoutPrefix(env []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, prefix) })
}

// start runs the server on a port and waits until it answers.
func (pg *PG) start(dir string, port int) error {
	home, log := pg.SocketDir, filepath.Join(dir, "postgres.log")
	args := []string{"-D", filepath.Join(home, "data"), "-p", strconv.Itoa(port)}
	for _, setting := range []string{
		"listen_addresses=" + pg.Host, "unix_socket_directories=" + home, "max_connections=200", "shared_buffers=32MB",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "log_min_messages=warning",
	} {
		args = append(args, "-c", setting)
	}
	p, err := spawn(dir, pg.command(home, "postgres", args...), log)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	pg.Port, pg.process = port, p
	ready := func() bool { return p.exited() || pg.query("postgres", "SELECT 1") == nil }
	if eventually(patience, ready) && !p.exited() {
		return nil
	}
	p.end(syscall.SIGQUIT)
	return fmt.Errorf("PostgreSQL does not answer on port %d:\n%s", port, tail(log))
}

// query runs SQL through psql.
func (pg *PG) query(database string, sql ...string) error {
	args := append(pg.connection(), "-d", database, "-X", "-q", "-v", "ON_ERROR_STOP=1")
	for _, s := range sql {
		args = append(args, "-c", s)
	}
	return pg.psql(args...)
}

func (pg *PG) psql(args ...string) error {
	if out, err := pg.command(pg.SocketDir, "psql", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}

// connection are the arguments with which PostgreSQL's programs find the cluster.
func (pg *PG) connection() []string {
	return []string{"-h", pg.SocketDir, "-p", strconv.Itoa(pg.Port), "-U", pg.User}
}

// dump writes a database into a file that PostgreSQL's user can write.
func (pg *PG) dump(database, file string) error {
	args := append(pg.connection(), "-f", file, database)
	if out, err := pg.command(pg.SocketDir, "pg_dump", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("pg_dump: %w: %s", err, out)
	}
	return nil
}

// load makes a database anew from what dump wrote.
func (pg *PG) load(database, file string) error {
	if err := pg.query("postgres", "DROP DATABASE "+database+" WITH (FORCE)", "CREATE DATABASE "+database); err != nil {
		return err
	}
	return pg.psql(append(pg.connection(), "-d", database, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, "-f", file)...)
}

// Exec runs SQL statements in a database.
func (pg *PG) Exec(t testing.TB, database string, sql ...string) {
	t.Helper()
	if err := pg.query(database, sql...); err != nil {
		t.Fatalf("harness: %v", err)
	}
}

// URL returns the connection string of a database.
func (pg *PG) URL(database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", pg.User, pg.Password, pg.Host, pg.Port, database)
}

// Database makes a database that is dropped at the end of the test and returns
// its name. A file of SQL to load is optional; each file is read once per run.
func (pg *PG) Database(t testing.TB, schemaFile string) string {
	t.Helper()
	template := "template1"
	if schemaFile != "" {
		template = pg.template(t, schemaFile)
	}
	name := fmt.Sprintf("test_%d", FreePort(t)) // a number that no other caller gets
	pg.Exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() {
		if err := pg.query("postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Logf("harness: %v", err)
		}
	})
	return name
}

// template makes a database of a schema file, to copy from.
func (pg *PG) template(t testing.TB, file string) string {
	t.Helper()
	name := "schema_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(strings.TrimSuffix(filepath.Base(file), ".sql")))
	run.Lock()
	defer run.Unlock()
	if pg.schemas[name] {
		return name
	}
	err := pg.query("postgres", "DROP DATABASE IF EXISTS "+name, "CREATE DATABASE "+name)
	if err == nil {
		err = pg.psql(append(pg.connection(), "-d", name, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, "-f", file)...)
	}
	if err != nil {
		t.Fatalf("harness: load %s: %v", file, err)
	}
	pg.schemas[name] = true
	return name
}

// Restart stops the cluster, as an operator would, ends all connections, and
// starts it on the same port. Other tests must not use it meanwhile.
func (pg *PG) Restart(t testing.TB) {
	t.Helper()
	pg.process.end(syscall.SIGINT) // fast shutdown
	if err := pg.start(runDir(t), pg.Port); err != nil {
		t.Fatalf("harness: %v", err)
	}
}
