package replicate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// matrixWorld is a pair that replicates all kinds, and a page that makes an
// engine write in every way that it has: create, update and delete of each kind,
// and what takes more than one request.
type matrixWorld struct {
	*rig
	page   []object.Change
	before *chefserver.Backup // the replica before the page
	wire   *wire
}

// wire notes the writes that go through to a server, in order.
type wire struct {
	mu     sync.Mutex
	writes []string // METHOD PATH
}

// The parts of paths that are others each time.
var (
	sandboxID = regexp.MustCompile("/sandboxes/.*")
	guidInURL = regexp.MustCompile("/organization-[^/]*")
)

func (w *wire) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.mu.Lock()
			path := guidInURL.ReplaceAllString(sandboxID.ReplaceAllString(r.URL.Path, "/sandboxes/ID"), "/organization-GUID")
			w.writes = append(w.writes, r.Method+" "+path)
			w.mu.Unlock()
		}
		next.ServeHTTP(rw, r)
	})
}

// taken returns how often each write was asked for since the last call.
func (w *wire) taken() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]int{}
	for _, line := range w.writes {
		out[line]++
	}
	w.writes = nil
	return out
}

// matrixGone is what only the replica has, and the page deletes.
var matrixGone = []string{
	"/cookbooks/gone/1.0.0", "/cookbook_artifacts/gone/1", "/data/gone", "/data/b/gone", "/containers/gone", "/clients/gone",
	"/roles/gone", "/environments/gone", "/policies/p/revisions/gone", "/groups/gone", "/policies/gone",
	"/policy_groups/pg/policies/q", "/policy_groups/gone", "/nodes/gone",
}

// matrixNew is what only the primary has.
var matrixNew = []string{
	"/cookbooks/new/1.0.0", "/cookbook_artifacts/new/1", "/data/new", "/data/new/i", "/containers/new", "/clients/new",
	"/roles/new", "/environments/new", "/policies/new/revisions/1", "/policies/new", "/policies/hollow", "/groups/new", "/groups/nested",
	"/policy_groups/new/policies/p", "/policy_groups/new", "/policy_groups/hollow", "/nodes/new",
}

// matrixChanged is what the two hold differently, or equal ("/data/b").
var matrixChanged = append([]string{
	"/data/b", "/cookbooks/forced/1.0.0", "/cookbooks/thawed/1.0.0", "/cookbook_artifacts/other/1", "/clients/changed", "/organization",
	"/policies/q/revisions/other", "/groups/changed", "/policy_groups/pg/policies/p", "/nodes/changed", "/roles/r/_acl",
}, everyKind...)

func newMatrixWorld(t *testing.T) *matrixWorld {
	t.Helper()
	o := chefserver.Options{ConcurrentUploadFails: true}
	r := &rig{t: t, primary: harness.FastChef(t, o), replica: harness.FastChef(t, o)}
	m := &matrixWorld{rig: r, wire: &wire{}}
	m.page = append(update(matrixChanged...), create(matrixNew...)...)
	m.page = append(m.page, changes(object.ActionDelete, matrixGone...)...)
	_, public := harness.Keypair(t)
	for _, s := range []*harness.ChefServer{r.primary, r.replica} {
		m.must(s.CreateUser("alice", []byte(public)))
		m.must(s.AddMember(harness.Organization, "alice", false))
	}
	m.fill(r.primary.Client, true, public)
	m.fill(r.replica.Client, false, public)
	var err error
	m.before, err = r.replica.Backup(harness.Organization)
	m.must(err)
	m.reset()
	return m
}

func (m *matrixWorld) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// reset puts the replica back and throws the engine away.
func (m *matrixWorld) reset() {
	m.t.Helper()
	m.replica.Faults().Clear()
	m.must(m.replica.RestoreBackup(harness.Organization, m.before))
	m.must(m.replica.Client.UpdateOrganization(m.t.Context(), "before"))
	st, err := staging.Open(m.t.Context(), "file://"+m.t.TempDir()+"/staging")
	m.must(err)
	m.t.Cleanup(func() { _ = st.Close() })
	m.Engine = &replicate.Engine{
		Primary: m.primary.Client, Replica: harness.Through(m.t, m.replica, m.wire.wrap), Staging: st,
		Uploads: &replicate.Uploads{}, Wanted: object.Scope{Kinds: object.Kinds()}, Recreate: true,
	}
	m.wire.taken()
}

