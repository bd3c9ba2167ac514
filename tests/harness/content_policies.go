package harness

import (
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// Upload brings files to the server, through a sandbox, and returns the MD5 of
// each by its path.
func (w *Content) Upload(files map[string]string) map[string]string {
	w.t.Helper()
	sums, content := map[string]string{}, map[string]string{}
	var list []string
	for path, text := range files {
		sum := md5.Sum([]byte(text)) //nolint:gosec // see the import
		sums[path] = hex.EncodeToString(sum[:])
		content[sums[path]] = text
		list = append(list, sums[path])
	}
	if len(list) == 0 {
		return sums
	}
	sb, err := w.c.CreateSandbox(w.t.Context(), list)
	w.must("sandbox", err)
	for sum, url := range sb.Uploads {
		text := content[sum]
		w.must("upload", w.c.UploadFile(w.t.Context(), url, sum, int64(len(text)), func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		}))
	}
	w.must("commit", w.c.CommitSandbox(w.t.Context(), sb.ID))
	return sums
}

// Do sends a request as it is; the path is one below the organization. It is for
// what no client of ours would send.
func (w *Content) Do(method, path, body string) {
	w.t.Helper()
	w.must(method+" "+path, w.Try(method, path, body))
}

// Try is [Content.Do] with the error that came of it.
func (w *Content) Try(method, path, body string) error {
	w.t.Helper()
	var in any
	if body != "" {
		in = json.RawMessage(body)
	}
	_, err := w.c.Do(w.t.Context(), method, strings.TrimPrefix(path, "/"), nil, in)
	return err
}

// AllFiles is the all_files of a manifest.
func AllFiles(sums map[string]string) string {
	entries := []map[string]string{}
	for path, sum := range sums {
		name := path
		if !strings.Contains(path, "/") {
			name = "root_files/" + path
		}
		entries = append(entries, map[string]string{"name": name, "path": path, "checksum": sum, "specificity": "default"})
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

// Artifact uploads a cookbook artifact; note stands in its metadata.
func (w *Content) Artifact(name, id, note string, files map[string]string) {
	w.t.Helper()
	w.Do("PUT", "cookbook_artifacts/"+name+"/"+id, fmt.Sprintf(`{"name":%q,"identifier":%q,"version":"1.0.0","chef_type":"cookbook_version",
		"frozen?":false,"metadata":{"name":%q,"version":"1.0.0","description":%q,"dependencies":{}},"all_files":%s}`,
		name, id, name, note, AllFiles(w.Upload(files))))
}

// Revision is the body of a policy revision that locks artifacts, each of them
// "name/identifier".
func Revision(policy, id, value string, artifacts ...string) string {
	var locks []string
	for _, a := range artifacts {
		name, identifier, _ := strings.Cut(a, "/")
		locks = append(locks, fmt.Sprintf(`%q:{"identifier":%q,"version":"1.0.0","dotted_decimal_identifier":"1.2.3"}`, name, identifier))
	}
	return fmt.Sprintf(`{"revision_id":%q,"name":%q,"run_list":[],"named_run_lists":{},"included_policy_locks":[],
		"cookbook_locks":{%s},"default_attributes":{"v":%q,"n":12345678901234567890,"f":1.5},"override_attributes":{},"solution_dependencies":{"a":[]}}`,
		id, policy, strings.Join(locks, ","), value)
}

// Policy creates a policy revision.
func (w *Content) Policy(policy, id, value string, artifacts ...string) {
	w.t.Helper()
	w.must("revision "+id, w.c.CreatePolicyRevision(w.t.Context(), policy, json.RawMessage(Revision(policy, id, value, artifacts...))))
}

// Pointer makes a policy group use a revision that is there.
func (w *Content) Pointer(group, policy, id string) {
	w.t.Helper()
	body, err := w.c.GetPolicyRevision(w.t.Context(), policy, id)
	w.must("revision "+id, err)
	w.must("pointer", w.c.PutPointer(w.t.Context(), group, policy, body))
}

// PolicyGroup makes a policy group without policies.
func (w *Content) PolicyGroup(name string) {
	w.t.Helper()
	w.Policy("scaffold", "0", "")
	w.Pointer(name, "scaffold", "0")
	w.must("policy", w.c.DeletePolicy(w.t.Context(), "scaffold"))
}

// Policies adds two policies with their artifacts and three policy groups, one of
// them empty: 13 objects, and two distinct files that [Content.Small] has not.
func (w *Content) Policies() {
	w.t.Helper()
	w.Artifact("app", "aaaa", "one", map[string]string{"recipes/default.rb": "artifact 1"})
	w.Artifact("app", "bbbb", "two", map[string]string{"recipes/default.rb": "artifact 2", "compliance/x.rb": "artifact 1"})
	w.Policy("web", "1111", "1", "app/aaaa")
	w.Policy("web", "2222", "2", "app/bbbb")
	w.Policy("db", "3333", "3", "app/aaaa", "app/bbbb")
	w.Pointer("prod", "web", "1111")
	w.Pointer("test", "web", "2222")
	w.Pointer("prod", "db", "3333")
	w.PolicyGroup("retired")
}

// Node creates or updates a node.
func (w *Content) Node(name, value string) {
	w.t.Helper()
	body := json.RawMessage(fmt.Sprintf(`{"name":%q,"chef_environment":"_default","json_class":"Chef::Node","chef_type":"node",
		"normal":{"v":%q},"default":{},"override":{},"automatic":{},"run_list":[]}`, name, value))
	err := w.c.CreateNode(w.t.Context(), body)
	if chef.IsConflict(err) {
		err = w.c.UpdateNode(w.t.Context(), name, body)
	}
	w.must("node "+name, err)
}

// Client creates a client with keys of the given names: the same key each time,
// but that is not what tells them apart. None makes one without keys.
func (w *Content) Client(name string, keys ...string) {
	w.t.Helper()
	_, public := Keypair(w.t)
	w.must("client "+name, w.c.CreateClient(w.t.Context(), chef.NewClient{Name: name}))
	for _, k := range keys {
		w.must("key "+k, w.c.CreateClientKey(w.t.Context(), name, chef.ClientKey{Name: k, PublicKey: public, ExpirationDate: chef.Infinity}))
	}
}

// Group makes a group with its members, which replace those it has.
func (w *Content) Group(name string, users, clients, groups []string) {
	w.t.Helper()
	if err := w.c.CreateGroup(w.t.Context(), name); !chef.IsConflict(err) {
		w.must("group "+name, err)
	}
	w.must("group "+name, w.c.UpdateGroup(w.t.Context(), chef.Group{Name: name, Users: users, Clients: clients, Groups: groups}))
}

// Container makes a container.
func (w *Content) Container(name string) {
	w.t.Helper()
	w.must("container "+name, w.c.CreateContainer(w.t.Context(), name))
}

// Allow replaces who has a permission on an object; kind is the word of its path.
func (w *Content) Allow(kind, name string, p chef.Permission, a chef.Allowed) {
	w.t.Helper()
	w.must("ACL of "+name, w.c.PutACL(w.t.Context(), kind, name, p, a))
}
