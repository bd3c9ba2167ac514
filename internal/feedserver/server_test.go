package feedserver_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

const feedPath = "/organizations/acme/updated_since"

// TestPage: the body is the documented array, all else is in headers.
func TestPage(t *testing.T) {
	r := newRig(t)
	r.log.add("create", "/roles/web")
	r.log.add("delete", "/data/users/<alice>")
	for _, target := range []string{feedPath + "?seq=0", "//organizations/acme//objects_since/?seq=0&other=1"} {
		for _, version := range []string{"", "18.0.0"} { // behind nginx, and asked directly
			got := r.get(target, func(q *http.Request) { q.Header.Set("X-Chef-Version", version) })
			want := `[{"action":"create","id":1,"path":"/roles/web"},{"action":"delete","id":2,"path":"/data/users/<alice>"}]`
			if got.status != 200 || got.body != want {
				t.Errorf("%s: %d %s; want %s", target, got.status, got.body, want)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json", "X-Chef-Sync-Org-Guid": "guid", "X-Chef-Sync-Epoch": "epoch", "X-Chef-Sync-Head": "2", "X-Chef-Sync-Floor": "0",
			} {
				if got.header.Get(name) != want {
					t.Errorf("%s: header %s = %q; want %q", target, name, got.header.Get(name), want)
				}
			}
		}
	}
	if got := r.get(feedPath+"?seq=1&limit=5", nil); !strings.HasPrefix(got.body, `[{"action":"delete"`) {
		t.Errorf("after 1: %s", got.body)
	}
	if got := r.get(feedPath+"?seq=0&limit=1", nil); strings.Contains(got.body, "alice") {
		t.Errorf("limit 1: %s", got.body)
	}
	if got := r.get(feedPath+"?seq=2", nil); got.status != 200 || got.body != "[]" {
		t.Errorf("nothing new: %d %s", got.status, got.body)
	}
}

