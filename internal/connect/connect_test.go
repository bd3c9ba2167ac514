package connect_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// setup is a configuration of two servers, whose key stands in the file key.
type setup struct {
	t                *testing.T
	primary, replica *harness.ChefServer
	key              string
	cfg              *config.Config
	conn             *connect.Connector
}

var acme = object.Pair{Replica: "sync", Source: "acme", Destination: "acme"}

func newSetup(t *testing.T, more string) *setup {
	t.Helper()
	s := &setup{
		t: t, primary: harness.FastChef(t, chefserver.Options{}), replica: harness.FastChef(t, chefserver.Options{}),
		key: filepath.Join(t.TempDir(), "sync.pem"),
	}
	s.copyKey(s.primary.KeyFile)
	s.load(fmt.Sprintf(`role :replica
master '%s'
replica '%s'
organizations ['acme']
ec_sync_client['sync_user'] = '%s'
ec_sync_client['sync_key'] = '%s'
%s`, s.primary.URL, s.replica.URL, harness.FastUser, s.key, more))
	return s
}

func (s *setup) load(text string) {
	s.t.Helper()
	cfg, err := config.Parse(filepath.Join(s.t.TempDir(), "chef-sync.rb"), []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	st, err := staging.Open(s.t.Context(), "mem://")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = st.Close() })
	s.cfg, s.conn = cfg, connect.New(cfg, st, slog.New(slog.DiscardHandler))
}

// copyKey replaces the key as an operator does, some time later.
func (s *setup) copyKey(from string) {
	s.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.key, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *setup) connect() *activities.Connection {
	s.t.Helper()
	c, err := s.conn.Connect(s.t.Context(), acme)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestConnect(t *testing.T) {
	s := newSetup(t, "")
	c := s.connect()
	if n := s.primary.Stats().Total + s.replica.Stats().Total; n != 0 {
		t.Errorf("connecting made %d requests", n)
	}
	harness.Write(t, s.primary.Client).Role("r", "1")
	if _, err := c.Engine.Survey(t.Context()); err != nil {
		t.Error(err)
	}
	if c.Engine.Primary.URL() != s.primary.URL || c.Engine.Replica.URL() != s.replica.URL || c.Engine.Replica.Organization() != "acme" {
		t.Errorf("connected to %s and %s", c.Engine.Primary.URL(), c.Engine.Replica.URL())
	}
	if head, err := c.Feed.Head(t.Context()); err != nil || head.Feed != feed.NameListing {
		t.Errorf("feed of a stock server: %v, %v", head, err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if again, err := s.conn.Connect(t.Context(), acme); again != c || err != nil {
				t.Errorf("a second call made another connection (%v)", err)
			}
		})
	}
	wg.Wait()
}

func TestUnknownPairs(t *testing.T) {
	s := newSetup(t, "")
	for _, p := range []object.Pair{
		{Replica: "sync", Source: "other", Destination: "other"},
		{Replica: "sync", Source: "other", Destination: "acme"},
		{Replica: "other", Source: "acme", Destination: "acme"},
		{},
	} {
		c, err := s.conn.Connect(t.Context(), p)
		if c != nil || !errors.Is(err, activities.ErrNotConfigured) || !strings.Contains(err.Error(), s.cfg.File) {
			t.Errorf("%+v: %v, %v; want ErrNotConfigured and the file's name", p, c, err)
		}
	}
}

