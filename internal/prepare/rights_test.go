package prepare

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// TestInvitation: without a superuser an admin of the organization invites, and the
// user accepts.
func TestInvitation(t *testing.T) {
	w := newWorld(t)
	w.key(syncUser)
	w.job.As = w.as("alice", adminKey())
	w.job.DryRun = true
	w.writes()
	r := w.want("key found", "user found", "member would do", "admin would do", "rights would do")
	if sent := w.writes(); len(sent) > 0 || !strings.Contains(r.Steps[2].What, "is invited into acme, and accepts") {
		t.Errorf("sent %v, steps %+v", sent, r.Steps)
	}
	w.job.DryRun = false
	w.want("key found", "user found", "member done", "admin done", "rights found")
	w.prepared()
	r = w.want(allFound...)
	if g := r.Groups[1]; g.Name != "billing-admins" || !g.Unread {
		t.Errorf("%+v; want it unread: alice may not see it", g)
	}
}

// TestOpenInvitation: one that is open already is accepted, whoever sent it.
func TestOpenInvitation(t *testing.T) {
	w := newWorld(t)
	w.key(syncUser)
	alice := w.as("alice", adminKey())
	_, err := alice.Invite(t.Context(), syncUser)
	w.must(err)
	w.job.As, w.job.DryRun = nil, true
	w.writes()
	w.want("key found", "user found", "member would do", "admin would do", "rights would do")
	if sent := w.writes(); len(sent) > 0 {
		t.Errorf("a dry run sent %v", sent)
	}
	w.job.DryRun = false
	r := w.fails("admin", []string{TryAdmin}, "ec_sync_user lacks the permission read on the group admins")
	if r.Steps[2] != (Step{"member", StateDone, "ec_sync_user is invited into acme, and accepts"}) {
		t.Errorf("steps %+v", r.Steps)
	}
	w.job.As = alice
	w.want("key found", "user found", "member found", "admin done", "rights found")
	w.prepared()
	w.job.As = nil // and the user itself sees that all is well
	w.want(allFound...)
}

// TestInvalidInvitation: whoever sent it is no admin any more.
func TestInvalidInvitation(t *testing.T) {
	w := newWorld(t)
	w.key(syncUser)
	_, err := w.as("alice", adminKey()).Invite(t.Context(), syncUser)
	w.must(err)
	w.must(w.server.AddMember(org, "alice", false))
	w.job.As = nil
	w.fails("member", []string{TryAdmin}, "whoever sent it lost the right to", "This invitation is no longer valid")
}

