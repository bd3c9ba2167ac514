package sample

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// testKey is made once, and as short as can be: signing takes most of the time
// of these tests.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// newServer returns a server with the empty organization acme, and a client
// for it.
func newServer(t *testing.T) (*chefserver.Server, *chef.Client) {
	t.Helper()
	server := chefserver.New(chefserver.Options{
		PivotalKey:  testKey(),
		GenerateKey: func() (*rsa.PrivateKey, error) { return testKey(), nil },
	})
	if _, err := server.CreateOrganization("acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	c, err := chef.New(chef.Options{
		URL: h.URL, Organization: "acme", User: "pivotal", Key: testKey(), Backoff: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return server, c
}

// newLoaded is newServer with the sample in it.
func newLoaded(t *testing.T) (*chefserver.Server, *chef.Client) {
	t.Helper()
	server, c := newServer(t)
	if err := Load(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	return server, c
}

func mustRead(t *testing.T, o Options) *repo {
	t.Helper()
	r, err := readRepo(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func snapshot(t *testing.T, s *chefserver.Server) *chefserver.Snapshot {
	t.Helper()
	out, err := s.Snapshot("acme")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