// TestRefusals: what is refused, with which status, and in which words.
func TestRefusals(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(q *http.Request) { q.Header.Set(name, value) }
	}
	for _, c := range []struct {
		name, target string
		change       func(*http.Request)
		auth         trust
		log          error
		status       int
		says         string
	}{
		{"another path", "/organizations/acme/roles", nil, trust{}, nil, 404, "only /organizations/ORG/updated_since"},
		{"below the path", feedPath + "/x?seq=0", nil, trust{}, nil, 404, "only"},
		{"no organization", "/organizations//updated_since?seq=0", nil, trust{}, nil, 404, "only"},
		{"bad escape", "/organizations/%61cme%2f..%2f/updated_since?seq=0", nil, trust{}, nil, 404, "does not exist"},
		{"post", feedPath, func(q *http.Request) { q.Method = "POST" }, trust{}, nil, 405, "only GET"},
		{"unsigned", feedPath + "?seq=0", func(q *http.Request) { q.Header = http.Header{} }, trust{}, nil, 400, "missing required authentication header(s) 'X-Ops-UserId'"},
		{"old protocol", feedPath + "?seq=0", header("X-Ops-Sign", "version=0.9"), trust{}, nil, 400, "Unsupported authentication protocol version"},
		{"strange time", feedPath + "?seq=0", header("X-Ops-Timestamp", "noon"), trust{}, nil, 401, "bad header(s) 'X-Ops-Timestamp'"},
		{"no seq", feedPath, nil, trust{}, nil, 400, "Field 'seq' invalid"},
		{"negative", feedPath + "?seq=-1", nil, trust{}, nil, 400, "Field 'seq' invalid"},
		{"too long", feedPath + "?seq=99999999999999999999", nil, trust{}, nil, 400, "Field 'seq' invalid"},
		{"no number", feedPath + "?seq=0x1", nil, trust{}, nil, 400, "Field 'seq' invalid"},
		{"limit 0", feedPath + "?seq=0&limit=0", nil, trust{}, nil, 400, "Field 'limit' invalid"},
		{"limit", feedPath + "?seq=0&limit=all", nil, trust{}, nil, 400, "Field 'limit' invalid"},
		{"wait", feedPath + "?seq=0&wait=-1", nil, trust{}, nil, 400, "Field 'wait' invalid"},
		{"semicolon", feedPath + "?seq=0;limit=1", nil, trust{}, nil, 400, "parameters"},
		{"a body", feedPath + "?seq=0", func(q *http.Request) { q.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 5000))) }, trust{}, nil, 413, "no body"},
		{"denied", feedPath + "?seq=0", nil, trust{err: feedserver.ErrDenied}, nil, 401, "Failed to authenticate as 'replica'. Ensure"},
		{"clock", feedPath + "?seq=0", nil, trust{err: feedserver.ErrClock}, nil, 401, "Synchronize the clock"},
		{"not a member", feedPath + "?seq=0", nil, trust{err: feedserver.ErrNotMember}, nil, 403, "'replica' not associated with organization 'acme'"},
		{"not a member, by keys", feedPath + "?seq=0", nil, trust{who: feedserver.Requestor{NotMember: true}}, nil, 403, "not associated"},
		{"a client", feedPath + "?seq=0", nil, trust{who: feedserver.Requestor{Client: true}}, nil, 403, "missing read permission"},
		{"a stranger", feedPath + "?seq=0", header("X-Ops-Userid", "joe"), trust{}, nil, 403, "missing read permission"},
		{"a stranger elsewhere", "/organizations/none/updated_since?seq=0", header("X-Ops-Userid", "joe"), trust{who: feedserver.Requestor{NoOrganization: true}}, nil, 403, "missing read permission"},
		{"no such organization", "/organizations/none/updated_since?seq=0", nil, trust{who: feedserver.Requestor{NoOrganization: true}}, nil, 404, "organization 'none' does not exist."},
		{"no such organization, says erchef", "/organizations/none/updated_since?seq=0", nil, trust{err: changelog.ErrNoOrganization}, nil, 404, "does not exist."},
		{"no such organization, says the log", "/organizations/none/updated_since?seq=0", nil, trust{}, nil, 404, "does not exist."},
		{"beyond the head", feedPath + "?seq=7", nil, trust{}, nil, 410, "7 is beyond the newest change 0"},
		{"database down", feedPath + "?seq=0", nil, trust{err: errors.New("password=hush")}, nil, 503, "cannot be authenticated"},
		{"log down", feedPath + "?seq=0", nil, trust{}, errors.New("password=hush"), 503, "not available"},
		{"log not ready", feedPath + "?seq=0", nil, trust{}, changelog.ErrNotReady, 503, "not complete yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			*r.auth = c.auth
			r.log.fail(c.log)
			got := r.get(c.target, c.change)
			if got.status != c.status || !strings.Contains(got.body, c.says) || !json.Valid([]byte(got.body)) || !strings.HasPrefix(got.body, `{"error":["`) {
				t.Errorf("%d %s; want %d, %q", got.status, got.body, c.status, c.says)
			}
			if strings.Contains(got.body, "hush") {
				t.Errorf("the answer shows too much: %s", got.body)
			}
			switch c.status {
			case 401:
				if got.header.Get("Www-Authenticate") == "" {
					t.Error("401 without a challenge")
				}
			case 405:
				if got.header.Get("Allow") != "GET" {
					t.Error("405 without Allow")
				}
			case 503:
				if got.header.Get("Retry-After") == "" || !strings.Contains(r.said.String(), "hush") && c.log != changelog.ErrNotReady { //nolint:errorlint // the very one
					t.Errorf("503 without Retry-After, or without a word in the log: %s", r.said)
				}
			}
			if strings.Contains(r.said.String(), "QUJD") || strings.Contains(r.said.String(), "47DEQ") {
				t.Errorf("a signature is in the log: %s", r.said)
			}
		})
	}
}

// TestGoneForMachines: the reason is also there without its words.
func TestGoneForMachines(t *testing.T) {
	r := newRig(t)
	var got struct {
		Error     []string
		Reason    string
		Seq, Head int64
	}
	if err := json.Unmarshal([]byte(r.get(feedPath+"?seq=7", nil).body), &got); err != nil || got.Reason != changelog.ReasonBeyondHead || got.Seq != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGzip(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		r.log.add("create", fmt.Sprintf("/roles/role-%d", i))
	}
	plain := r.get(feedPath+"?seq=0", nil)
	got := r.get(feedPath+"?seq=0", func(q *http.Request) { q.Header.Set("Accept-Encoding", "br, gzip;q=0.5") })
	if got.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" || got.header.Get("Vary") == "" {
		t.Fatalf("headers %v, and %v without Accept-Encoding", got.header, plain.header)
	}
	z, err := gzip.NewReader(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if diff := cmp.Diff(plain.body, string(text)); err != nil || diff != "" || len(got.body) > len(plain.body)/3 {
		t.Errorf("%v, %d of %d bytes, %s", err, len(got.body), len(plain.body), diff)
	}
	if got := r.get(feedPath+"?seq=0", func(q *http.Request) { q.Header.Set("Accept-Encoding", "gzip;q=0") }); got.header.Get("Content-Encoding") != "" {
		t.Error("compressed against the caller's wish")
	}
}