// fill writes one side: the primary as it is to be, or the replica as it was.
func (m *matrixWorld) fill(c *chef.Client, primary bool, key string) {
	m.t.Helper()
	w, ctx := harness.Write(m.t, c), m.t.Context()
	value, only := "old", "gone"
	if primary {
		value, only = "changed", "new"
	}
	files := map[string]string{"recipes/a.rb": only + " file", "README.md": "same"}
	writeEveryKind(w, value)
	w.Role(only, "1")
	w.Environment(only, "1")
	w.Item(only, "i", "1")
	w.Cookbook(only, "1.0.0", true, files)
	w.Cookbook("forced", "1.0.0", true, map[string]string{"x": value + " forced"})
	w.Cookbook("thawed", "1.0.0", !primary, map[string]string{"x": value + " thawed"})
	m.must(harness.PutArtifact(ctx, c, only, "1", files))
	m.must(harness.PutArtifact(ctx, c, "other", "1", map[string]string{"x": value + " artifact"}))
	revision := func(policy, id string) json.RawMessage { return harness.PolicyRevision(policy, id, "", nil) }
	for _, id := range []string{"1", "2"} {
		m.must(c.CreatePolicyRevision(ctx, "p", revision("p", id)))
	}
	m.must(c.CreatePolicyRevision(ctx, "q", harness.PolicyRevision("q", "other", value, nil)))
	m.must(c.CreatePolicyRevision(ctx, only, revision(only, "1")))
	m.must(c.PutPointer(ctx, "pg", "p", revision("p", map[bool]string{true: "2", false: "1"}[primary])))
	m.must(c.PutPointer(ctx, only, "p", revision("p", "1")))
	m.must(c.PutPointer(ctx, "keeps", "q", harness.PolicyRevision("q", "other", value, nil))) // equal, and on a revision that is made anew
	m.must(c.CreateContainer(ctx, only))
	m.must(c.CreateNode(ctx, json.RawMessage(fmt.Sprintf(`{"name":%q,"chef_environment":"_default","run_list":[]}`, only))))
	m.must(c.CreateNode(ctx, json.RawMessage(fmt.Sprintf(`{"name":"changed","chef_environment":"_default","run_list":[],"normal":{"v":%q}}`, value))))
	m.must(c.CreateClient(ctx, chef.NewClient{Name: only, PublicKey: key}))
	m.must(c.CreateClientKey(ctx, only, chef.ClientKey{Name: "second", PublicKey: key, ExpirationDate: chef.Infinity}))
	m.must(c.CreateClient(ctx, chef.NewClient{Name: "changed", PublicKey: key, Validator: primary}))
	expires := map[bool]string{true: "2033-12-24T21:00:00Z", false: chef.Infinity}[primary]
	m.must(c.CreateClientKey(ctx, "changed", chef.ClientKey{Name: "replaced", PublicKey: key, ExpirationDate: expires}))
	m.must(c.CreateClientKey(ctx, "changed", chef.ClientKey{Name: only, PublicKey: key, ExpirationDate: chef.Infinity}))
	m.must(c.CreateGroup(ctx, only))
	m.must(c.CreateGroup(ctx, "changed"))
	if !primary {
		m.must(c.CreateDataBagItem(ctx, "b", "gone", json.RawMessage(`{"id":"gone"}`)))
		m.must(c.CreatePolicyRevision(ctx, "p", revision("p", "gone")))
		m.must(c.PutPointer(ctx, "pg", "q", harness.PolicyRevision("q", "other", value, nil)))
		m.must(c.UpdateGroup(ctx, chef.Group{Name: "changed", Users: []string{c.User()}, Clients: []string{}, Groups: []string{}}))
		return
	}
	m.must(c.CreatePolicyRevision(ctx, "hollow", revision("hollow", "1")))
	m.must(c.DeletePolicyRevision(ctx, "hollow", "1"))
	m.must(c.PutPointer(ctx, "hollow", "p", revision("p", "1")))
	m.must(c.DeletePointer(ctx, "hollow", "p"))
	m.must(c.CreateGroup(ctx, "nested"))
	m.must(c.UpdateGroup(ctx, chef.Group{Name: "new", Users: []string{"alice"}, Clients: []string{"new"}, Groups: []string{"nested"}}))
	m.must(c.UpdateGroup(ctx, chef.Group{Name: "changed", Users: []string{"alice", c.User()}, Clients: []string{}, Groups: []string{"clients"}}))
	for _, p := range chef.Permissions() {
		m.must(c.PutACL(ctx, "roles", "r", p, chef.Allowed{Users: []string{"alice", c.User(), "pivotal"}, Clients: []string{}, Groups: []string{"admins"}}))
	}
	m.must(c.UpdateOrganization(ctx, "Acme, renamed"))
}

// differences compares what the two servers hold, past their APIs, with nothing of
// the engine: everything must be equal but the server's own (validators, and the
// ACLs of what both had before, which the page is not about).
func (m *matrixWorld) differences() []string {
	m.t.Helper()
	p, r := m.snapshot(m.primary), m.snapshot(m.replica)
	var out []string
	diff := func(of string, want, have map[string]string) {
		for _, path := range slices.Sorted(maps.Keys(want)) {
			if strings.Contains(path, "-validator") {
				continue
			}
			if got, ok := have[path]; !ok {
				out = append(out, of+" "+path+": missing")
			} else if got != want[path] {
				out = append(out, fmt.Sprintf("%s %s:\n\tprimary %s\n\treplica %s", of, path, want[path], got))
			}
		}
		for _, path := range slices.Sorted(maps.Keys(have)) {
			if _, ok := want[path]; !ok && !strings.Contains(path, "-validator") {
				out = append(out, of+" "+path+": too much")
			}
		}
	}
	diff("object", p.Objects, r.Objects)
	diff("key", p.Keys, r.Keys)
	diff("ACL", map[string]string{"r": p.ACLs["/roles/r/_acl"]}, map[string]string{"r": r.ACLs["/roles/r/_acl"]})
	if p.FullName != r.FullName {
		out = append(out, "full name "+r.FullName)
	}
	for path, v := range r.Cookbooks {
		if !v.Complete() {
			out = append(out, path+": incomplete")
		}
	}
	return out
}
