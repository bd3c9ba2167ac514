package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// newFed is a duo whose primary has a database and a feed server, as an
// installed one has: nginx sends some requests to the feed server and the rest to
// the Chef server. Rows follow what the Chef server is told until ctx ends.
func newFed(t *testing.T, settings string) (*duo, *harness.Mirror, *harness.Feedd) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL, ec-syncd twice, and Temporal")
	}
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	d.write = harness.Write(t, d.primary.Client)
	m := harness.NewMirror(t, d.primary)
	f := harness.NewFeedd(t, m, "ec_sync_server['interval'] = 0.2\n"+settings)
	nginx := httptest.NewServer(harness.AsNginx(f.URL)(d.primary.Server))
	t.Cleanup(nginx.Close)
	side := d.primary.Side()
	side.URL = nginx.URL
	d.syncd = harness.NewSyncd(t, side, d.replica.Side(), "poll_interval 1\npoll_hold '20s'\nfeed :auto\n")
	return d, m, f
}

// mirror keeps the rows up to date. What it returns stops that and tells whether
// it went well; errors are tolerated while PostgreSQL is down.
func mirror(t *testing.T, m *harness.Mirror, tolerant bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil {
			if e := m.Sync(ctx); e != nil && ctx.Err() == nil && !tolerant {
				err = e
			}
			nap(ctx, 20*time.Millisecond)
		}
		done <- err
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the rows did not follow: %v", err)
		}
	}
}

// TestPrimary follows a primary through its feed server, with both captures:
// random writes, the feed server killed and PostgreSQL restarted in between.
func TestPrimary(t *testing.T) {
	for _, capture := range []string{"snapshot", "triggers"} {
		t.Run(capture, func(t *testing.T) {
			d, m, f := newFed(t, "ec_sync_server['capture'] = :"+capture)
			stop := mirror(t, m, true)
			d.write.Small()
			d.write.Policies()
			d.start()
			d.equal("after the bootstrap")
			d.is("feed", "updated_since")

			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			defer cancel()
			changes := make(chan int, 1)
			seed := uint64(time.Now().UnixNano())
			go func() { changes <- d.change(ctx, seed, true) }()
			nap(ctx, time.Second)
			f.Kill()
			nap(ctx, 500*time.Millisecond)
			f.Start(t)
			nap(ctx, time.Second)
			harness.Postgres(t).Restart(t)
			t.Logf("seed %d: %d changes", seed, <-changes)
			harness.Until(t, "the feed server has its log again", f.Answers, func() string { return f.Log(t) })
			var err error
			harness.Until(t, "the rows follow", func() bool { err = m.Sync(t.Context()); return err == nil }, func() string { return fmt.Sprint(err) })
			d.equal("after the writes")
			if got := d.syncd.Status(t); got["feed"] != "updated_since" {
				t.Errorf("the feed is %v", got["feed"])
			}
			stop()
			if text := f.Log(t); strings.Contains(text, "PRIVATE KEY") || strings.Contains(strings.ToLower(text), "x-ops-") || strings.Contains(text, "not-a-secret") {
				t.Error("the feed server's log shows a key, a signature or a password")
			}
		})
	}
}

// TestPrimaryTellsAtOnce: a request that is held hears of a change within a
// moment, and a stopped server answers it.
func TestPrimaryTellsAtOnce(t *testing.T) {
	d, m, f := newFed(t, "")
	defer mirror(t, m, false)()
	d.write.Small()
	d.start()
	d.equal("after the bootstrap")
	start := time.Now()
	d.write.Role("quick", "1")
	d.equal("after one change")
	t.Logf("seen after %v", time.Since(start))
	f.Stop()
	d.write.Role("quick", "2")
	f.Start(t)
	d.equal("after the feed server was away")
	d.is("feed", "updated_since")
}

// TestPrimaryAndReplica runs the feed server and the replicator in one process.
func TestPrimaryAndReplica(t *testing.T) {
	d, m, f := newFed(t, "")
	defer mirror(t, m, false)()
	f.Stop()
	d.syncd.Stop()
	text, err := os.ReadFile(d.syncd.Config)
	if err == nil {
		err = os.WriteFile(d.syncd.Config, []byte(string(text)+"role :master_and_replica\n"+f.Settings), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.syncd.Start(t)
	d.write.Small()
	d.start()
	d.equal("after the bootstrap")
	d.is("feed", "updated_since")
	d.write.Role("late", "1")
	d.equal("after one change")
	if _, err := os.Stat(filepath.Join(f.Dir, "log", "ec-syncd.log")); err != nil {
		t.Errorf("the feed server has no log of its own: %v", err)
	}
	d.syncd.Stop()
	if !strings.Contains(d.syncd.Log(t), "ec-syncd ends") || f.Answers() {
		t.Error("it did not end in good order")
	}
}

// TestPrimaryStatuses asks a feed server that runs all that can be answered.
func TestPrimaryStatuses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL and ec-syncd")
	}
	s := harness.Chef(t, chefserver.Options{Feed: true})
	m := harness.NewMirror(t, s)
	f := harness.NewFeedd(t, m, "ec_sync_server['interval'] = 0.1")
	ask := func(org, user, keyFile string, seq int64) error {
		c := harness.NewClient(t, f.URL, org, user, keyFile)
		_, err := c.UpdatedSince(t.Context(), seq, chef.UpdatedSinceOptions{})
		return err
	}
	stranger := harness.FastChef(t, chefserver.Options{})
	for _, x := range []struct {
		name string
		err  error
		want int
	}{
		{"replica", ask(harness.Organization, harness.SyncUser, s.KeyFile, 0), 200},
		{"other key", ask(harness.Organization, harness.SyncUser, stranger.KeyFile, 0), 401},
		{"unknown user", ask(harness.Organization, "joe", s.KeyFile, 0), 401},
		{"no organization", ask("none", harness.SyncUser, s.KeyFile, 0), 404},
		{"ahead of the head", ask(harness.Organization, harness.SyncUser, s.KeyFile, 1<<60), 410},
	} {
		got := 200
		var e *chef.APIError
		if errors.As(x.err, &e) {
			got = e.Status
		}
		if got != x.want || got == 200 && x.err != nil {
			t.Errorf("%s: %v; want %d", x.name, x.err, x.want)
		}
	}
	for path, want := range map[string]int{
		"/_status": 200, "/metrics": 200, "/": 404, "/organizations/acme/roles": 404, "/organizations/acme/updated_since?seq=0": 400,
	} {
		if got, body := f.Get(path); got != want {
			t.Errorf("%s: %d %s; want %d", path, got, body, want)
		}
	}
	if _, body := f.Get("/metrics"); !strings.Contains(body, `chef_sync_feed_requests_total{code="410"} 1`) {
		t.Errorf("metrics without the 410:\n%s", body)
	}
	if resp, err := http.Post(f.URL+"/organizations/acme/updated_since", "", nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed { //nolint:noctx // of a test
		t.Errorf("post: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}
