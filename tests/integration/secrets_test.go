package integration

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// What must not be seen anywhere but on the servers and, for moments, in staging.
const (
	secretValue  = "S3CRETVALUE7f3aDoNotShow"
	secretHeader = "S3CRETHEADER91bcDoNotShow"
	secretKey    = "S3CRETKEYMATERIAL55e0DoNotShow"
)

// telltale is a server that repeats in its refusals all that it was sent, and all
// that it would have answered. It remembers the signatures that it has seen.
type telltale struct {
	next http.Handler

	mu     sync.Mutex
	refuse func(n int, r *http.Request) int // the status of the nth request; 0 serves it
	n      int
	told   int             // how many it refused
	seen   map[string]bool // signatures
}

func (s *telltale) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	s.mu.Lock()
	s.n++
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Ops-Authorization-") {
			s.seen[values[0]] = true
		}
	}
	if v := r.URL.Query().Get("X-Amz-Signature"); v != "" {
		s.seen[v] = true
	}
	status := 0
	if s.refuse != nil {
		status = s.refuse(s.n, r)
	}
	if status != 0 {
		s.told++
	}
	s.mu.Unlock()
	if status == 0 {
		s.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	if r.Method == http.MethodGet {
		s.next.ServeHTTP(answer, r)
	}
	text := fmt.Sprintf("refused %s %s\n%v\n%s\n%s", r.Method, r.URL, r.Header, body, answer.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string][]string{"error": {text}})
}

func (s *telltale) set(refuse func(n int, r *http.Request) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// secrets are the planted ones, the signatures seen, and the lines of a key file.
func (s *telltale) secrets(t *testing.T, keyFile string) []string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Sorted(maps.Keys(s.seen))
	if len(out) < 20 || s.told < 5 {
		t.Fatalf("the server saw %d signatures and refused %d requests; want some", len(out), s.told)
	}
	pem, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pem)) {
		if line = strings.TrimSpace(line); len(line) > 40 && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return append(out, "PRIVATE KEY")
}

// planted are the secrets in the forms that text may have them in. The base64 forms
// lack the ends, which depend on what stands beside them.
func planted() []string {
	var out []string
	for _, s := range []string{secretValue, secretHeader, secretKey} {
		out = append(out, s, url.QueryEscape(s), hex.EncodeToString([]byte(s)))
		for shift := range 3 {
			b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + s))
			out = append(out, b[4:len(b)-4])
		}
	}
	return out
}

// Nothing that is secret is in any log, history, search attribute, heartbeat, metric
// or answer of chef-sync-ctl, whatever the servers repeat of it in their errors.
func TestNoSecretsAnywhere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	d.write = harness.Write(t, d.primary.Client)
	fillWithSecrets(d.write)
	primary, sideOfPrimary := d.telltale(d.primary)
	replica, sideOfReplica := d.telltale(d.replica)
	primary.set(func(n int, _ *http.Request) int { return sometimes(n, 9, 500) })
	replica.set(func(n int, r *http.Request) int {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/data/refused") {
			return http.StatusBadRequest
		}
		return sometimes(n, 11, 503)
	})
	metrics := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	d.syncd = harness.NewSyncd(t, sideOfPrimary, sideOfReplica, fmt.Sprintf(`poll_interval 1
log_level 'debug'
metrics_address '%s'
master_headers({ 'X-Proxy-Token' => '%s' })
replica_headers({ 'Authorization' => 'Basic %s' })
`, metrics, secretHeader, secretHeader))
	d.start()
	d.is("unsynced", 1)

	// Both servers refuse everything for a while, and the pair says why it waits.
	for _, s := range []*telltale{primary, replica} {
		s.set(func(int, *http.Request) int { return http.StatusUnauthorized })
		d.syncd.MustCtl(t, "sync-now", harness.Organization)
		d.is("state", "waiting")
		s.set(nil)
		d.syncd.MustCtl(t, "sync-now", harness.Organization)
		d.is("state", "following")
	}
	d.syncd.Ctl(t, "verify", harness.Organization)

	places := d.allThatIsSaid(metrics)
	secrets := slices.Concat(planted(), primary.secrets(t, d.primary.KeyFile), replica.secrets(t, d.replica.KeyFile))
	for _, where := range slices.Sorted(maps.Keys(places)) {
		text := places[where]
		if len(text) < 20 {
			t.Errorf("%s says nothing: %q", where, text)
		}
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s shows the secret %.30s…: …%s…", where, s, text[max(0, i-200):min(len(text), i+100)])
				break
			}
		}
	}
	d.toldOnce(places["log/sync-acme.log"])
}