// TestNotEnoughRights: each error names the right that is missing, and nothing is
// written before it.
func TestNotEnoughRights(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(*world)
		step   string
		try    []string
		words  []string
	}{
		"nobody": {func(w *world) { w.job.As = nil }, "key", []string{TryAdmin, TryCopyKey}, []string{"there is neither a key of somebody with rights nor"}},
		"an admin may not create users": {
			func(w *world) { w.job.As = w.as("alice", adminKey()) },
			"user", []string{TryAdmin}, []string{"alice lacks the permission create on users, which only the superuser and server admins have"},
		},
		"an admin may not look at strangers": {
			func(w *world) {
				w.must(w.server.CreateUser(syncUser, w.public(adminKey())))
				w.key("")
				w.job.As = w.as("alice", adminKey())
			},
			"user", []string{TryAdmin}, []string{"alice lacks the permission read on the user ec_sync_user"},
		},
		"a member may not invite": {
			func(w *world) { w.key(syncUser); w.job.As = w.as("bob", adminKey()) },
			"member", []string{TryAdmin}, []string{"bob lacks the permission update on the organization acme"},
		},
		"a member may not make admins": {
			func(w *world) {
				w.key(syncUser)
				w.must(w.server.AddMember(org, syncUser, false))
				w.job.As = w.as("bob", adminKey())
			},
			"admin", []string{TryAdmin}, []string{"bob lacks the permission read on the group admins"},
		},
		"may read admins, not change it": {
			func(w *world) {
				w.key(syncUser)
				w.must(w.server.AddMember(org, syncUser, false))
				w.must(w.job.As.PutACL(w.Context(), "groups", "admins", "read", chef.Allowed{Users: []string{"bob"}, Groups: []string{"admins"}}))
				w.job.As = w.as("bob", adminKey())
			},
			"admin", []string{TryAdmin}, []string{"bob lacks the permission update on the group admins"},
		},
		"a stranger": {
			func(w *world) {
				w.must(w.server.CreateUser("eve", w.public(adminKey())))
				w.job.As = w.as("eve", adminKey())
			},
			"organization", []string{TryAdmin}, []string{"eve is neither the superuser nor a member of acme"},
		},
		"an unknown key": {
			func(w *world) { w.job.As = w.as("pivotal", newTestKey()) },
			"organization", []string{TryAdmin}, []string{"the server does not know pivotal by the key that was used"},
		},
		"the user itself, unknown": {
			func(w *world) { w.key(""); w.job.As = nil },
			"organization", []string{TryAdmin}, []string{"the server does not know ec_sync_user"},
		},
		"the user itself, not invited": {
			func(w *world) { w.key(syncUser); w.job.As = nil },
			"member", []string{TryAdmin}, []string{"ec_sync_user is not a member of acme and was not invited"},
		},
		"the user itself, not invited, looking only": {
			func(w *world) { w.key(syncUser); w.job.As, w.job.DryRun = nil, true },
			"member", []string{TryAdmin}, []string{"ec_sync_user is not a member of acme and was not invited"},
		},
		"a wrong organization": {
			func(w *world) { w.job.As = w.job.As.WithOrganization("acne") },
			"organization", nil, []string{"there is no organization acne on http", "which has acme"},
		},
		"a wrong organization, for an admin": {
			func(w *world) { w.job.As = w.as("alice", adminKey()).WithOrganization("acne") },
			"organization", nil, []string{"there is no organization acne: "},
		},
		"a client of the same name": {
			func(w *world) { w.must(w.job.As.CreateClient(w.Context(), chef.NewClient{Name: syncUser})) },
			"user", nil, []string{"ec_sync_user is the name of a client already"},
		},
		"a key that others can read": {
			func(w *world) { w.key(syncUser); w.must(os.Chmod(w.job.KeyFile, 0o644)) },
			"key", []string{TryMendKey}, []string{"cannot be used", "chmod 600"},
		},
		"a directory that cannot be made": {
			func(w *world) { w.job.KeyFile = "/dev/null/x.pem" },
			"key", []string{TryMendKey}, []string{"/dev/null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.before(w)
			w.writes()
			w.fails(tt.step, tt.try, tt.words...)
			for _, sent := range w.writes() {
				if !strings.Contains(sent, "association_requests") && !strings.HasPrefix(sent, "PUT /organizations/ORG/groups/") {
					t.Errorf("sent %s", sent) // what was refused may have been sent
				}
			}
		})
	}
}

// TestEchoedGroup: a server that takes the group and drops a member is found out by
// reading it back.
func TestEchoedGroup(t *testing.T) {
	w := newWorld(t)
	w.server.Faults().Add(chefserver.Fault{
		Method: "PUT", Path: regexp.MustCompile(`/groups/admins$`), Effect: chefserver.Status(http.StatusOK, `{"groupname":"admins"}`),
	})
	w.fails("admin", nil, "the server took the group admins, and it lacks ec_sync_user")
}

// TestRefusedMembership: the server says that the user joined, and does not list it.
func TestRefusedMembership(t *testing.T) {
	w := newWorld(t)
	w.server.Faults().Add(chefserver.Fault{
		Method: "POST", Path: regexp.MustCompile(`^/organizations/acme/users$`), Effect: chefserver.Status(http.StatusCreated, `{"uri":"x"}`),
	})
	w.fails("member", nil, "the server said that ec_sync_user joined acme, and does not list it")
}

