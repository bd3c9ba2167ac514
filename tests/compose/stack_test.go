package compose

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// stack is what docker-compose.yml starts, as processes on this host: the commands and
// variables are those of the file, and only paths, ports and host names are others.
type stack struct {
	t       *testing.T
	compose composeFile
	dir     string
	bin     string // the only directory in PATH beside the system's
	secrets string // /run/secrets

	database *harness.PG
	frontend int // the port of Temporal
}

// TestStack brings the whole of docker-compose.yml up with the programs that its images
// hold, from an empty cluster to what the dashboard asks of two replicas.
func TestStack(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a Temporal cluster on PostgreSQL, its Web UI, and Prometheus")
	}
	harness.Require(t, "postgresql", "prometheus")
	s := newStack(t)
	s.schema()
	s.schema() // after an update of the images it runs again
	s.temporal()
	s.webUI()

	primary := harness.Chef(t, chefserver.Options{Feed: true})
	harness.Write(t, primary.Client).Small()
	replicas := []*replica{s.replica("sync", primary), s.replica("sync-2", primary)}

	first := s.setup(replicas[0])
	for _, want := range []string{"the namespace default was registered, and keeps closed workflows for 30 days", "search attributes added"} {
		if !strings.Contains(first, want) {
			t.Errorf("setup does not say %q:\n%s", want, first)
		}
	}
	if longer := replicas[0].ctl("doctor", "--setup", "--retention", "2160h", "--only", "temporal"); !strings.Contains(longer, "closed workflows for 90 days now, before for 30 days") {
		t.Errorf("setup with another retention says:\n%s", longer)
	}
	if again := s.setup(replicas[0]); strings.Contains(again, "registered") || strings.Contains(again, "added") {
		t.Errorf("setup says, a second time:\n%s", again)
	}
	for _, r := range replicas {
		r.start()
	}
	replicas[0].start() // as --scale does
	for _, r := range replicas {
		r.follow()
	}
	s.found(replicas)
	s.dashboard(replicas)
}

