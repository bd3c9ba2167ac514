package prepare

import (
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestGoiardi: a real server, without organizations, groups and more than one key
// for each user.
func TestGoiardi(t *testing.T) {
	if testing.Short() {
		t.Skip("starts goiardi")
	}
	g := harness.Goiardi(t, harness.InMemory())
	// A deaf server takes changes of users and forgets them.
	var deaf atomic.Bool
	server, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(server)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deaf.Load() && r.Method == http.MethodPut {
			_, _ = io.WriteString(w, `{"name":"ec_sync_user","admin":true}`)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	as := func(user string, key *rsa.PrivateKey) (*chef.Client, error) {
		return chef.New(chef.Options{URL: proxy.URL, User: user, Key: key, Retries: -1})
	}
	adminKey, err := chef.ReadKey(g.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := as(g.User, adminKey)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t}
	w.job = Job{
		As: admin, SignAs: func(key *rsa.PrivateKey) (*chef.Client, error) { return as(syncUser, key) },
		User: syncUser, KeyFile: filepath.Join(t.TempDir(), "key.pem"), Member: true, DryRun: true,
	}
	w.want("key would do", "user would do", "member none", "admin none", "rights would do")
	w.job.DryRun = false
	r := w.want("key done", "user done", "member none", "admin none", "rights found")
	if what := r.Steps[4].What; what != "ec_sync_user may read cookbooks, roles, environments, data" {
		t.Error(what)
	}
	w.job.Member, w.job.Writes, w.job.DryRun = false, true, true
	w.want("key found", "user found", "member none", "admin would do", "rights would do")
	w.job.DryRun = false
	deaf.Store(true)
	w.fails("admin", nil, "the server took it, and ec_sync_user is no admin")
	deaf.Store(false)
	r = w.want("key found", "user found", "member none", "admin done", "rights found")
	all := []string{"create", "read", "update", "delete", "grant"}
	if diff := cmp.Diff([]Actor{{g.User, "user", all}, {syncUser, "user", all}}, r.Actors); diff != "" || len(r.Notes) > 0 {
		t.Errorf("notes %q, actors: %s", r.Notes, diff)
	}
	w.want("key found", "user found", "member none", "admin found", "rights found")

	own, err := chef.ReadKey(w.job.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := as(syncUser, own)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateRole(t.Context(), []byte(`{"name":"web"}`)); err != nil {
		t.Errorf("the prepared user cannot write: %v", err)
	}
	w.job.KeyFile, w.job.AddKey = filepath.Join(t.TempDir(), "other.pem"), "second"
	w.fails("key", []string{TryCopyKey}, "its key is not here")
}
