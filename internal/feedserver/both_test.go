package feedserver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feedserver"
)

// found watches until the Chef server is there.
func found(t *testing.T, url string, keys feedserver.Authenticator) (*feedserver.Both, *bytes.Buffer) {
	t.Helper()
	v, err := feedserver.NewValidator(url)
	if err != nil {
		t.Fatal(err)
	}
	said := &bytes.Buffer{}
	b := feedserver.NewBoth(keys, v, slog.New(slog.NewTextHandler(said, nil)))
	b.Watch(t.Context())
	return b, said
}

// TestBoth: the second word can only make it less, and without it the first
// counts.
func TestBoth(t *testing.T) {
	t.Parallel()
	const denied = `{"error":["Failed to authenticate as 'x'"]}`
	for _, x := range []struct {
		name   string
		keys   trust
		status int
		body   string
		want   int
		asked  bool
	}{
		{"both say yes", trust{}, 200, `{"requestor_name":"replica","requestor_type":"user"}`, 200, true},
		{"keys say no", trust{err: feedserver.ErrDenied}, 200, `{"requestor_name":"replica","requestor_type":"user"}`, 401, false},
		{"keys say that the clock is off", trust{err: feedserver.ErrClock}, 200, `{"requestor_name":"replica","requestor_type":"user"}`, 401, false},
		{"keys cannot tell", trust{err: errors.New("no database")}, 200, `{"requestor_name":"replica","requestor_type":"user"}`, 503, false},
		{"keys know no member", trust{who: feedserver.Requestor{NotMember: true}}, 200, `{"requestor_name":"replica","requestor_type":"user"}`, 403, true},
		{"keys know a client", trust{who: feedserver.Requestor{Client: true}}, 200, `{"requestor_name":"replica","requestor_type":"user"}`, 403, true},
		{"Chef says no", trust{}, 401, denied, 401, true},
		{"Chef knows a client", trust{}, 200, `{"requestor_name":"replica","requestor_type":"client"}`, 403, true},
		{"Chef knows no member", trust{}, 403, `{"error":["'replica' not associated with organization 'acme'"]}`, 403, true},
		{"Chef knows no organization", trust{}, 404, `{"error":["organization 'acme' does not exist."]}`, 404, true},
		{"Chef speaks of somebody else", trust{}, 200, `{"requestor_name":"pivotal","requestor_type":"user"}`, 200, true},
		{"Chef is ill", trust{}, 500, `{}`, 200, true},
		{"Chef is a web page", trust{}, 404, `<html></html>`, 200, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			var about atomic.Int32 // how often it was asked about replica
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Ops-Userid") != "replica" {
					w.WriteHeader(401)
					_, _ = w.Write([]byte(denied))
					return
				}
				about.Add(1)
				w.WriteHeader(x.status)
				_, _ = w.Write([]byte(x.body))
			}))
			defer up.Close()
			b, said := found(t, up.URL, &x.keys)
			r := newRig(t)
			r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: b, Allow: []string{"replica"}})
			if got := r.get(feedPath+"?seq=0", nil); got.status != x.want || (about.Load() > 0) != x.asked {
				t.Errorf("%d %s, asked %d times; want %d, asked %v", got.status, got.body, about.Load(), x.want, x.asked)
			}
			if got := r.get(feedPath+"?seq=0", func(q *http.Request) { q.Header.Set("X-Ops-Userid", "joe") }); got.status == 200 {
				t.Error("a user who is not on the list may read")
			}
			if !strings.Contains(said.String(), "the Chef server confirms") {
				t.Errorf("said %s", said)
			}
		})
	}
}

// TestBothWithoutChef: what is no Chef server, or says yes to everything, is not
// asked; nor is one that goes away waited for.
func TestBothWithoutChef(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"yes to everything": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"requestor_name":"` + r.Header.Get("X-Ops-Userid") + `","requestor_type":"user"}`))
		},
		"no such page": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "404 page not found", http.StatusNotFound) },
		"a login":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who are you?", http.StatusUnauthorized) },
		"forbidden": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":["'x' not associated with organization 'y'"]}`, http.StatusForbidden)
		},
		"another's JSON": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":"not found"}`, http.StatusNotFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				answer(w, r)
			}))
			defer up.Close()
			v, err := feedserver.NewValidator(up.URL)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Check(t.Context()); err == nil {
				t.Error("it is taken for a Chef server")
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			b := feedserver.NewBoth(&trust{}, v, slog.New(slog.DiscardHandler))
			go func() { defer close(done); b.Watch(ctx) }()
			r := newRig(t)
			r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: b, Allow: []string{"replica"}})
			if got := r.get(feedPath+"?seq=0", nil); got.status != 200 {
				t.Errorf("%d %s; want what the keys say", got.status, got.body)
			}
			stop()
			<-done
			if n := asked.Load(); n > 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// TestCheckFindsAChefServer, also when it is nobody's turn yet.
func TestCheckFindsAChefServer(t *testing.T) {
	if testing.Short() {
		t.Skip("makes RSA keys")
	}
	t.Parallel()
	s := chefserver.New(chefserver.Options{})
	up := httptest.NewServer(s)
	defer up.Close()
	v, err := feedserver.NewValidator(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Check(t.Context()); err != nil {
		t.Errorf("without organizations: %v", err)
	}
	if _, err := s.CreateOrganization("chef-sync-nobody", "Nobody"); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(t.Context()); err != nil {
		t.Errorf("with one of the name that is asked about: %v", err)
	}
}

// TestValidatorAsksNoOtherPath: a name of no organization does not become a part
// of the path that the Chef server is asked.
func TestValidatorAsksNoOtherPath(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("asked %s", r.RequestURI)
		_, _ = w.Write([]byte(`{"requestor_name":"replica","requestor_type":"user"}`))
	}))
	defer up.Close()
	v, err := feedserver.NewValidator(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: v, Allow: []string{"replica"}})
	for _, org := range []string{"%2e%2e", "..", ".", "a%2fdata%2fb%2fi%3f", "acme%23", "a%0d%0ab", "a%20b"} {
		if got := r.get("/organizations/"+org+"/updated_since?seq=0", nil); got.status != 404 {
			t.Errorf("%s: %d %s; want 404", org, got.status, got.body)
		}
	}
}

// TestValidatorFollowsNobody: where the Chef server sends it, it does not go.
func TestValidatorFollowsNobody(t *testing.T) {
	t.Parallel()
	yes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("the signature went elsewhere")
		_, _ = w.Write([]byte(`{"requestor_name":"replica","requestor_type":"user"}`))
	}))
	defer yes.Close()
	up := httptest.NewServer(http.RedirectHandler(yes.URL, http.StatusFound))
	defer up.Close()
	v, err := feedserver.NewValidator(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: v, Allow: []string{"replica"}})
	if got := r.get(feedPath+"?seq=0", nil); got.status != 503 {
		t.Errorf("%d %s; want 503", got.status, got.body)
	}
}
