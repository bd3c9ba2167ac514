package doctor_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestAllIsWell: no failure, no warning, nothing skipped, and nothing written.
func TestAllIsWell(t *testing.T) {
	h := newHost(t, chefserver.Options{Feed: true})
	got := h.examine()
	for _, r := range got {
		if r.State != doctor.OK || r.Text == "" || r.Fix != "" {
			t.Errorf("%+v", r)
		}
	}
	if len(got) != 23 {
		t.Errorf("%d results:\n%s", len(got), got)
	}
	got.want(t, "feed", doctor.Primary, doctor.OK, "updated_since answers, up to number 2", "")
	for _, s := range []*harness.ChefServer{h.primary, h.replica} {
		if w := s.Stats().Writes; len(w) > 0 {
			t.Errorf("the doctor wrote %v", w)
		}
	}
	if again := h.examine(); again.String() != got.String() {
		t.Errorf("another order:\n%s\nthan\n%s", again, got)
	}
}

func TestKeyFiles(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	text, err := os.ReadFile(h.key)
	if err != nil {
		t.Fatal(err)
	}
	h.key = filepath.Join(h.dir, "key.pem")
	try := func(text []byte, mode os.FileMode) results {
		t.Helper()
		if err := os.WriteFile(h.key, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(h.key, mode); err != nil {
			t.Fatal(err)
		}
		return h.examine()
	}
	got := h.examine()
	got.want(t, "key", doctor.Replica, doctor.Failed, "no such file", "scp PRIMARY:"+h.key)
	got.want(t, "user", doctor.Replica, doctor.Skipped, "see key", "")
	got.want(t, "server", doctor.Primary, doctor.OK, "Chef Infra Server", "")
	got.only(t, "key")
	got = try(text, 0o644)
	got.want(t, "key", doctor.Primary, doctor.Failed, "others than its owner", "chmod 600 "+h.key)
	got.only(t, "key")
	try([]byte("nonsense"), 0o600).want(t, "key", doctor.Primary, doctor.Failed, "not a PEM file", "sync_key")

	other, _ := harness.Keypair(t)
	got = try([]byte(other), 0o600)
	got.want(t, "key", doctor.Primary, doctor.OK, "", "")
	got.want(t, "user", doctor.Primary, doctor.Failed, "401", "list-user-keys fast")
	got.want(t, "rights", doctor.Primary, doctor.Skipped, "see user", "")
	got.only(t, "user")
}

func TestClock(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"clock"}
	for _, c := range []struct {
		off   time.Duration
		state doctor.State
		words string
	}{
		{0, doctor.OK, "the same as"},
		{20 * time.Second, doctor.OK, "behind"},
		{-70 * time.Second, doctor.Warning, "ahead of"},
		{70 * time.Second, doctor.Warning, "behind"},
		{-16 * time.Minute, doctor.Failed, "ahead of"},
		{16 * time.Minute, doctor.Failed, "signatures are refused from 15m0s on"},
	} {
		h.primary.SetClock(func() time.Time { return time.Now().Add(c.off) })
		fix := "timedatectl"
		if c.state == doctor.OK {
			fix = ""
		}
		h.examine().want(t, "clock", doctor.Primary, c.state, c.words, fix)
	}
}

func TestServers(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.primaryURL = "http://127.0.0.1:9"
	got := h.examine()
	got.want(t, "server", doctor.Primary, doctor.Failed, "connection refused", "nothing listens there")
	got.want(t, "user", doctor.Primary, doctor.Skipped, "see server", "")
	got.want(t, "rights", doctor.Replica, doctor.OK, "admin", "")
	got.only(t, "server")

	wait := make(chan struct{})
	h.behind(func(http.ResponseWriter, *http.Request) { <-wait })
	h.limit = 50 * time.Millisecond
	began := time.Now()
	got = h.examine()
	close(wait)
	got.want(t, "server", doctor.Primary, doctor.Failed, "no answer", "too slow or unreachable")
	got.only(t, "server", "user", "rights", "feed", "organization") // of the other one, on a slow machine
	if took := time.Since(began); took > doctor.DefaultLimit {
		t.Errorf("a silent server took %s", took)
	}
}

func TestOrganizationsAndRights(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	got := h.examine("organizations [{ :source => 'acme', :destination => 'other' }]")
	got.want(t, "organization", doctor.Replica, doctor.Failed, "has no organization other", "org-create other")
	got.want(t, "rights", doctor.Replica, doctor.Skipped, "see organization", "")
	got.want(t, "user", doctor.Replica, doctor.OK, "", "")
	got.only(t, "organization")
}