// TestKeys: whatever is wrong with a key is said, and when it is right nobody
// has to restart anything.
func TestKeys(t *testing.T) {
	s := newSetup(t, "")
	bad := func(what, word string) {
		t.Helper()
		c, err := s.conn.Connect(t.Context(), acme)
		if c != nil || !errors.Is(err, activities.ErrNotConfigured) || !strings.Contains(err.Error(), word) ||
			!strings.Contains(err.Error(), s.primary.URL) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v; want an error of one line with %q", what, c, err, word)
		}
	}
	if err := os.Remove(s.key); err != nil {
		t.Fatal(err)
	}
	bad("missing", s.key)
	bad("still missing", "no such file")
	s.copyKey(s.primary.KeyFile)
	first := s.connect()

	if err := os.Chmod(s.key, 0o644); err != nil {
		t.Fatal(err)
	}
	bad("readable by all", "chmod 600 "+s.key)
	if err := os.Chmod(s.key, 0o600); err != nil {
		t.Fatal(err)
	}
	s.connect()

	// Another key: refused by the servers, until the old one is back.
	other, _ := harness.Keypair(t)
	if err := os.WriteFile(s.key, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	c := s.connect()
	if c == first {
		t.Error("a replaced key was not noticed")
	}
	if _, err := c.Engine.Identities(t.Context()); !errors.Is(err, chef.ErrCredentials) {
		t.Errorf("a wrong key: %v", err)
	}
	s.copyKey(s.primary.KeyFile)
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(s.key, later, later); err != nil { // of the same size, perhaps
		t.Fatal(err)
	}
	if _, err := s.connect().Engine.Identities(t.Context()); err != nil {
		t.Errorf("the right key again: %v", err)
	}
	if err := os.WriteFile(s.key, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad("garbage", "not a PEM file")
}

func TestServersWithoutOrganizations(t *testing.T) {
	s := newSetup(t, "master_organizations false")
	pair, ok := s.cfg.Pair("acme")
	if !ok {
		t.Fatalf("pairs %v", s.cfg.Pairs)
	}
	c, err := s.conn.Connect(t.Context(), pair)
	if err != nil {
		t.Fatal(err)
	}
	if c.Engine.Primary.Organization() != "" || c.Engine.Replica.Organization() != "acme" {
		t.Errorf("organizations %q and %q", c.Engine.Primary.Organization(), c.Engine.Replica.Organization())
	}
}

func TestFeeds(t *testing.T) {
	for setting, want := range map[string]string{
		"": feed.NameAuto, ":auto": feed.NameAuto, ":listing": feed.NameListing, ":updated_since": feed.NameUpdatedSince,
	} {
		more := ""
		if setting != "" {
			more = "feed " + setting
		}
		if got := newSetup(t, more).connect().Feed.Name(); got != want {
			t.Errorf("feed %q: %s, want %s", setting, got, want)
		}
	}
}

// TestSettingsOfPairs: each pair is replicated as its entry says.
func TestSettingsOfPairs(t *testing.T) {
	s := newSetup(t, `nodes true
extras 'delete'
delete_limit['objects'] = 0
organizations [
  'acme',
  { :source => 'acme', :destination => 'other', :kinds => [:role], :nodes => false, :exclude => ['/roles/x'],
    :extras => :keep, :delete_limit => { :percent => 0, :objects => 3 }, :thaw => true },
]`)
	type settings struct {
		Scope    string
		Exclude  []string
		Limit    plan.DeleteLimit
		Extras   bool
		Recreate bool
	}
	got := map[string]settings{}
	for _, p := range s.cfg.Pairs {
		c, err := s.conn.Connect(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		scope := c.Engine.Wanted
		got[p.Destination] = settings{object.Scope{Kinds: scope.Kinds}.String(), scope.Exclude, c.DeleteLimit, c.DeleteExtras, c.Engine.Recreate}
	}
	defaults := object.Scope{Kinds: append(object.DefaultKinds(), object.KindNode)}
	want := map[string]settings{
		"acme":  {Scope: defaults.String(), Limit: plan.DeleteLimit{Percent: 10, Objects: plan.NoDeletes}, Extras: true},
		"other": {Scope: "role", Exclude: []string{"/roles/x"}, Limit: plan.DeleteLimit{Percent: plan.NoDeletes, Objects: 3}, Recreate: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

// TestFeedLooksAtThePairsScope, as the engine does.
func TestFeedLooksAtThePairsScope(t *testing.T) {
	s := newSetup(t, "exclude '/roles/x'")
	c := s.connect()
	head, err := c.Feed.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write := harness.Write(t, s.primary.Client)
	write.Role("r", "1")
	write.Role("x", "1")
	page, err := c.Feed.Next(t.Context(), head, feed.NextOptions{})
	if err != nil || len(page.Changes) != 1 || page.Changes[0].Ref != object.MustRef("/roles/r") {
		t.Errorf("changes %v, %v; want the role that is not excluded", page.Changes, err)
	}
}