// TestServerAdmin: one who may list and create users, and not associate them, goes
// on by invitation.
func TestServerAdmin(t *testing.T) {
	w := newWorld(t)
	w.server.Faults().Add(chefserver.Fault{
		Method: "POST", Path: regexp.MustCompile(`^/organizations/acme/users$`), Effect: chefserver.Status(http.StatusForbidden, `{"error":["missing create permission"]}`),
	})
	w.want("key done", "user done", "member done", "admin done", "rights found")
	w.prepared()
}

// TestLacks: rights that admins were denied are named, and are no error.
func TestLacks(t *testing.T) {
	w := newWorld(t)
	nobody := chef.Allowed{}
	w.must(w.job.As.PutACL(t.Context(), "containers", "roles", "read", nobody))
	w.must(w.job.As.PutACL(t.Context(), "containers", "data", "create", nobody))
	w.must(w.job.As.PutACL(t.Context(), "containers", "policies", "create", chef.Allowed{Groups: []string{"users"}}))
	w.must(w.job.As.PutACL(t.Context(), "containers", "cookbooks", "create", chef.Allowed{Groups: []string{"admins"}}))
	w.must(w.job.As.PutACL(t.Context(), "containers", "sandboxes", "create", nobody)) // without it no file can be uploaded
	r := w.want("key done", "user done", "member done", "admin done", "rights lacks")
	want := []string{"read on the container roles", "create on the container data", "create on the container sandboxes"}
	if !slices.Equal(r.Lacks, want) {
		t.Errorf("lacks %q, want %q", r.Lacks, want)
	}
	w.job.Writes = false
	if r = w.want("key found", "user found", "member found", "admin found", "rights lacks"); !slices.Equal(r.Lacks, want[:1]) {
		t.Errorf("a primary lacks %q, want %q", r.Lacks, want[:1])
	}
}

// TestRightsByGroup: a right may come by a group of the organization, or by one that
// such a group contains; groups that contain each other are no reason to go on for ever.
func TestRightsByGroup(t *testing.T) {
	w := newWorld(t)
	w.want("key done", "user done", "member done", "admin done", "rights found")
	group := func(name string, users, groups []string) {
		w.must(w.job.As.CreateGroup(t.Context(), name))
		w.must(w.job.As.UpdateGroup(t.Context(), chef.Group{Name: name, Users: users, Clients: []string{}, Groups: groups}))
	}
	group("loaders", []string{syncUser}, []string{})
	group("others", []string{"bob"}, []string{})
	group("outer", []string{}, []string{"loaders"})
	group("circle", []string{}, []string{"others"})
	w.must(w.job.As.UpdateGroup(t.Context(), chef.Group{Name: "others", Users: []string{"bob"}, Clients: []string{}, Groups: []string{"circle"}}))
	allow := func(kind string, groups ...string) {
		w.must(w.job.As.PutACL(t.Context(), "containers", kind, "create", chef.Allowed{Groups: groups}))
	}
	allow("data", "loaders")
	allow("roles", "others", "outer")
	w.want(allFound...)
	allow("environments", "circle")
	allow("cookbooks", "billing-admins")
	want := []string{"create on the container cookbooks", "create on the container environments"}
	if r := w.want("key found", "user found", "member found", "admin found", "rights lacks"); !slices.Equal(r.Lacks, want) {
		t.Errorf("lacks %q, want %q", r.Lacks, want)
	}
	w.job.As = nil // who may not see who is in billing-admins
	want[0] += ", unless by a group whose members cannot be seen (billing-admins)"
	if r := w.want("key found", "user found", "member found", "admin found", "rights lacks"); !slices.Equal(r.Lacks, want) {
		t.Errorf("lacks %q, want %q", r.Lacks, want)
	}
}

