package feedserver_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver"
)

// TestFresh: the log is brought up to date for who asks for that, and for nobody
// else.
func TestFresh(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		query string
		want  int
	}{{"?seq=0", 0}, {"?seq=0&fresh=0", 0}, {"?seq=0&fresh=1", 1}, {"?seq=0&fresh=1&limit=1", 2}} {
		got := r.get(feedPath+c.query, nil)
		if got.status != http.StatusOK || got.header.Get("X-Chef-Sync-Fresh") != "1" || r.log.refreshed != c.want {
			t.Errorf("%s: %d, brought up to date %d times; want %d", c.query, got.status, r.log.refreshed, c.want)
		}
	}
}

// TestSkew: a signature is as good early as late, and at the limit no more.
func TestSkew(t *testing.T) {
	const skew = 10 * time.Minute
	p := newPerson(t, "replica")
	db := &countingDB{answers: true, key: p.public}
	keys, err := feedserver.NewKeys(db, skew)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := chef.ReadSignature(p.sign(t, "acme", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		late time.Duration
		want error
	}{
		{0, nil}, {skew - time.Second, nil}, {time.Second - skew, nil},
		{skew, feedserver.ErrClock}, {-skew, feedserver.ErrClock}, {240 * time.Hour, feedserver.ErrClock}, {-240 * time.Hour, feedserver.ErrClock},
	} {
		keys.SetClock(func() time.Time { return sig.Time.Add(c.late) })
		if _, err := keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Signature: sig}); !errors.Is(err, c.want) {
			t.Errorf("signed %s ago: %v, want %v", c.late, err, c.want)
		}
	}
}

// other is an authenticator that found somebody else than who is named.
type other struct{}

func (other) Authenticate(context.Context, *feedserver.Request) (feedserver.Requestor, error) {
	return feedserver.Requestor{Name: "replica"}, nil
}

// TestAnothersName: who is let in is who is named.
func TestAnothersName(t *testing.T) {
	r := newRig(t)
	r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: other{}, Allow: []string{"replica", "joe"}})
	joe := func(q *http.Request) { q.Header.Set("X-Ops-Userid", "joe") }
	if got := r.get(feedPath+"?seq=0", joe); got.status != http.StatusForbidden {
		t.Errorf("joe, found to be replica: %d %s", got.status, got.body)
	}
	if got := r.get(feedPath+"?seq=0", nil); got.status != http.StatusOK {
		t.Errorf("replica: %d %s", got.status, got.body)
	}
}

// TestThroughAProxy: what a proxy on this host passes on comes from elsewhere,
// however the proxy says so.
func TestThroughAProxy(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"} {
		by := func(q *http.Request) { q.Header = http.Header{name: {"10.0.0.1"}} }
		if got := r.get("/metrics", by); got.status != http.StatusForbidden {
			t.Errorf("%s: metrics answer %d", name, got.status)
		}
		if got := r.get("/_status", by); got.body != `{"status":"pong"}` {
			t.Errorf("%s: _status answers %s", name, got.body)
		}
	}
}

// TestOwnAddress: this host may ask the feed server at an address other than
// 127.0.0.1, and nobody else may.
func TestOwnAddress(t *testing.T) {
	server := feedserver.New(feedserver.Options{Log: newFakeLog(), Auth: other{}})
	at := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 9996})
	for from, want := range map[string]int{
		"10.1.2.3:40000": http.StatusOK, "[::ffff:10.1.2.3]:40000": http.StatusOK, "127.0.0.1:40000": http.StatusOK,
		"10.1.2.4:40000": http.StatusForbidden, "10.1.2.3": http.StatusForbidden, "": http.StatusForbidden,
	} {
		r := httptest.NewRequestWithContext(at, http.MethodGet, "/metrics", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		if server.ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %q: %d, want %d", from, w.Code, want)
		}
	}
}