func newStack(t *testing.T) *stack {
	s := &stack{t: t, compose: readCompose(t), dir: t.TempDir(), database: harness.Postgres(t), frontend: harness.FreePort(t)}
	s.bin, s.secrets = filepath.Join(s.dir, "bin"), filepath.Join(s.dir, "secrets")
	for _, dir := range []string{s.bin, s.secrets} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range map[string]string{
		"temporal-sql-tool": harness.BuildOfModule(t, "go.temporal.io/server/cmd/tools/sql"),
		"temporal-server":   harness.BuildOfModule(t, "go.temporal.io/server/cmd/server"),
		"ui-server":         harness.BuildOfModule(t, "github.com/temporalio/ui-server/v2/cmd/server"),
		"ec-syncd":          harness.BuildBinary(t, "./worker", "-tags", "noembed"),
		"chef-sync-ctl":     harness.BuildBinary(t, "./starter", "-tags", "noembed"),
	} {
		if err := os.Symlink(file, filepath.Join(s.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	const password = "0123456789abcdef"
	if err := os.WriteFile(filepath.Join(s.secrets, "database_password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.database.Exec(t, "postgres", "CREATE ROLE temporal SUPERUSER LOGIN PASSWORD '"+password+"'")
	t.Cleanup(func() {
		s.database.Exec(t, "postgres", "DROP DATABASE IF EXISTS temporal WITH (FORCE)",
			"DROP DATABASE IF EXISTS temporal_visibility WITH (FORCE)", "DROP ROLE temporal")
	})
	return s
}

// command is that of a service, with its variables and those given. Paths in the image
// are replaced by those here.
func (s *stack) command(service string, replace []string, env ...string) *exec.Cmd {
	s.t.Helper()
	c := s.compose.Services[service]
	args := slices.Concat(c.Entrypoint, c.Command)
	if len(args) == 0 {
		s.t.Fatalf("there is no service %s with a command", service)
	}
	paths := strings.NewReplacer(append(replace, "$$", "$", "/run/secrets/", s.secrets+"/", "/usr/local/bin/", s.bin+"/")...)
	for i := range args {
		args[i] = paths.Replace(args[i])
	}
	if !filepath.IsAbs(args[0]) {
		args[0] = filepath.Join(s.bin, args[0])
	}
	return s.with(exec.Command(args[0], args[1:]...), service, env)
}

// with gives a command the variables of a service, and more; of two of a name the
// last one counts.
func (s *stack) with(cmd *exec.Cmd, service string, env []string) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.bin + ":" + os.Getenv("PATH"), "HOME=" + s.dir}
	for name, value := range s.compose.Services[service].Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// done runs a command that ends, and returns what it printed.
func (s *stack) done(cmd *exec.Cmd) string {
	s.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

func (s *stack) schema() {
	s.t.Helper()
	source := harness.ModuleDir(s.t, "go.temporal.io/server")
	s.done(s.command("temporal-schema", []string{"/etc/temporal/schema", source + "/schema"},
		"SQL_HOST="+s.database.Host, "SQL_PORT="+strconv.Itoa(s.database.Port)))
}

// temporal starts that, with more variables.
func (s *stack) temporal(more ...string) {
	s.t.Helper()
	source := harness.ModuleDir(s.t, "go.temporal.io/server")
	env := []string{
		"BIND_ON_IP=127.0.0.1", "POSTGRES_SEEDS=" + s.database.Host, "DB_PORT=" + strconv.Itoa(s.database.Port),
		"DYNAMIC_CONFIG_FILE_PATH=" + s.dir + "/dynamic.yaml", "FRONTEND_GRPC_PORT=" + strconv.Itoa(s.frontend),
	}
	for _, name := range []string{
		"FRONTEND_HTTP", "FRONTEND_MEMBERSHIP", "INTERNAL_FRONTEND_GRPC", "INTERNAL_FRONTEND_HTTP", "INTERNAL_FRONTEND_MEMBERSHIP",
		"MATCHING_GRPC", "MATCHING_MEMBERSHIP", "HISTORY_GRPC", "HISTORY_MEMBERSHIP", "WORKER_GRPC", "WORKER_MEMBERSHIP",
	} {
		env = append(env, name+"_PORT="+strconv.Itoa(harness.FreePort(s.t)))
	}
	// The image's shell knows pipefail, as bash does and Debian's sh does not.
	p := harness.StartProgram(s.t, s.command("temporal", []string{
		"/etc/temporal/entrypoint.sh", "bash " + source + "/docker/scripts/sh/entrypoint.sh", "/tmp/dynamic.yaml", s.dir + "/dynamic.yaml",
	}, append(env, more...)...))
	s.answers("Temporal", p, fmt.Sprintf("127.0.0.1:%d", s.frontend), "")
}

// webUI starts that, from the files that its image has.
func (s *stack) webUI() {
	s.t.Helper()
	home := filepath.Join(s.dir, "ui")
	source := harness.ModuleDir(s.t, "github.com/temporalio/ui-server/v2")
	if err := os.MkdirAll(filepath.Join(home, "config"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "config", "docker.yaml"), []byte(readFile(s.t, source+"/config/docker.yaml")), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.bin, "ui-server"), filepath.Join(home, "ui-server")); err != nil {
		s.t.Fatal(err)
	}
	service := s.compose.Services["temporal-ui"]
	if len(service.Entrypoint)+len(service.Command) > 0 {
		s.t.Fatal("temporal-ui has a command of its own, which this test does not run")
	}
	port := harness.FreePort(s.t)
	cmd := s.with(exec.Command("bash", source+"/docker/start-ui-server.sh"), "temporal-ui", []string{
		fmt.Sprintf("TEMPORAL_ADDRESS=127.0.0.1:%d", s.frontend), fmt.Sprintf("TEMPORAL_UI_PORT=%d", port),
	})
	cmd.Dir = home
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s.answers("the Web UI", harness.StartProgram(s.t, cmd), address, s.health("temporal-ui"))
	if code, body := get(s.t, "http://"+address+"/api/v1/settings"); code != http.StatusOK || !strings.Contains(body, `"DefaultNamespace":"default"`) {
		s.t.Errorf("settings of the Web UI: %d %s", code, body)
	}
}

// health is the path that the health check of a service asks for.
func (s *stack) health(service string) string {
	s.t.Helper()
	check := s.compose.Services[service].Healthcheck.Test
	if len(check) == 0 {
		s.t.Fatalf("%s has no health check", service)
	}
	u, err := url.Parse(check[len(check)-1])
	if err != nil || u.Path == "" {
		s.t.Fatalf("the health check of %s asks for no URL: %v", service, check)
	}
	return u.Path
}

// answers waits until a program listens, or answers 200 to GET path.
func (s *stack) answers(what string, p *harness.Program, address, path string) {
	s.t.Helper()
	harness.Until(s.t, what+" answers", func() bool {
		if p.Exited() {
			s.t.Fatalf("%s ended:\n%s", what, p.Log())
		}
		if path == "" {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		}
		code, _ := get(s.t, "http://"+address+path)
		return code == http.StatusOK
	}, p.Log)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// replica is a replica Chef server with the chef-sync.rb that its workers read.
type replica struct {
	*stack
	name            string
	primary, server *harness.ChefServer
	settings        string // for its chef-sync.rb
	workers         []int  // the ports of their metrics
	config          string
}

func (s *stack) replica(name string, primary *harness.ChefServer) *replica {
	return &replica{stack: s, name: name, primary: primary, server: harness.Chef(s.t, chefserver.Options{})}
}

// write writes deploy/compose/chef-sync.rb for the servers of this test, and for one
// worker, and returns the file.
func (r *replica) write() string {
	r.t.Helper()
	dir := r.t.TempDir()
	port := harness.FreePort(r.t)
	text := readFile(r.t, "../../deploy/compose/chef-sync.rb")
	for _, c := range [][2]string{
		{`(?m)^name 'sync'.*$`, "name '" + r.name + "'"},
		{`https://chef-1\.example\.com`, r.primary.URL}, {`https://chef-2\.example\.com`, r.server.URL},
		{`0\.0\.0\.0:9464`, fmt.Sprintf("127.0.0.1:%d", port)},
	} {
		changed := regexp.MustCompile(c[0]).ReplaceAllLiteralString(text, c[1])
		if changed == text {
			r.t.Fatalf("deploy/compose/chef-sync.rb: nothing is like %s", c[0])
		}
		text = changed
	}
	text += fmt.Sprintf("ec_sync_client['dir'] = '%s'\nec_sync_client['sync_key'] = '%s'\npoll_interval 1\n%s", dir, r.server.KeyFile, r.settings)
	file := filepath.Join(dir, "chef-sync.rb")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.workers = append(r.workers, port)
	r.config = file
	return file
}

func (r *replica) env() []string {
	return []string{fmt.Sprintf("TEMPORAL_ADDRESS=127.0.0.1:%d", r.frontend), "CHEF_SYNC_CONFIG=" + r.config}
}

// setup runs that service once, and returns what it says.
func (s *stack) setup(r *replica) string {
	s.t.Helper()
	if r.config == "" {
		r.write()
		r.workers = nil
	}
	return s.done(s.command("setup", nil, r.env()...))
}

// start starts a worker, and waits until it is healthy as the image sees it.
func (r *replica) start() *harness.Program {
	r.t.Helper()
	r.write()
	image := readFile(r.t, "../../Dockerfile")
	entrypoint := jsonAfter(r.t, image, "ENTRYPOINT ")
	if service := r.compose.Services["worker"]; len(service.Entrypoint)+len(service.Command) > 0 {
		r.t.Fatal("worker has a command of its own, which this test does not run")
	}
	run := func(args []string) *exec.Cmd {
		return r.with(exec.Command(strings.Replace(args[0], "/usr/local/bin", r.bin, 1), args[1:]...), "worker", r.env())
	}
	p := harness.StartProgram(r.t, run(entrypoint))
	check := jsonAfter(r.t, image, " CMD ")
	harness.Until(r.t, "a worker of "+r.name+" is healthy", func() bool {
		return run(check).Run() == nil
	}, p.Log)
	return p
}

// jsonAfter returns the array of strings behind words in a Dockerfile.
func jsonAfter(t *testing.T, text, words string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(text, words+"[")
	line, _, _ := strings.Cut("["+rest, "\n")
	var out []string
	if err := json.Unmarshal([]byte(line), &out); !ok || err != nil {
		t.Fatalf("Dockerfile: no array behind %q: %v", words, err)
	}
	return out
}

func (r *replica) ctl(args ...string) string {
	r.t.Helper()
	return r.done(r.program("chef-sync-ctl", args...))
}

// program is one of our programs, with the variables of the replica's workers.
func (r *replica) program(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(r.bin, name), args...)
	cmd.Env = append(os.Environ(), r.env()...)
	return cmd
}

// follow starts the pair, and waits until both servers are equal.
func (r *replica) follow() {
	r.t.Helper()
	r.ctl("sync-start", harness.Organization)
	var diff []string
	harness.Until(r.t, r.name+" is equal to the primary", func() bool {
		diff = harness.Diff(r.t, r.primary, r.server)
		return len(diff) == 0
	}, func() string { return fmt.Sprint(diff) + r.ctl("sync-status") })
}

// found looks for the pairs by search attribute.
func (s *stack) found(replicas []*replica) {
	s.t.Helper()
	c, err := client.DialContext(s.t.Context(), client.Options{
		HostPort: fmt.Sprintf("127.0.0.1:%d", s.frontend), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	for _, r := range replicas {
		in := &workflowservice.CountWorkflowExecutionsRequest{
			Query: "ChefSyncReplica = '" + r.name + "' AND ChefSyncOrganization = '" + harness.Organization + "' AND ChefSyncMode = 'following'",
		}
		var got *workflowservice.CountWorkflowExecutionsResponse
		harness.Until(s.t, in.Query, func() bool {
			got, err = c.CountWorkflow(s.t.Context(), in)
			return err == nil && got.GetCount() == 1
		}, func() string { return fmt.Sprint(got, err) })
	}
}
