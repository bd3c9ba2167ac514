package feedserver_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver"
)

// TestOneTooManyWaits is answered at once, and those who wait go on.
func TestOneTooManyWaits(t *testing.T) {
	r := newRig(t)
	r.server.SetMaxHeld(1)
	first := r.later(feedPath + "?seq=0&wait=60")
	r.holds("1")
	start := time.Now()
	for range 3 {
		r.wantNow(r.later(feedPath+"?seq=0&wait=60"), "[]")
	}
	if time.Since(start) > soon/2 {
		t.Error("those who may not wait were not answered at once")
	}
	if n := strings.Count(r.said.String(), "too many callers wait"); n != 1 {
		t.Errorf("said %d times that too many wait, want once a minute", n)
	}
	r.log.add("create", "/roles/web")
	r.wantNow(first, `[{"action":"create","id":1,"path":"/roles/web"}]`)
	r.holds("0")
}

// clocked is a [http.ResponseWriter] that knows its deadlines.
type clocked struct {
	recorder
	reads, writes []time.Time
}

func (w *clocked) SetReadDeadline(at time.Time) error {
	w.reads = append(w.reads, at)
	return nil
}

func (w *clocked) SetWriteDeadline(at time.Time) error {
	w.writes = append(w.writes, at)
	return nil
}

// TestDeadlines: nobody keeps a request by sending its body, or reading its answer,
// slowly; waiting for a change has no deadline.
func TestDeadlines(t *testing.T) {
	server := feedserver.New(feedserver.Options{Log: newFakeLog(), Auth: &trust{}, Allow: []string{"replica"}})
	for _, path := range []string{feedPath, "/_status", "/metrics", "/elsewhere"} {
		w := &clocked{recorder: recorder{header: http.Header{}}}
		server.ServeHTTP(w, &http.Request{
			Method: "GET", RequestURI: path + "?seq=0", URL: &url.URL{Path: path, RawQuery: "seq=0"}, Header: signed(), Body: http.NoBody, RemoteAddr: "127.0.0.1:1",
		})
		if len(w.writes) != 1 || time.Until(w.writes[0]) < time.Minute || time.Until(w.writes[0]) > 5*time.Minute {
			t.Errorf("%s: deadlines for the answer %v; want one, minutes from now", path, w.writes)
		}
		reads := path == feedPath || path == "/elsewhere"
		if reads && (len(w.reads) != 2 || time.Until(w.reads[0]) > time.Minute || w.reads[0].IsZero() || !w.reads[1].IsZero()) {
			t.Errorf("%s: deadlines for the body %v; want one soon, and none after it", path, w.reads)
		}
	}
}

// TestManyPollers: the number of series does not grow with whoever asks.
func TestManyPollers(t *testing.T) {
	r := newRig(t)
	var allowed []string
	for i := range 600 {
		allowed = append(allowed, fmt.Sprintf("replica%d", i))
	}
	server := feedserver.New(feedserver.Options{Log: r.log, Auth: r.auth, Allow: allowed})
	r.http.Config.Handler = server
	for _, name := range allowed {
		w := &recorder{header: http.Header{}}
		h := signed()
		h.Set("X-Ops-Userid", name)
		server.ServeHTTP(w, &http.Request{Method: "GET", RequestURI: feedPath + "?seq=0", URL: &url.URL{Path: feedPath, RawQuery: "seq=0"}, Header: h, Body: http.NoBody})
		if w.status != 200 {
			t.Fatalf("%s: %d", name, w.status)
		}
	}
	if n := strings.Count(r.get("/metrics", nil).body, "chef_sync_feed_poller_cursor{"); n != 500 {
		t.Errorf("%d series of pollers", n)
	}
}

// TestManyNames: strangers do not fill the memory with names, nor drive out those
// that are known.
func TestManyNames(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "replica")
	db := &countingDB{answers: true, key: p.public, names: map[string]int{}}
	keys, err := feedserver.NewKeys(db, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	keys.SetClock(func() time.Time { return now })
	good, err := chef.ReadSignature(p.sign(t, "acme", ""))
	if err != nil {
		t.Fatal(err)
	}
	known := func() {
		t.Helper()
		if _, err := keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Signature: good}); err != nil {
			t.Fatal(err)
		}
	}
	known()
	for i := range 2500 {
		h := signed()
		h.Set("X-Ops-Userid", fmt.Sprintf("stranger%d", i))
		h.Set("X-Ops-Timestamp", time.Now().UTC().Format("2006-01-02T15:04:05Z"))
		sig, err := chef.ReadSignature(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Signature: sig}); err == nil {
			t.Fatal("a stranger is let in")
		}
	}
	known()
	if db.names["replica"] != 1 {
		t.Errorf("asked %d times for a name that is known", db.names["replica"])
	}
	if n := keys.Remembered(); n > 1000 {
		t.Errorf("%d names are remembered", n)
	}
}

// TestStatusForMany: the database is not asked by whoever comes along.
func TestStatusForMany(t *testing.T) {
	r := newRig(t)
	proxied := func(q *http.Request) { q.Header = http.Header{"X-Forwarded-For": {"10.0.0.1"}} }
	begin := time.Now()
	for range 50 {
		if got := r.get("/_status", proxied); got.status != 200 || got.body != `{"status":"pong"}` {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if most := 2 + int(time.Since(begin)/time.Second); r.log.looked > most {
		t.Errorf("the log was looked at %d times, want %d at the most", r.log.looked, most)
	}
	r.log.fail(errors.New("hush"))
	for end := time.Now().Add(soon); ; time.Sleep(50 * time.Millisecond) { //nolint:forbidigo // until it is noticed
		if got := r.get("/_status", proxied); got.status == 503 && got.body == `{"status":"fail"}` {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%d %s; want 503", got.status, got.body)
		}
	}
}
