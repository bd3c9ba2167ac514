package feedserver_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// fakeLog is a log of one organization, acme, in memory.
type fakeLog struct {
	mu    sync.Mutex
	page  changelog.Page
	err   error
	grown chan struct{}

	refreshed int // calls of Refresh
	looked    int // calls of Status
}

func newFakeLog() *fakeLog {
	return &fakeLog{page: changelog.Page{OrgGUID: "guid", Epoch: "epoch"}, grown: make(chan struct{})}
}

// add appends a change.
func (f *fakeLog) add(action, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.page.Head++
	f.page.Entries = append(f.page.Entries, changelog.Entry{ID: f.page.Head, Action: action, Path: path})
	close(f.grown)
	f.grown = make(chan struct{})
}

func (f *fakeLog) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeLog) Page(_ context.Context, org string, seq int64, limit int) (changelog.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return changelog.Page{}, f.err
	}
	if org != "acme" {
		return changelog.Page{}, changelog.ErrNoOrganization
	}
	if seq > f.page.Head {
		return changelog.Page{}, &changelog.GoneError{Reason: changelog.ReasonBeyondHead, Seq: seq, Head: f.page.Head}
	}
	p := f.page
	p.Entries = p.Entries[seq:]
	if limit > 0 && len(p.Entries) > limit {
		p.Entries = p.Entries[:limit]
	}
	return p, nil
}

func (f *fakeLog) Wait(ctx context.Context, _ string, seq int64) error {
	for {
		f.mu.Lock()
		grown, head := f.grown, f.page.Head
		f.mu.Unlock()
		if head > seq {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeLog) Refresh(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refreshed++
	return f.err
}

func (f *fakeLog) Status(context.Context) (changelog.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked++
	return changelog.Status{
		Capture: changelog.Snapshot, Epoch: "epoch", Writes: true, Lag: time.Second,
		Organizations: []changelog.OrganizationStatus{{Name: "acme", Head: f.page.Head}}, Problems: []string{"a secret of the house"},
	}, f.err
}

// trust believes what a request says of its sender.
type trust struct {
	who feedserver.Requestor
	err error
}

func (a *trust) Authenticate(_ context.Context, r *feedserver.Request) (feedserver.Requestor, error) {
	who := a.who
	who.Name = r.Signature.User
	return who, a.err
}

// rig is a feed server over a fake log.
type rig struct {
	*testing.T
	log    *fakeLog
	auth   *trust
	server *feedserver.Server
	http   *httptest.Server
	said   *bytes.Buffer
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, log: newFakeLog(), auth: &trust{}, said: &bytes.Buffer{}}
	r.server = feedserver.New(feedserver.Options{
		Log: r.log, Auth: r.auth, Allow: []string{"replica"},
		Logger: slog.New(slog.NewTextHandler(r.said, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	r.http = httptest.NewServer(r.server)
	t.Cleanup(func() { r.server.Release(); r.http.Close() })
	return r
}

// signed are headers that look like those of a signature of user replica.
func signed() http.Header {
	h := http.Header{}
	h.Set("X-Ops-Userid", "replica")
	h.Set("X-Ops-Sign", "algorithm=sha256;version=1.3;")
	h.Set("X-Ops-Timestamp", "2026-11-23T12:00:00Z")
	h.Set("X-Ops-Content-Hash", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	h.Set("X-Ops-Authorization-1", "QUJDREVGR0g=")
	return h
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

// get asks, as change wants it.
func (r *rig) get(target string, change func(*http.Request)) reply {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.http.URL+target, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header = signed()
	if change != nil {
		change(req)
	}
	return send(r.T, req)
}

func send(t testing.TB, req *http.Request) reply {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// person is somebody with a key, who asks by the project's own client.
type person struct {
	name, file, public string
	key                *rsa.PrivateKey
}

func newPerson(t testing.TB, name string) person {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	p := person{name: name, key: key, file: filepath.Join(t.TempDir(), name+".pem"),
		public: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(p.file, private, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// sign returns the headers of a request for the changes of an organization. The
// project's own client makes them, for a server that only looks at them.
func (p person) sign(t testing.TB, org, version string) http.Header {
	t.Helper()
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("[]"))
	}))
	defer s.Close()
	c, err := chef.New(chef.Options{URL: s.URL, Organization: org, User: p.name, Key: p.key, SignVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.UpdatedSince(t.Context(), 0, chef.UpdatedSinceOptions{}); err != nil {
		t.Fatal(err)
	}
	got.Del("Accept-Encoding")
	return got
}
