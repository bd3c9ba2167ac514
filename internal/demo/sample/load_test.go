package sample

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// testKey is made once; making an RSA key is slow.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
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
	c, err := chef.New(chef.Options{URL: h.URL, Organization: "acme", User: "pivotal", Key: testKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return server, c
}

func TestLoad(t *testing.T) {
	_, c := newServer(t)
	if err := Load(t.Context(), c, func(done, total int) { t.Log(done, total) }); err != nil {
		t.Fatal(err)
	}
}
