package prepare

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
)

const (
	org      = "acme"
	syncUser = "ec_sync_user"
)

// adminKey signs for everybody but the user that replicates.
var adminKey = sync.OnceValue(newTestKey)

func newTestKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
}

// world is a server with the organization acme, whose admin is alice and whose
// plain member is bob, and a job to prepare it.
type world struct {
	*testing.T
	server *chefserver.Server
	url    string
	job    Job

	retries int // of clients
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, retries: -1, server: chefserver.New(chefserver.Options{
		PivotalKey: adminKey(), GenerateKey: func() (*rsa.PrivateKey, error) { return adminKey(), nil },
	})}
	_, err := w.server.CreateOrganization(org, "Acme")
	w.must(err)
	w.must(w.server.CreateUser("alice", w.public(adminKey())))
	w.must(w.server.CreateUser("bob", w.public(adminKey())))
	w.must(w.server.AddMember(org, "alice", true))
	w.must(w.server.AddMember(org, "bob", false))
	h := httptest.NewServer(w.server)
	t.Cleanup(h.Close)
	w.url = h.URL
	w.job = Job{
		As:      w.as("pivotal", adminKey()),
		SignAs:  func(key *rsa.PrivateKey) (*chef.Client, error) { return w.as(syncUser, key), nil },
		User:    syncUser,
		KeyFile: filepath.Join(t.TempDir(), "etc", "ec_sync_user.pem"),
		Writes:  true,
		NewKey:  func() (*rsa.PrivateKey, error) { return newTestKey(), nil },
	}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) public(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	w.must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (w *world) as(user string, key *rsa.PrivateKey) *chef.Client {
	c, err := chef.New(chef.Options{URL: w.url, Organization: org, User: user, Key: key, Retries: w.retries, Backoff: time.Millisecond})
	w.must(err)
	w.Cleanup(c.Close)
	return c
}

// key writes a key file, and makes its user if asked to.
func (w *world) key(user string) *rsa.PrivateKey {
	w.Helper()
	key := newTestKey()
	w.must(saveKey(w.job.KeyFile, key, ""))
	if user != "" {
		w.must(w.server.CreateUser(user, w.public(key)))
	}
	return key
}

// run runs the job and returns its steps as "name state".
func (w *world) run() (*Result, []string, error) {
	w.Helper()
	r, err := w.job.Run(w.Context())
	var steps []string
	for _, s := range r.Steps {
		steps = append(steps, s.Name+" "+string(s.State))
	}
	return r, steps, err
}

// want runs the job, which must succeed with these steps.
func (w *world) want(steps ...string) *Result {
	w.Helper()
	r, got, err := w.run()
	if diff := cmp.Diff(steps, got); err != nil || diff != "" {
		w.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	return r
}

// fails runs the job, which must fail in a step with these words.
func (w *world) fails(step string, try []string, words ...string) *Result {
	w.Helper()
	r, _, err := w.run()
	var e *Error
	if !errors.As(err, &e) || e.Step != step || !slices.Equal(e.Try, try) {
		w.Fatalf("%#v; want a failure of the step %s that suggests %q", err, step, try)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.Errorf("%q does not say %q", err, word)
		}
	}
	return r
}

// writes is what was sent since the last call that is no question.
func (w *world) writes() []string {
	var out []string
	for request := range maps.Keys(w.server.Stats().Requests) {
		if !strings.HasPrefix(request, "GET ") {
			out = append(out, request)
		}
	}
	w.server.ResetStats()
	return out
}

// prepared checks that everything is as prepare-org promises.
func (w *world) prepared() {
	w.Helper()
	key, err := chef.ReadKey(w.job.KeyFile)
	w.must(err)
	snap, err := w.server.Snapshot(org)
	w.must(err)
	if !slices.Contains(snap.Members, syncUser) || !slices.Contains(snap.Admins, syncUser) != w.job.Member {
		w.Errorf("members %v, admins %v", snap.Members, snap.Admins)
	}
	if !slices.Contains(snap.Admins, "alice") || !slices.Contains(snap.Groups["admins"].Users, "pivotal") {
		w.Errorf("admins %v lost somebody", snap.Groups["admins"].Users)
	}
	if _, err := w.as(syncUser, key).ListRoles(w.Context()); err != nil {
		w.Errorf("the key in the file does not sign: %v", err)
	}
}

var allFound = []string{"key found", "user found", "member found", "admin found", "rights found"}

func TestNothingThere(t *testing.T) {
	w := newWorld(t)
	group, err := w.job.As.GetGroup(t.Context(), "admins")
	w.must(err)
	group.Groups, group.Clients = []string{"billing-admins"}, []string{"acme-validator"}
	w.must(w.job.As.UpdateGroup(t.Context(), group))
	w.job.KeyDir = t.TempDir()

	w.job.DryRun = true
	w.writes()
	w.want("key would do", "user would do", "member would do", "admin would do", "rights would do")
	if sent := w.writes(); len(sent) > 0 {
		t.Errorf("a dry run sent %v", sent)
	}
	if _, err := os.Stat(filepath.Dir(w.job.KeyFile)); err == nil {
		t.Error("a dry run wrote the key")
	}

	w.job.DryRun = false
	r := w.want("key done", "user done", "member done", "admin done", "rights found")
	w.prepared()
	info, err := os.Stat(w.job.KeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v, %v", info, err)
	}
	after, err := w.job.As.GetGroup(t.Context(), "admins")
	if err != nil || !slices.Contains(after.Groups, "billing-admins") || !slices.Contains(after.Clients, "acme-validator") {
		t.Errorf("admins %+v, %v", after, err)
	}
	w.listed(r)

	w.writes()
	w.want(allFound...)
	if sent := w.writes(); len(sent) > 0 {
		t.Errorf("the second run sent %v", sent)
	}
}

// listed checks what the original's command listed as well.
func (w *world) listed(r *Result) {
	w.Helper()
	if r.FullName != "Acme" || len(r.GUID) != 32 || len(r.Notes) > 0 || !r.Changed() {
		w.Errorf("result %+v", r)
	}
	var names []string
	for _, g := range r.Groups {
		names = append(names, g.Name)
	}
	if diff := cmp.Diff([]string{"admins", "billing-admins", "clients", "public_key_read_access", "users"}, names); diff != "" {
		w.Error(diff)
	}
	if diff := cmp.Diff([]string{"alice", syncUser, "pivotal"}, r.Groups[0].Users); diff != "" {
		w.Error(diff)
	}
	if diff := cmp.Diff([]string{"alice", "bob", syncUser}, r.Members); diff != "" {
		w.Error(diff)
	}
	all := []string{"create", "read", "update", "delete", "grant"}
	if diff := cmp.Diff([]Actor{{"admins", "group", all}, {"users", "group", []string{"read"}}, {"pivotal", "user", all}}, r.Actors); diff != "" {
		w.Error(diff)
	}
}

// TestKeyFromTheOtherHost: the replica gets the key that the primary has.
func TestKeyFromTheOtherHost(t *testing.T) {
	w := newWorld(t)
	key := w.key("")
	w.want("key found", "user done", "member done", "admin done", "rights found")
	w.prepared()
	if now, err := chef.ReadKey(w.job.KeyFile); err != nil || !now.Equal(key) {
		t.Errorf("the key file was written over: %v", err)
	}
}

func TestMemberThatIsNoAdmin(t *testing.T) {
	w := newWorld(t)
	w.key(syncUser)
	w.must(w.server.AddMember(org, syncUser, false))
	w.want("key found", "user found", "member found", "admin done", "rights found")
	w.prepared()
}

// TestMembership: a primary that is only read.
func TestMembership(t *testing.T) {
	w := newWorld(t)
	w.job.Member, w.job.Writes = true, false
	w.want("key done", "user done", "member done", "admin none", "rights found")
	w.prepared()
}

func TestKeyMismatch(t *testing.T) {
	w := newWorld(t)
	w.must(w.server.CreateUser(syncUser, w.public(adminKey())))
	copyOrAdd := []string{TryCopyKey, TryAddKey}
	w.fails("key", copyOrAdd, "the user ec_sync_user exists, and its key is not here")

	w.key("")
	w.writes()
	w.fails("key", copyOrAdd, "is none of its keys, which are called default")
	if sent := w.writes(); len(sent) > 0 {
		t.Errorf("sent %v", sent)
	}

	w.job.AddKey = "default"
	w.fails("user", []string{TryAddKey}, "has another key called default")
	w.job.AddKey = "second"
	w.want("key found", "user done", "member done", "admin done", "rights found")
	w.prepared()
	keys, err := w.job.As.ListUserKeys(t.Context(), syncUser)
	if err != nil || !slices.Equal(keys, []string{"default", "second"}) {
		t.Errorf("keys %v, %v", keys, err)
	}
	w.want(allFound...) // with --add-key still there
}

func TestAddKeyWithoutFile(t *testing.T) {
	w := newWorld(t)
	w.must(w.server.CreateUser(syncUser, w.public(adminKey())))
	w.job.AddKey, w.job.DryRun = "second", true
	w.want("key would do", "user would do", "member would do", "admin would do", "rights would do")
	w.job.DryRun = false
	w.want("key done", "user done", "member done", "admin done", "rights found")
	w.prepared()
}

// TestCrash: each write fails, or is done and reported as failed. The next run goes
// on with the same key; a client that retries hears of its own success.
func TestCrash(t *testing.T) {
	for _, write := range []chefserver.Fault{
		{Method: "POST", Path: regexp.MustCompile(`^/users$`), Count: 1},
		{Method: "POST", Path: regexp.MustCompile(`^/organizations/acme/users$`), Count: 1},
		{Method: "PUT", Path: regexp.MustCompile(`/groups/admins$`), Count: 1},
	} {
		for name, effect := range map[string]chefserver.Effect{
			"not done": chefserver.Status(500, `{"error":["no"]}`), "done": chefserver.DoneBut(500, `{"error":["no"]}`),
		} {
			for _, retries := range []int{-1, 1} {
				t.Run(fmt.Sprintf("%s %s, %s, %d retries", write.Method, write.Path, name, retries), func(t *testing.T) {
					w := newWorld(t)
					w.retries = retries
					w.job.As = w.as("pivotal", adminKey())
					write.Effect = effect
					w.server.Faults().Add(write)
					if _, _, err := w.run(); (err == nil) != (retries > 0) {
						t.Fatalf("first run: %v", err)
					}
					before, err := chef.ReadKey(w.job.KeyFile)
					w.must(err)
					_, _, err = w.run()
					w.must(err)
					w.prepared()
					if now, err := chef.ReadKey(w.job.KeyFile); err != nil || !now.Equal(before) {
						t.Errorf("another key, %v", err)
					}
				})
			}
		}
	}
}
