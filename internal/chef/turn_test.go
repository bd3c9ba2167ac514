package chef

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/pace"
)

// pacedClient is a client of a pace with the given limits and a clock on which
// nobody waits.
func pacedClient(l pace.Limits) (*quickClock, func(*Options)) {
	c := new(quickClock)
	return c, func(o *Options) { o.Pace = pace.New(l, c.clock()) }
}

// passed is how long was waited on the clock.
func (c *quickClock) passed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slept
}

// Whoever the server tells to wait, all wait.
func TestRetryAfterCountsForTheWholeServer(t *testing.T) {
	for name, tell := range map[string]func(context.Context, *Client) error{
		"a request": func(ctx context.Context, c *Client) error { _, err := c.ListRoles(ctx); return err },
		"a file": func(ctx context.Context, c *Client) error {
			return c.UploadFile(ctx, c.URL()+"/bookshelf/x", sumOf(nil), 0, opener(nil))
		},
		"a held request": func(ctx context.Context, c *Client) error {
			_, err := c.UpdatedSince(ctx, 1, UpdatedSinceOptions{Wait: time.Second})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock, own := pacedClient(pace.Limits{})
			c := testClient(t, inTurn(says(503, "", "Retry-After", "17"), says(200, "[]")), own, noRetries)
			if err := tell(t.Context(), c); RetryAfter(err) != 17*time.Second {
				t.Fatalf("%v", err)
			}
			if got := c.Pace().Stats().Slowed(); len(got) != 2 || !strings.Contains(got[0], "(503, Retry-After)") {
				t.Errorf("slowed: %q", got)
			}
			_, err := c.WithOrganization("other").DoGlobal(t.Context(), http.MethodGet, "/users", nil, nil)
			if got := clock.passed(); err != nil || got < 5*time.Second || got > 17*time.Second {
				t.Errorf("another organization's request went after %v, %v; want the rest of 17s", got, err)
			}
		})
	}
}

// A store of files that asks to be left alone is not the Chef server.
func TestRetryAfterOfAnotherHost(t *testing.T) {
	store := httptest.NewServer(says(503, "", "Retry-After", "600"))
	defer store.Close()
	c := testClient(t, says(200, "[]"), noRetries, func(o *Options) { o.FileHosts = []string{store.URL} })
	if err := c.UploadFile(t.Context(), store.URL+"/x", sumOf(nil), 0, opener(nil)); RetryAfter(err) != 10*time.Minute {
		t.Fatalf("%v", err)
	}
	if _, err := c.DoGlobal(t.Context(), http.MethodGet, "/users", nil, nil); err != nil {
		t.Errorf("the Chef server is left alone: %v", err)
	}
}

// A Chef server names its files with the port, which a configuration leaves out.
func TestTheServersOwnFilesAreTheServer(t *testing.T) {
	server := httptest.NewServer(says(503, "", "Retry-After", "600"))
	defer server.Close()
	for _, u := range []string{"http://chef.example.com/f", "http://Chef.example.com:80/f"} {
		_, own := pacedClient(pace.Limits{})
		c := clientOf(t, "http://chef.example.com", own, noRetries)
		c.files.Proxy = nil
		c.files.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}
		if _, err := c.DownloadFile(t.Context(), u, md5a, io.Discard); RetryAfter(err) != 10*time.Minute {
			t.Fatalf("%s: %v", u, err)
		}
		if c.Pace().Stats().AloneUntil.IsZero() {
			t.Errorf("%s: the server asked to be left alone, and is not", u)
		}
	}
}

// A server that wants to be left alone for long is not asked at all meanwhile.
func TestLongRetryAfter(t *testing.T) {
	var asked atomic.Int32
	refuse := says(429, "", "Retry-After", "600")
	clock, own := pacedClient(pace.Limits{})
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); refuse(w, r) }, own)
	_, _ = c.ListRoles(t.Context())
	for name, ask := range map[string]func() error{
		"a request": func() error { _, err := c.ListNodes(t.Context()); return err },
		"a download": func() error {
			_, err := c.DownloadFile(t.Context(), c.URL()+"/bookshelf/x", sumOf(nil), new(bytes.Buffer))
			return err
		},
	} {
		err := ask()
		var alone *pace.AloneError
		if !errors.As(err, &alone) || Classify(err) != ClassRetry || RetryAfter(err) < 9*time.Minute || RetryAfter(err) > 10*time.Minute {
			t.Errorf("%s: %v, %v, retry after %v", name, err, Classify(err), RetryAfter(err))
		}
		if !strings.Contains(err.Error(), "left alone until") || !strings.Contains(err.Error(), c.URL()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := asked.Load(); n != 1 || clock.passed() != 0 {
		t.Errorf("asked %d times in %v", n, clock.passed())
	}
}

func TestRequestsAreLimited(t *testing.T) {
	clock, own := pacedClient(pace.Limits{RequestsPerSecond: 2})
	c := testClient(t, says(200, "{}"), own)
	for range 21 {
		if _, err := c.ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := clock.passed(); got > 10*time.Second || got < 5*time.Second {
		t.Errorf("21 requests at 2/s waited for %v, want about 10s", got)
	}
}

func TestFilesAreLimited(t *testing.T) {
	data := bytes.Repeat([]byte("file"), 50_000)
	clock, own := pacedClient(pace.Limits{BytesPerSecond: 20_000})
	var got bytes.Buffer
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			_, _ = got.ReadFrom(r.Body)
			return
		}
		_, _ = w.Write(data)
	}, own)
	before := clock.passed()
	if err := c.UploadFile(t.Context(), c.URL()+"/bookshelf/x", sumOf(data), int64(len(data)), opener(data)); err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Fatalf("upload: %v, %d bytes", err, got.Len())
	}
	if took := clock.passed() - before; took < 6*time.Second || took > 10*time.Second {
		t.Errorf("an upload of 200,000 bytes at 20,000/s waited for %v", took)
	}
	before = clock.passed()
	got.Reset()
	if n, err := c.DownloadFile(t.Context(), c.URL()+"/bookshelf/x", sumOf(data), &got); err != nil || n != int64(len(data)) || !bytes.Equal(got.Bytes(), data) {
		t.Fatalf("download: %v, %d bytes", err, n)
	}
	if took := clock.passed() - before; took < 6*time.Second || took > 10*time.Second {
		t.Errorf("a download of 200,000 bytes at 20,000/s waited for %v", took)
	}
	if _, err := c.ListRoles(t.Context()); err == nil || !c.Pace().Stats().BytesLimited {
		t.Errorf("%v, %+v", err, c.Pace().Stats())
	}
}