// TestRights: what an admin, a member, and a stranger may do on each side.
func TestRights(t *testing.T) {
	h := newHost(t, chefserver.Options{Feed: true})
	private, public := harness.Keypair(t)
	h.user, h.key = "reader", filepath.Join(h.dir, "reader.pem")
	both := func(do func(s *harness.ChefServer) error) {
		t.Helper()
		if err := errors.Join(do(h.primary), do(h.replica)); err != nil {
			t.Fatal(err)
		}
	}
	both(func(s *harness.ChefServer) error { return s.CreateUser(h.user, []byte(public)) })
	if err := os.WriteFile(h.key, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.examine()
	got.want(t, "user", doctor.Primary, doctor.OK, "accepts the signature of reader", "")
	got.want(t, "rights", doctor.Primary, doctor.Failed, "reader is no member", "prepare-org acme    # on the primary")
	got.want(t, "rights", doctor.Replica, doctor.Failed, "reader is no member", "prepare-org acme    # on the replica")
	got.want(t, "feed", doctor.Primary, doctor.Skipped, "no member", "")
	got.only(t, "rights")

	both(func(s *harness.ChefServer) error { return s.AddMember(harness.Organization, h.user, false) })
	got = h.examine()
	got.want(t, "rights", doctor.Primary, doctor.OK, "may list everything; it is no admin", "")
	got.want(t, "rights", doctor.Replica, doctor.Warning, "may write, and is no admin", "prepare-org acme")
	got.only(t)
	// Also if it may see who the admins are.
	acl, err := h.primary.Client.GetACL(t.Context(), "groups", "admins")
	if err != nil {
		t.Fatal(err)
	}
	read := acl["read"]
	read.Groups = append(read.Groups, "users")
	if err := h.primary.Client.PutACL(t.Context(), "groups", "admins", "read", read); err != nil {
		t.Fatal(err)
	}
	h.examine().want(t, "rights", doctor.Primary, doctor.OK, "may list everything; it is no admin", "")
	got = h.examine("clients true", "acls true")
	got.want(t, "rights", doctor.Primary, doctor.Failed, "only an admin can copy objects of kind client, acl", "prepare-org acme")
	got.want(t, "rights", doctor.Replica, doctor.Failed, "only an admin can copy objects of kind client, acl", "prepare-org acme")
	got.want(t, "feed", doctor.Primary, doctor.Warning, "tells nothing of objects of kind acl", "feed :listing")
	got.only(t, "rights")

	h.primary.Faults().Add(chefserver.Fault{Path: harness.Path("/roles$"), Effect: chefserver.Forbidden("read")})
	h.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/sandboxes$"), Effect: chefserver.Forbidden("create")})
	got = h.examine()
	got.want(t, "rights", doctor.Primary, doctor.Failed, "reader may not list roles", "prepare-org acme")
	got.want(t, "rights", doctor.Replica, doctor.Failed, "reader may not write", "prepare-org acme")
	h.primary.Faults().Clear()
	h.primary.Faults().Add(chefserver.Fault{Path: harness.Path("/policies$"), Effect: chefserver.EmptyOK()})
	h.examine().want(t, "rights", doctor.Primary, doctor.OK, "this server cannot hold policies", "")
}

func TestFeeds(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"feed"}
	h.examine().want(t, "feed", doctor.Primary, doctor.OK, "the primary has no updated_since: lists are compared every 10s", "")
	h.examine("feed :listing").want(t, "feed", doctor.Primary, doctor.OK, "feed :listing", "")
	h.examine("feed :updated_since").want(t, "feed", doctor.Primary, doctor.Failed, "the primary has none", "feed :auto")
	h.primary.Faults().Add(chefserver.Fault{Path: harness.Path("updated_since"), Effect: chefserver.Status(403, `{"error":["reader is not allowed"]}`)})
	h.examine().want(t, "feed", doctor.Primary, doctor.Failed, "403", "doctor --only allow")

	plain := newHost(t, chefserver.Options{Feed: true, FeedPlain: true})
	plain.examine().want(t, "feed", doctor.Primary, doctor.OK, "as it was documented", "")
}

func TestTemporal(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"temporal", "attributes", "worker"}
	delete(h.temporal.attributes, "ChefSyncMode")
	got := h.examine()
	got.want(t, "attributes", doctor.Host, doctor.Warning, "missing", "chef-sync-ctl doctor --setup")
	got.want(t, "worker", doctor.Host, doctor.OK, "asks for work", "")
	h.temporal.pollers[0].Identity = "ec-syncd/1.2.2 7@host"
	h.examine().want(t, "worker", doctor.Host, doctor.Warning, "ec-syncd is version 1.2.2, and this is 1.2.3", "systemctl restart ec-syncd")
	h.temporal.pollers = h.temporal.pollers[1:]
	h.examine().want(t, "worker", doctor.Host, doctor.Failed, "nothing is replicated", "systemctl start ec-syncd")
	h.temporal.down = errors.New("connection refused")
	got = h.examine()
	got.want(t, "temporal", doctor.Host, doctor.Failed, "connection refused", "temporal operator cluster health")
	got.want(t, "worker", doctor.Host, doctor.Skipped, "see temporal", "")
	got.only(t, "temporal")
}