// TestStatusAndMetrics: this host hears how the log is, others only that it is.
func TestStatusAndMetrics(t *testing.T) {
	r := newRig(t)
	r.log.add("create", "/roles/web")
	r.get(feedPath+"?seq=0", nil)
	r.get(feedPath+"?seq=5", nil)
	bare := func(q *http.Request) { q.Header = http.Header{} }
	proxied := func(q *http.Request) { q.Header = http.Header{"X-Forwarded-For": {"10.0.0.1"}} }
	here := r.get("/_status", bare)
	for _, want := range []string{`"status":"pong"`, `"capture":"snapshot"`, `"epoch":"epoch"`, `"lag_seconds":1`, "a secret of the house"} {
		if !strings.Contains(here.body, want) {
			t.Errorf("_status = %s; want %s", here.body, want)
		}
	}
	if got := r.get("/_status", proxied); got.status != 200 || got.body != `{"status":"pong"}` {
		t.Errorf("_status for others: %d %s", got.status, got.body)
	}
	metrics := r.get("/metrics", bare)
	for _, want := range []string{
		`chef_sync_feed_requests_total{code="200"} 1`, `chef_sync_feed_requests_total{code="410"} 1`, `chef_sync_feed_log_head{org="acme"} 1`,
		`chef_sync_feed_log_up 1`, `chef_sync_feed_log_lag_seconds 1`, `chef_sync_feed_log_capture{capture="snapshot"} 1`,
		`chef_sync_feed_poller_cursor{org="acme",user="replica"} 0`, `chef_sync_feed_held_requests 0`,
	} {
		if !strings.Contains(metrics.body, want) {
			t.Errorf("no %s in\n%s", want, metrics.body)
		}
	}
	if got := r.get("/metrics", proxied); got.status != 403 {
		t.Errorf("metrics for others: %d", got.status)
	}
	r.log.fail(errors.New("no database"))
	if got := r.get("/_status", bare); got.status != 503 || !strings.Contains(got.body, "no database") {
		t.Errorf("_status without a log: %d %s", got.status, got.body)
	}
	if got := r.get("/metrics", bare); !strings.Contains(got.body, "chef_sync_feed_log_up 0") {
		t.Error("log_up is not 0")
	}
}

// FuzzRequest: whatever comes, the answer is JSON with a status that is meant,
// and nobody but replica gets a page.
func FuzzRequest(f *testing.F) {
	f.Add("acme", "seq=0&limit=1&wait=0", "replica", "version=1.3", "2026-11-23T12:00:00Z")
	f.Add("%2e%2e", "seq=-0", "joe", "version=1.0;algorithm=sha1", "2026-11-23T12:00:00Z")
	f.Add("a/b", "seq=1%00", "", ";;=", "x")
	server := feedserver.New(feedserver.Options{Log: newFakeLog(), Auth: &trust{}, Allow: []string{"replica"}})
	server.Release()
	f.Fuzz(func(t *testing.T, org, query, user, sign, stamp string) {
		w := &recorder{header: http.Header{}}
		h := signed()
		h.Set("X-Ops-Userid", user)
		h.Set("X-Ops-Sign", sign)
		h.Set("X-Ops-Timestamp", stamp)
		path := "/organizations/" + org + "/updated_since"
		server.ServeHTTP(w, &http.Request{
			Method: "GET", RequestURI: path + "?" + query, URL: &url.URL{Path: path, RawQuery: query}, Header: h, Body: http.NoBody,
		})
		switch w.status {
		case 200:
			if user != "replica" {
				t.Errorf("%q got a page", user)
			}
		case 400, 401, 403, 404, 410:
		default:
			t.Errorf("status %d", w.status)
		}
		if !json.Valid(w.body) {
			t.Errorf("%q is no JSON", w.body)
		}
	})
}

// recorder is a [http.ResponseWriter] without more.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *recorder) Header() http.Header { return w.header }
func (w *recorder) WriteHeader(s int)   { w.status = s }
func (w *recorder) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}
