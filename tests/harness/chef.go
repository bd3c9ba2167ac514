package harness

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// Organization is the organization that [Chef] servers hold.
const Organization = "acme"

// SyncUser is the user that replicates; an admin of Organization.
const SyncUser = "ec_sync_user"

// ChefServer is an in-process Chef server with one organization.
type ChefServer struct {
	*chefserver.Server
	URL     string
	KeyFile string // of SyncUser

	// Client speaks to Organization as SyncUser, and gives up on errors after
	// milliseconds instead of seconds.
	Client *chef.Client

	// Door is where it listens.
	Door *Door
}

// Chef starts an in-process Chef server that ends with the test.
func Chef(t testing.TB, o chefserver.Options) *ChefServer {
	t.Helper()
	private, public := Keypair(t)
	s := &ChefServer{Server: chefserver.New(o), KeyFile: filepath.Join(t.TempDir(), SyncUser+".pem")}
	if err := os.WriteFile(s.KeyFile, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateOrganization(Organization, "Acme"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateUser(SyncUser, []byte(public)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddMember(Organization, SyncUser, true); err != nil {
		t.Fatal(err)
	}
	s.Door = NewDoor(t, s)
	s.URL = s.Door.URL
	s.Client = NewClient(t, s.URL, Organization, SyncUser, s.KeyFile)
	return s
}

// Organizations gives the server n further organizations and returns their names. It
// is quick if the server was started with [OneKey].
func (s *ChefServer) Organizations(t testing.TB, n int) []string {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("org-%05d", i)
		if _, err := s.CreateOrganization(names[i], names[i]); err != nil {
			t.Fatal(err)
		}
		if err := s.AddMember(names[i], SyncUser, true); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// OneKey is a GenerateKey for servers with many organizations: it makes one key.
func OneKey() func() (*rsa.PrivateKey, error) {
	return sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
}

// NewClient returns a client that gives up on errors after milliseconds.
func NewClient(t testing.TB, url, org, user, keyFile string) *chef.Client {
	t.Helper()
	key, err := chef.ReadKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chef.New(chef.Options{
		URL: url, Organization: org, User: user, Key: key, Backoff: time.Millisecond, Timeout: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func snapshot(t testing.TB, s *ChefServer) *chefserver.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(Organization)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// Path compiles the pattern of a request path for a [chefserver.Fault].
func Path(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }
