package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Diff compares what two in-process servers hold, without going through their
// APIs or our client. It returns one line per difference: objects that are
// missing or not equal, and cookbooks and artifacts on the second whose files are
// not all there and intact. It looks at the kinds that every pair replicates, and
// at those of more.
func Diff(t testing.TB, primary, replica *ChefServer, more ...object.Kind) []string {
	t.Helper()
	want, have := comparables(snapshot(t, primary), more), comparables(snapshot(t, replica), more)
	for path, text := range want {
		if strings.Contains(path, "/revisions/") {
			want[path] = withoutKey(t, text, groupList) // polluted there is no reason to be so here
		}
	}
	out := DiffDumps(want, have)
	books := snapshot(t, replica).Cookbooks
	for _, path := range slices.Sorted(maps.Keys(books)) {
		if !books[path].Complete() {
			out = append(out, path+": incomplete on the replica")
		}
	}
	return out
}

// CheckInSync fails the test unless [Diff] finds nothing.
func CheckInSync(t testing.TB, primary, replica *ChefServer, more ...object.Kind) {
	t.Helper()
	if diff := Diff(t, primary, replica, more...); len(diff) > 0 {
		t.Errorf("the servers differ in %d objects:\n%s", len(diff), strings.Join(diff[:min(len(diff), 20)], "\n"))
	}
}

// groupList is what erchef adds to policy revisions that are read.
const groupList = "policy_group_list"

// onRequest are the paths of kinds that not every pair replicates.
var onRequest = map[string]object.Kind{
	"clients": object.KindClient, "groups": object.KindGroup, "containers": object.KindContainer, "nodes": object.KindNode,
}

// comparables are what of a snapshot has to be the same on two servers. A policy
// without revisions, which no server lists, is left out.
func comparables(s *chefserver.Snapshot, more []object.Kind) map[string]string {
	out := map[string]string{}
	for path, text := range s.Objects {
		kind, asked := onRequest[strings.Split(path, "/")[1]]
		switch {
		case asked && !slices.Contains(more, kind), path == "/clients/"+s.Name+"-validator", unlisted(s.Objects, path):
		default:
			out[path] = text
		}
	}
	if slices.Contains(more, object.KindClient) {
		for path, text := range s.Keys {
			if !strings.HasPrefix(path, "/clients/"+s.Name+"-validator/") {
				out[path] = text
			}
		}
	}
	if slices.Contains(more, object.KindACL) {
		for path, text := range s.ACLs {
			if !unlisted(s.Objects, strings.TrimSuffix(path, "/_acl")) && path != "/groups/billing-admins/_acl" &&
				path != "/groups/public_key_read_access/_acl" && path != "/clients/"+s.Name+"-validator/_acl" {
				out[path] = withoutOwn(text)
			}
		}
	}
	if slices.Contains(more, object.KindOrganization) {
		out["/organization"] = s.FullName
	}
	return out
}

// unlisted reports whether a path is that of a policy without revisions.
func unlisted(objects map[string]string, path string) bool {
	if !strings.HasPrefix(path, "/policies/") || strings.Count(path, "/") != 2 {
		return false
	}
	for other := range objects {
		if strings.HasPrefix(other, path+"/revisions/") {
			return false
		}
	}
	return true
}

var usag = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ownNames are whom each server has for itself.
var ownNames = []string{"pivotal", SyncUser, FastUser}

// withoutOwn takes out of the text of an ACL whom each server has for itself.
func withoutOwn(text string) string {
	var acl map[string]map[string][]string
	if err := json.Unmarshal([]byte(text), &acl); err != nil {
		return text
	}
	for _, allowed := range acl {
		for noun, names := range allowed {
			allowed[noun] = slices.DeleteFunc(names, func(n string) bool {
				return slices.Contains(ownNames, n) || usag.MatchString(n)
			})
		}
	}
	return fmt.Sprint(acl) // which sorts keys
}

// withoutKey takes a key out of a JSON object, if it is there.
func withoutKey(t testing.TB, text, key string) string {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if _, has := doc[key]; !has {
		return text
	}
	delete(doc, key)
	return encode(t, doc)
}

// encode is JSON with sorted keys and no escapes for HTML.
func encode(t testing.TB, v any) string {
	t.Helper()
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}