// wave asks many times at once and returns how many requests the server had at
// one time. Each takes it a while.
func wave(t *testing.T, server *chefserver.Server, c *Client) int {
	t.Helper()
	rule := server.Faults().Add(chefserver.Fault{Effect: chefserver.Delay(50 * time.Millisecond)})
	defer rule.Remove()
	server.ResetStats()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = c.ListRoles(t.Context()) })
	}
	wg.Wait()
	return server.Stats().MaxInFlight
}

// A server that cannot keep up gets fewer requests at a time, and more again when
// it can.
func TestFewerRequestsAtATimeWhileTheServerFails(t *testing.T) {
	server, c := erchef(t, chefserver.Options{}, noRetries, func(o *Options) { o.Pace = pace.New(pace.Limits{Parallel: 4}, pace.Clock{}) })
	full := func(when string) {
		t.Helper()
		n := 0
		for range 20 { // a busy host may not send them all at one time
			if n = max(n, wave(t, server, c)); n >= 4 {
				break
			}
		}
		if n != 4 {
			t.Fatalf("%s: %d requests at a time, want 4", when, n)
		}
	}
	full("at first")
	for _, effect := range []chefserver.Effect{chefserver.Status(503, "{}"), chefserver.Status(429, "{}"), chefserver.CutBefore()} {
		rule := server.Faults().Add(chefserver.Fault{Effect: effect})
		for range 3 {
			if _, err := c.ListRoles(t.Context()); err == nil {
				t.Fatal("no error")
			}
		}
		if n := wave(t, server, c); n != 1 {
			t.Errorf("%d requests at a time at a server that fails, want 1", n)
		}
		rule.Remove()
		for c.Pace().Stats().Parallel < 4 {
			if _, err := c.ListRoles(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		full("at a server that is well again")
	}
}

// What says nothing about the server's load changes nothing.
func TestRefusalsAreNoOverload(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 409, 412, 413} {
		c := testClient(t, says(status, `{"error":["no"]}`, "Retry-After", "60"), noRetries)
		_, _ = c.GetRole(t.Context(), "x")
		if st := c.Pace().Stats(); st.Cuts != 0 || !st.AloneUntil.IsZero() {
			t.Errorf("%d: %+v", status, st)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := testClient(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	_, _ = c.GetRole(ctx, "x")
	if st := c.Pace().Stats(); st.Cuts != 0 || st.InFlight != 0 {
		t.Errorf("a request that its sender gave up: %+v", st)
	}
}

// TestUntrustedServerIsNoOverload: what was never sent to the server says nothing of it.
func TestUntrustedServerIsNoOverload(t *testing.T) {
	server := httptest.NewTLSServer(says(200, "{}"))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	c := clientOf(t, server.URL, noRetries)
	if _, err := c.ListRoles(t.Context()); !errors.Is(err, ErrTLS) {
		t.Fatal(err)
	}
	if s := c.Pace().Stats(); s.Cuts != 0 || s.Parallel != s.Limits.Parallel {
		t.Errorf("%+v", s)
	}
}

// TestWhichReadsAreMeasured: those whose time says how the server is.
func TestWhichReadsAreMeasured(t *testing.T) {
	for _, tt := range []struct {
		method, route string
		status, size  int
		want          string
	}{
		{"GET", "roles", 200, 100, "roles"},
		{"GET", "roles", 200, smallRead, "roles"},
		{"GET", "roles", 200, smallRead + 1, ""}, // of how much it had to send
		{"GET", "updated_since", 200, 2, ""},     // it may have been held
		{"GET", "roles", 404, 100, ""},
		{"PUT", "roles", 200, 100, ""},
	} {
		if got := readOf(&request{method: tt.method, route: tt.route}, tt.status, tt.size); got != tt.want {
			t.Errorf("%+v: measured as %q", tt, got)
		}
	}
}

// A server that ends a connection which waited for its next use is well.
func TestClosedIdleIsNoOverload(t *testing.T) {
	c := testClient(t, says(200, "[]"))
	for text, want := range map[string]pace.Outcome{
		closedIdle:                 {},
		"connection reset by peer": {Overload: "no answer"},
	} {
		err := c.noAnswer(t.Context(), t.Context(), http.MethodPut, "http://chef/roles/a", errors.New(text))
		if got := c.outcome(t.Context(), 0, nil, err); got != want || Classify(err) != ClassRetry {
			t.Errorf("%s: got %+v of class %s, want %+v", text, got, Classify(err), want)
		}
	}
}
