package chef

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// testKey is made once; making an RSA key is slow.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// pauses records how long a client waited, without waiting.
type pauses struct {
	mu  sync.Mutex
	all []time.Duration
}

func (p *pauses) pause(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, d)
	return ctx.Err()
}

// testClient is a client of organization acme for a server with the given
// handler. It does not wait between tries.
func testClient(t *testing.T, h http.HandlerFunc, change ...func(*Options)) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL+"/organizations/acme", change...)
}

func clientOf(t *testing.T, url string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{URL: url, User: "ec_sync_user", Key: testKey()}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.pause = new(pauses).pause
	if o.Pace == nil {
		c.pace = pace.New(pace.Limits{Parallel: c.options.Parallel}, new(quickClock).clock())
	}
	return c
}

// quickClock is one on which nobody waits: it is as late at once as one wants it
// to be. It stands still otherwise, as the machine may not.
type quickClock struct {
	mu    sync.Mutex
	from  time.Time
	slept time.Duration
}

func (c *quickClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from.IsZero() {
		c.from = time.Now()
	}
	return c.from.Add(c.slept)
}

func (c *quickClock) clock() pace.Clock {
	return pace.Clock{Now: c.now, Sleep: func(ctx context.Context, d time.Duration) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.slept += d
		return ctx.Err()
	}}
}

// says answers every request in the same way.
func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// inTurn answers each request with the next handler, and with the last one when
// there are no more.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(next, len(handlers)-1)]
		next++
		mu.Unlock()
		h(w, r)
	}
}

// breaksOff ends the connection without an answer.
func breaksOff(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.Close()
}

// speaks is what erchef puts on every answer.
func speaks(oldest, newest int) []string {
	return []string{versionHeader, fmt.Sprintf(`{"min_version":"%d","max_version":"%d","request_version":"0","response_version":"0"}`, oldest, newest)}
}

func noRetries(o *Options) { o.Retries = -1 }