func sometimes(n, every, status int) int {
	if n%every == 0 {
		return status
	}
	return 0
}

// telltale serves s once more, behind one that repeats what it hears.
func (d *duo) telltale(s *harness.ChefServer) (*telltale, harness.Side) {
	d.t.Helper()
	h := &telltale{next: s.Server, seen: map[string]bool{}}
	server := httptest.NewServer(h)
	d.t.Cleanup(server.Close)
	side := s.Side()
	side.URL = server.URL
	return h, side
}

// fillWithSecrets fills an organization with objects that hold secrets.
func fillWithSecrets(w *harness.Content) {
	w.Small()
	w.Item("passwords", "root", secretValue)
	w.Item("passwords", "deploy", "-----BEGIN RSA "+"PRIVATE KEY-----\n"+secretKey+"\n-----END RSA "+"PRIVATE KEY-----")
	w.Item("refused", "root", secretValue)
	w.Role("vault", secretValue)
	w.Environment("stage", secretValue)
	w.Cookbook("vault", "1.0.0", false, map[string]string{"recipes/default.rb": "password " + secretValue, "files/key.pem": secretKey})
}

// toldOnce checks that the organization's log tells of each trouble and of its end.
func (d *duo) toldOnce(log string) {
	d.t.Helper()
	for _, words := range []string{`"msg":"pair waits"`, `"msg":"pair goes on"`} {
		if n := strings.Count(log, words); n < 2 || n > 4 {
			d.t.Errorf("the log of the organization has %s %d times; want once for each trouble:\n%s", words, n, log)
		}
	}
}

// allThatIsSaid is everything that a person or a machine may read of ec-syncd, by
// where it stands.
func (d *duo) allThatIsSaid(metrics string) map[string]string {
	d.t.Helper()
	out := map[string]string{"standard error": d.syncd.Log(d.t)}
	logs, err := filepath.Glob(filepath.Join(d.syncd.Dir, "log", "*"))
	if err != nil || len(logs) < 2 {
		d.t.Fatalf("logs: %q, %v; want one of ec-syncd and one of the organization", logs, err)
	}
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			d.t.Fatal(err)
		}
		out["log/"+filepath.Base(name)] = string(data)
	}
	for _, args := range [][]string{
		{"sync-status"}, {"--output", "json", "sync-status"}, {"unsynced-objects", "acme"}, {"--output", "json", "unsynced-objects", "acme"},
		{"sync-log", "acme", "-n", "10000", "--level", "debug"}, {"sync-log", "acme", "--history", "-n", "10000"},
		{"manager-log", "-n", "10000", "--level", "debug"},
	} {
		stdout, stderr, _ := d.syncd.Ctl(d.t, args...)
		out["chef-sync-ctl "+strings.Join(args, " ")] = stdout + stderr
	}
	resp, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatalf("metrics: %s, %v", resp.Status, err)
	}
	out["metrics"] = string(text)
	d.temporalSays(out)
	return out
}

// temporalSays adds, of each workflow, its history and its description: memo, search
// attributes, and pending activities with heartbeats and failures.
func (d *duo) temporalSays(out map[string]string) {
	d.t.Helper()
	c := d.syncd.Temporal(d.t)
	var list *workflowservice.ListWorkflowExecutionsResponse
	var err error
	harness.Until(d.t, "the workflow of the pair and that of the verification", func() bool { // what began is listed a moment later
		list, err = c.ListWorkflow(d.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default"})
		return err == nil && len(list.GetExecutions()) > 1
	}, func() string { return fmt.Sprint(list, err) })
	for _, e := range list.GetExecutions() {
		id, run := e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId()
		var b strings.Builder
		it := c.GetWorkflowHistory(d.t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			event, err := it.Next()
			if err != nil {
				d.t.Fatal(err)
			}
			b.WriteString(decoded(event))
		}
		out["history of "+id+" "+run] = b.String()
		got, err := c.DescribeWorkflowExecution(d.t.Context(), id, run)
		if err != nil {
			d.t.Fatal(err)
		}
		out["description of "+id+" "+run] = decoded(got)
	}
}

// decoded is a message as text, and after it the bytes of each payload in it as they
// are.
func decoded(m proto.Message) string {
	var b strings.Builder
	fmt.Fprintln(&b, m)
	err := protorange.Range(m.ProtoReflect(), func(p protopath.Values) error {
		if data, ok := p.Index(-1).Value.Interface().([]byte); ok {
			fmt.Fprintf(&b, "%s\n", data)
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return b.String()
}