// TestACLsOfOthers: an ACL that the user may not read is read by whoever prepares.
func TestACLsOfOthers(t *testing.T) {
	w := newWorld(t)
	w.must(w.job.As.PutACL(t.Context(), "containers", "roles", "grant", chef.Allowed{Users: []string{"pivotal"}, Groups: []string{}}))
	w.want("key done", "user done", "member done", "admin done", "rights found")
	w.job.As = nil
	want := []string{"grant on the container roles"}
	if r := w.want("key found", "user found", "member found", "admin found", "rights lacks"); !slices.Equal(r.Lacks, want) {
		t.Errorf("lacks %q, want %q", r.Lacks, want)
	}
}

// TestOldServer: what a server does not have is no right that is missing.
func TestOldServer(t *testing.T) {
	w := newWorld(t)
	w.server.Faults().Add(chefserver.Fault{
		Path: regexp.MustCompile(`^/organizations/acme/(policies|policy_groups|cookbook_artifacts)$`), Effect: chefserver.Status(http.StatusNotFound, `<html></html>`),
	})
	r := w.want("key done", "user done", "member done", "admin done", "rights found")
	if what := r.Steps[4].What; what != "ec_sync_user may read and create cookbooks, roles, environments, data" {
		t.Error(what)
	}
}

// TestListsAreNoErrors: the work is done when the lists are made.
func TestListsAreNoErrors(t *testing.T) {
	w := newWorld(t)
	w.server.Faults().Add(chefserver.Fault{Path: regexp.MustCompile(`/groups$|/organizations/_acl$`), Effect: chefserver.Status(500, `{"error":["no"]}`)})
	r := w.want("key done", "user done", "member done", "admin done", "rights found")
	if len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "groups cannot be listed by pivotal") || !strings.Contains(r.Notes[1], "actors cannot") {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestNoSecrets: neither the key nor a password is in what is shown.
func TestNoSecrets(t *testing.T) {
	w := newWorld(t)
	w.server.Faults().Add(chefserver.Fault{Method: "POST", Path: regexp.MustCompile(`^/users$`), Effect: chefserver.Status(400, `{"error":["bad ECHO"]}`)})
	sent := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/users" {
			body := make([]byte, r.ContentLength)
			_, _ = r.Body.Read(body)
			sent = string(body)
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(rw, `{"error":[%q]}`, "cannot take "+sent)
			return
		}
		w.server.ServeHTTP(rw, r)
	}))
	defer proxy.Close()
	w.url = proxy.URL
	w.job.As = w.as("pivotal", adminKey())
	r, _, err := w.run()
	password := regexp.MustCompile(`"password":"([^"]+)"`).FindStringSubmatch(sent)
	if err == nil || len(password) != 2 || len(password[1]) < 16 {
		t.Fatalf("%v, sent %d bytes", err, len(sent))
	}
	if shown := fmt.Sprintf("%+v %v", r, err); strings.Contains(shown, password[1]) || strings.Contains(shown, "BEGIN") {
		t.Errorf("a secret is in %s", shown)
	}
}

// TestKeyOwner: whoever runs the daemon can read the key that root wrote.
func TestKeyOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: nobody can be given a file")
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "new", "key.pem")
	uid := os.Geteuid()
	if uid == 0 {
		uid = 12345
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	key := newTestKey()
	if err := saveKey(file, key, dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != uid {
		t.Errorf("owner %+v, %v; want %d", info.Sys(), err, uid)
	}
	if err := saveKey(file, newTestKey(), dir); !os.IsExist(err) {
		t.Errorf("written over: %v", err)
	}
	if err := saveKey(filepath.Join(dir, "x.pem"), key, filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	}
	// What could not be completed is not left behind: the next run would take it for
	// the key. Only root gives files away, and can fail to.
	half := filepath.Join(dir, "half.pem")
	err = saveKey(half, key, "/dev/null/x")
	if _, statErr := os.Stat(half); (err != nil) != os.IsNotExist(statErr) || (err != nil) != (os.Geteuid() == 0) {
		t.Errorf("a key that could not be given away: %v, and then %v", err, statErr)
	}
	if got, err := chef.ReadKey(file); uid == os.Geteuid() && (err != nil || !got.Equal(key)) {
		t.Errorf("key %v", err)
	}
}
