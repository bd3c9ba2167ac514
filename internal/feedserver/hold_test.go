package feedserver_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/feedserver"
)

// soon is how fast what happens at once may happen on a busy machine; a request is
// held for a minute.
const soon = 40 * time.Second

// later asks and hands over the answer when there is one.
func (r *rig) later(target string) <-chan reply {
	out := make(chan reply, 1)
	go func() { out <- r.get(target, nil) }()
	return out
}

// holds waits until n requests are held.
func (r *rig) holds(n string) {
	r.Helper()
	for end := time.Now().Add(soon); ; {
		if strings.Contains(r.get("/metrics", nil).body, "chef_sync_feed_held_requests "+n+"\n") {
			return
		}
		if time.Now().After(end) {
			r.Fatalf("there are never %s held requests", n)
		}
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // until it is so
	}
}

func (r *rig) wantNow(answer <-chan reply, body string) {
	r.Helper()
	select {
	case got := <-answer:
		if got.status != 200 || got.body != body {
			r.Errorf("answer %d %s; want %s", got.status, got.body, body)
		}
	case <-time.After(soon):
		r.Fatal("no answer")
	}
}

func TestHeldUntilAChange(t *testing.T) {
	r := newRig(t)
	answer := r.later(feedPath + "?seq=0&wait=60")
	r.holds("1")
	r.log.add("create", "/roles/web")
	r.wantNow(answer, `[{"action":"create","id":1,"path":"/roles/web"}]`)
	r.holds("0")
	start := time.Now()
	r.wantNow(r.later(feedPath+"?seq=0&wait=60"), `[{"action":"create","id":1,"path":"/roles/web"}]`)
	if time.Since(start) > soon/2 {
		t.Error("what there is was held back")
	}
}

func TestHeldUntilTheTimeIsOver(t *testing.T) {
	r := newRig(t)
	start := time.Now()
	r.wantNow(r.later(feedPath+"?seq=0&wait=1"), "[]")
	if d := time.Since(start); d < time.Second {
		t.Errorf("held for %v only", d)
	}
}

func TestHeldUntilTheCallerIsGone(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.http.URL+feedPath+"?seq=0&wait=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = signed()
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	r.holds("1")
	cancel()
	if err := <-done; err == nil {
		t.Error("an answer came")
	}
	r.holds("0")
}

// TestHeldUntilShutdown: Serve answers those who wait, and returns.
func TestHeldUntilShutdown(t *testing.T) {
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(ctx, l, nil) }()
	r.http.URL = "http://" + l.Addr().String()
	first, second := r.later(feedPath+"?seq=0&wait=60"), r.later(feedPath+"?seq=0&wait=60")
	r.holds("2")
	cancel()
	r.wantNow(first, "[]")
	r.wantNow(second, "[]")
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("Serve = %v", err)
		}
	case <-time.After(soon):
		t.Fatal("Serve does not return")
	}
}

// TestNobodyWaitsAfterRelease, nor when the log cannot wait.
func TestNobodyWaits(t *testing.T) {
	r := newRig(t)
	r.server.Release()
	r.wantNow(r.later(feedPath+"?seq=0&wait=60"), "[]")
	deaf := feedserver.New(feedserver.Options{Log: deafLog{r.log}, Auth: r.auth, Allow: []string{"replica"}})
	r.http.Config.Handler = deaf
	r.wantNow(r.later(feedPath+"?seq=0&wait=60"), "[]")
}

// deafLog cannot wait.
type deafLog struct{ *fakeLog }

func (deafLog) Wait(context.Context, string, int64) error { return errors.New("deaf") }
