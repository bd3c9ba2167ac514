package chef

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// A server that holds enough requests is asked for an answer at once.
func TestHeldRequestsAreBounded(t *testing.T) {
	var waits atomic.Int64
	p := pace.New(pace.Limits{}, pace.Clock{})
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("wait") {
			waits.Add(1)
		}
		says(200, "[]")(w, r)
	}, func(o *Options) { o.Pace = p })
	ask := func() {
		t.Helper()
		if _, err := c.UpdatedSince(t.Context(), 1, UpdatedSinceOptions{Wait: 5 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	var end func()
	for range pace.MaxHeld {
		end, _ = p.Hold()
	}
	ask()
	if n := waits.Load(); n != 0 {
		t.Errorf("%d requests asked to be held by a server that holds %d", n, pace.MaxHeld)
	}
	end()
	for range 2 { // the first one gives its leave back
		ask()
	}
	if n := waits.Load(); n != 2 {
		t.Errorf("%d of 2 requests asked to be held by a server that holds one less", n)
	}
}

// Requests that are held use the connections of those before them, however many
// there are: each new one costs a handshake.
func TestHeldRequestsKeepConnections(t *testing.T) {
	const many, rounds = 20, 3
	var opened atomic.Int64
	var all sync.WaitGroup // holds until all of a round are there
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all.Done()
		all.Wait()
		says(200, "[]")(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := clientOf(t, server.URL+"/organizations/acme", func(o *Options) { o.Parallel = 2 })
	for range rounds {
		var asking sync.WaitGroup
		all.Add(many)
		kept := make(chan error, many) // connections go back a moment after their answers
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{PutIdleConn: func(err error) { kept <- err }})
		for range many {
			asking.Go(func() {
				if _, err := c.UpdatedSince(ctx, 1, UpdatedSinceOptions{Wait: 20 * time.Second}); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		for range many {
			select {
			case err := <-kept:
				if err != nil {
					t.Errorf("a connection is not kept: %v", err)
				}
			case <-time.After(40 * time.Second):
				t.Fatal("a connection is not kept")
			}
		}
	}
	if n := opened.Load(); n > many+5 {
		t.Errorf("%d connections for %d requests at a time", n, many)
	}
}