func TestDisk(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"directory", "staging", "logs"}
	staging := filepath.Join(h.dir, "staging")
	if err := errors.Join(os.Mkdir(staging, 0o700), os.Chmod(staging, 0o750), os.Chmod(h.dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	got := h.examine()
	got.want(t, "directory", doctor.Host, doctor.Warning, "can be written by others (mode 0777)", "chmod go-w "+h.dir)
	got.want(t, "staging", doctor.Host, doctor.Failed, "it holds secrets", "chmod 0700 "+staging)
	got.want(t, "logs", doctor.Host, doctor.OK, "ec-syncd makes it", "")
	file := filepath.Join(h.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.examine("ec_sync_client['log_directory'] = '"+file+"'").want(t, "logs", doctor.Host, doctor.Failed, "is no directory", "log_directory")
	h.examine("ec_sync_client['log_directory'] = ''").want(t, "logs", doctor.Host, doctor.Skipped, "no log files are written", "")
	h.examine("ec_sync_client['dir'] = '"+file+"/below'").want(t, "directory", doctor.Host, doctor.Failed, "is no directory", "ec_sync_client['dir']")
}

// TestNoChefServer: a login page is no server, and no configuration needs no example.
func TestNoChefServer(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>please log in</html>"))
	}))
	t.Cleanup(page.Close)
	h.primaryURL = page.URL
	got := h.examine()
	got.want(t, "server", doctor.Primary, doctor.Failed, "does not answer as a Chef server", "check the server URL")
	got.want(t, "user", doctor.Primary, doctor.Skipped, "see server", "")
	got.want(t, "organization", doctor.Primary, doctor.Skipped, "see server", "")
	got.only(t, "server")

	got = doctor.Run(t.Context(), doctor.Options{File: "x.rb", Err: fmt.Errorf("there is none: %w\nrole :replica", fs.ErrNotExist)})
	got.want(t, "configuration", doctor.Host, doctor.Failed, "there is no configuration at x.rb", "$EDITOR x.rb")
	if strings.Contains(got.String(), "role") {
		t.Error(got)
	}
	got = doctor.Run(t.Context(), doctor.Options{File: "x.rb", Err: fmt.Errorf("open x.rb: %w", fs.ErrPermission)})
	got.want(t, "configuration", doctor.Host, doctor.Failed, "permission denied", "sudo chef-sync-ctl doctor")
}

// TestSameOrganization: a server under another name is no replica. Two ports may be
// two servers, one of them restored from a backup of the other.
func TestSameOrganization(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"organization"}
	h.examine().only(t)
	h.behind(func(http.ResponseWriter, *http.Request) {})
	h.replica = h.primary
	got := h.examine()
	got.want(t, "organization", doctor.Replica, doctor.Warning, "if they are one server with two names", "restored from a backup")
	got.want(t, "organization", doctor.Primary, doctor.OK, "has it", "")

	cfg, err := config.Parse("chef-sync.rb", fmt.Appendf(nil, `master '%s'
replica 'https://replica.example.com'
organizations ['acme']
ec_sync_client['sync_user'] = '%s'
ec_sync_client['sync_key'] = '%s'`, h.primary.URL, h.user, h.key))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Replica.URL = cfg.Primary.URL // as another name of the same address
	got = doctor.Run(t.Context(), doctor.Options{Config: cfg, File: "chef-sync.rb", Only: h.only})
	got.want(t, "organization", doctor.Replica, doctor.Failed, "are one server", "replica in chef-sync.rb")
}

// TestAdminThroughGroup: a member of a group in the group admins is an admin.
func TestAdminThroughGroup(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"rights"}
	file := filepath.Join(h.dir, "pivotal.pem")
	if err := os.WriteFile(file, h.replica.PivotalKeyPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := harness.NewClient(t, h.replica.URL, harness.Organization, "pivotal", file)
	admins, err := c.GetGroup(t.Context(), "admins")
	if err != nil {
		t.Fatal(err)
	}
	admins.Users = []string{"pivotal"}
	if err := errors.Join(c.CreateGroup(t.Context(), "ops"), c.UpdateGroup(t.Context(), admins)); err != nil {
		t.Fatal(err)
	}
	h.examine().want(t, "rights", doctor.Replica, doctor.Warning, "is no admin", "prepare-org")
	admins.Groups = append(admins.Groups, "ops")
	if err := errors.Join(c.UpdateGroup(t.Context(), admins),
		c.UpdateGroup(t.Context(), chef.Group{Name: "ops", Users: []string{h.user}})); err != nil {
		t.Fatal(err)
	}
	h.examine().want(t, "rights", doctor.Replica, doctor.OK, "is an admin", "")
}
