package replicate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// The tests named TestLoss are one for each thing that is known to get lost when
// an organization is copied with Chef's own tools.

// onRequest are the kinds that a pair replicates only if it is told to.
var onRequest = []object.Kind{
	object.KindClient, object.KindGroup, object.KindACL, object.KindContainer, object.KindNode, object.KindOrganization,
}

// also makes the rig replicate more kinds than a pair does by itself.
func (r *rig) also(more ...object.Kind) {
	r.Wanted.Kinds = append(object.DefaultKinds(), more...)
}

// settled copies everything once, and fails the test unless that was enough: no
// failure, both oracles and Compare say equal, and a second time writes nothing.
func (r *rig) settled(more ...object.Kind) {
	r.t.Helper()
	r.complete(r.sync())
	r.equal(more...)
	r.replica.ResetStats()
	r.complete(r.sync())
	if n := r.replica.Stats().WriteTotal(); n != 0 {
		r.t.Errorf("the second time writes %d objects, want none: %v", n, r.replica.Stats().Writes)
	}
}

func (r *rig) complete(got replicate.Fetched, done replicate.Applied) {
	r.t.Helper()
	if failed := reasons(got.Failed, done.Failed); failed != "" {
		r.t.Errorf("failures:\n%s", failed)
	}
}

// equal asks three who do not know of each other: past the APIs, through the
// APIs, and the engine.
func (r *rig) equal(more ...object.Kind) {
	r.t.Helper()
	harness.CheckInSync(r.t, r.primary, r.replica, more...)
	diff := harness.DiffDumps(harness.Dump(r.t, r.primary.Client, more...), harness.Dump(r.t, r.replica.Client, more...))
	if len(diff) > 0 {
		r.t.Errorf("through the API the servers differ:\n%s", strings.Join(diff, "\n"))
	}
	if c := r.compare(); !c.Equal() {
		r.t.Errorf("Compare says the servers differ: %v", c.Differences)
	}
}

func (r *rig) compare() replicate.Comparison {
	r.t.Helper()
	c, err := r.Compare(r.t.Context(), quiet)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// onReplica writes to the replica, as somebody else does.
func (r *rig) onReplica() *harness.Content { return harness.Write(r.t, r.replica.Client) }

// putCookbook stores a version with more in its metadata than name and version,
// which is JSON without its braces.
func putCookbook(w *harness.Content, name, version string, frozen bool, metadata string, files map[string]string) {
	w.Do(http.MethodPut, "cookbooks/"+name+"/"+version, manifest(name, version, frozen, metadata, harness.AllFiles(w.Upload(files))))
}

func manifest(name, version string, frozen bool, metadata, allFiles string) string {
	if metadata != "" {
		metadata = "," + metadata
	}
	return fmt.Sprintf(`{"name":"%[1]s-%[2]s","cookbook_name":%[1]q,"version":%[2]q,"json_class":"Chef::CookbookVersion",
		"chef_type":"cookbook_version","frozen?":%[3]t,"metadata":{"name":%[1]q,"version":%[2]q,"dependencies":{}%[4]s},"all_files":%[5]s}`,
		name, version, frozen, metadata, allFiles)
}

// body reads an object as a server sends it, numbers with all their digits.
func body(t *testing.T, c *chef.Client, path string) map[string]any {
	t.Helper()
	resp, err := c.Do(t.Context(), http.MethodGet, strings.TrimPrefix(path, "/"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(resp.Body))
	dec.UseNumber()
	var out map[string]any
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// pivotal is the superuser of a server.
func pivotal(t *testing.T, s *harness.ChefServer) *chef.Client {
	t.Helper()
	return harness.NewClient(t, s.URL, harness.Organization, "pivotal", keyFile(t, "pivotal", string(s.PivotalKeyPEM())))
}

// keyFile is a file with somebody's private key.
func keyFile(t *testing.T, name, private string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".pem")
	if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sent is one request that the replica was sent.
type sent struct {
	method, path, body string
	header             http.Header
}

// record puts somebody between the engine and the replica who writes down what is
// sent; the list is complete when the engine is idle.
func (r *rig) record() func(method, path string) []sent {
	r.t.Helper()
	var mu sync.Mutex
	var list []sent
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			r.t.Error(err)
		}
		mu.Lock()
		list = append(list, sent{req.Method, req.URL.Path, string(text), req.Header.Clone()})
		mu.Unlock()
		req.Body = io.NopCloser(bytes.NewReader(text))
		r.replica.ServeHTTP(w, req)
	}))
	r.t.Cleanup(proxy.Close)
	r.Replica = harness.NewClient(r.t, proxy.URL, harness.Organization, harness.FastUser, r.replica.KeyFile)
	return func(method, path string) []sent {
		mu.Lock()
		defer mu.Unlock()
		var out []sent
		for _, s := range list {
			if s.method == method && regexp.MustCompile(path).MatchString(s.path) {
				out = append(out, s)
			}
		}
		return out
	}
}
