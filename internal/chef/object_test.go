package chef

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every list of the package, as a function of its names only.
func lists(c *Client, t *testing.T) map[string]func() (any, error) {
	ctx := t.Context()
	return map[string]func() (any, error){
		"roles":          func() (any, error) { return c.ListRoles(ctx) },
		"environments":   func() (any, error) { return c.ListEnvironments(ctx) },
		"data bags":      func() (any, error) { return c.ListDataBags(ctx) },
		"data bag items": func() (any, error) { return c.ListDataBagItems(ctx, "b") },
		"cookbooks":      func() (any, error) { return c.ListCookbooks(ctx) },
		"nodes":          func() (any, error) { return c.ListNodes(ctx) },
		"artifacts":      func() (any, error) { return c.ListArtifacts(ctx) },
		"policies":       func() (any, error) { return c.ListPolicies(ctx) },
		"policy groups":  func() (any, error) { return c.ListPolicyGroups(ctx) },
	}
}

// No answer but a complete list may pass for one: an empty list means that
// everything was deleted.
func TestNoDoubtfulList(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"empty body":       says(200, ""),
		"no content":       says(204, ""),
		"web page":         says(200, "<html></html>", "Content-Type", "application/json"),
		"null":             says(200, "null"),
		"array":            says(200, "[]"),
		"string":           says(200, `"{}"`),
		"error text":       says(200, `{"error":["overloaded"]}`),
		"error as string":  says(200, `{"error":"overloaded"}`),
		"values are null":  says(200, `{"a":null}`),
		"values are lists": says(200, `{"a":[]}`),
		"cut short":        says(200, `{"a":"https://chef/a","b`),
		"two texts":        says(200, `{}{}`),
		"absent":           says(404, "<html></html>"),
		"absent, empty":    says(404, ""),
	} {
		c := testClient(t, answer, noRetries)
		for list, read := range lists(c, t) {
			got, err := read()
			if err == nil || Classify(err) != ClassPair {
				t.Errorf("%s for a list of %s: got %v, %v; want an error of the pair", name, list, got, err)
			}
		}
	}
	for list, body := range map[string]string{
		"no versions": `{"a":{"url":"x"}}`, "null versions": `{"a":{"url":"x","versions":null}}`, "empty version": `{"a":{"versions":[{}]}}`, "null": `{"a":null}`,
	} {
		if got, err := testClient(t, says(200, body)).ListCookbooks(t.Context()); !errors.Is(err, ErrNotChef) {
			t.Errorf("cookbooks with %s: got %v, %v", list, got, err)
		}
	}
}

func TestLists(t *testing.T) {
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RequestURI() {
		case "/organizations/acme/environments":
			says(200, `{"prod":"https://chef/p","_default":"/d","dev":"/dev"}`)(w, r)
		case "/organizations/acme/cookbooks?num_versions=all":
			says(200, `{"b":{"url":"u","versions":[{"version":"1.10.0","url":"u"},{"version":"1.9.0","url":"u"}]},
				"a":{"url":"u","versions":[{"version":"9223372036854775807.0.0","url":"u"},{"version":"2.0.0"}]},"none":{"versions":[]}}`)(w, r)
		case "/organizations/acme/cookbook_artifacts":
			says(200, `{"b":{"url":"u","versions":[{"identifier":"2","url":"u"},{"identifier":"1"}]},"a":{"versions":[{"identifier":"3"}]},"none":{"versions":[]}}`)(w, r)
		case "/organizations/acme/policies":
			says(200, `{"b":{"uri":"https://chef/b","revisions":{"2":{},"1":{}}},"none":{"uri":"/none","revisions":{}}}`)(w, r)
		case "/organizations/acme/policy_groups":
			says(200, `{"dev":{"uri":"https://chef/dev","policies":{"b":{"revision_id":"2"}}},"none":{"uri":"/none"},"empty":{"uri":"/empty","policies":{}}}`)(w, r)
		default:
			says(200, `{"b":"https://chef/b","a":"https://chef/a"}`)(w, r)
		}
	})
	want := map[string]any{
		"roles": []string{"a", "b"}, "data bags": []string{"a", "b"}, "data bag items": []string{"a", "b"},
		"environments": []string{"dev", "prod"}, "nodes": []string{"a", "b"},
		"artifacts":     []ArtifactVersion{{"a", "3"}, {"b", "1"}, {"b", "2"}},
		"policies":      map[string][]string{"b": {"1", "2"}, "none": nil},
		"policy groups": map[string]map[string]string{"dev": {"b": "2"}, "none": {}, "empty": {}},
		"cookbooks":     []CookbookVersion{{"a", "2.0.0"}, {"a", "9223372036854775807.0.0"}, {"b", "1.9.0"}, {"b", "1.10.0"}},
	}
	for name, read := range lists(c, t) {
		got, err := read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	empty := testClient(t, says(200, "{}"))
	for name, read := range lists(empty, t) {
		got, err := read()
		text, _ := json.Marshal(got)
		if err != nil || string(text) != "[]" && string(text) != "{}" && string(text) != "null" {
			t.Errorf("empty list of %s: got %s, %v", name, text, err)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	sorted := []string{"0", "0.9", "1.0", "1.0.0", "1.2.3", "1.10.0", "2.0.0", "9223372036854775807.0.0"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := compareVersions(a, b) < 0, i < j; got != want {
				t.Errorf("%s before %s: got %t, want %t", a, b, got, want)
			}
		}
	}
}

// wire is one request that a server saw.
type wire struct{ Method, URL, Body string }

func recorder(seen *[]wire, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*seen = append(*seen, wire{r.Method, r.URL.RequestURI(), string(body)})
		next(w, r)
	}
}

func TestObjectRequests(t *testing.T) {
	const acme = "/organizations/acme"
	body := json.RawMessage(`{"name":"web","default_attributes":{"n":12345678901234567890,"f":1.50,"h":"<a&b>"},"new_key":[null]}`)
	item := json.RawMessage(`{"id":"alice","json_class":"Chef::DataBagItem","raw_data":{"id":"x"},"chef_type":"y"}`)
	wrapped := `{"name":"data_bag_item_users_alice","json_class":"Chef::DataBagItem","chef_type":"data_bag_item","data_bag":"users","raw_data":` + string(item) + `}`
	var seen []wire
	c := testClient(t, recorder(&seen, says(200, "{}")))
	ctx := t.Context()
	for _, tt := range []struct {
		do   func() error
		want wire
	}{
		{func() error { return c.CreateRole(ctx, body) }, wire{"POST", acme + "/roles", string(body)}},
		{func() error { return c.UpdateRole(ctx, "web", body) }, wire{"PUT", acme + "/roles/web", string(body)}},
		{func() error { return c.DeleteRole(ctx, "web") }, wire{"DELETE", acme + "/roles/web", ""}},
		{func() error { return c.CreateEnvironment(ctx, body) }, wire{"POST", acme + "/environments", string(body)}},
		{func() error { return c.UpdateEnvironment(ctx, "web", body) }, wire{"PUT", acme + "/environments/web", string(body)}},
		{func() error { return c.DeleteEnvironment(ctx, "web") }, wire{"DELETE", acme + "/environments/web", ""}},
		{func() error { return c.CreateNode(ctx, body) }, wire{"POST", acme + "/nodes", string(body)}},
		{func() error { return c.UpdateNode(ctx, "web", body) }, wire{"PUT", acme + "/nodes/web", string(body)}},
		{func() error { return c.DeleteNode(ctx, "web") }, wire{"DELETE", acme + "/nodes/web", ""}},
		{func() error { return c.CreatePolicyRevision(ctx, "web", body) }, wire{"POST", acme + "/policies/web/revisions", string(body)}},
		{func() error { return c.DeletePolicyRevision(ctx, "web", "1") }, wire{"DELETE", acme + "/policies/web/revisions/1", ""}},
		{func() error { return c.DeletePolicy(ctx, "web") }, wire{"DELETE", acme + "/policies/web", ""}},
		{func() error { return c.PutPointer(ctx, "dev", "web", body) }, wire{"PUT", acme + "/policy_groups/dev/policies/web", string(body)}},
		{func() error { return c.DeletePointer(ctx, "dev", "web") }, wire{"DELETE", acme + "/policy_groups/dev/policies/web", ""}},
		{func() error { return c.DeletePolicyGroup(ctx, "dev") }, wire{"DELETE", acme + "/policy_groups/dev", ""}},
		{func() error { return c.DeleteArtifact(ctx, "nginx", "1a") }, wire{"DELETE", acme + "/cookbook_artifacts/nginx/1a", ""}},
		{func() error { return c.CreateDataBag(ctx, "users") }, wire{"POST", acme + "/data", `{"name":"users"}`}},
		{func() error { return c.DeleteDataBag(ctx, "users") }, wire{"DELETE", acme + "/data/users", ""}},
		{func() error { return c.CreateDataBagItem(ctx, "users", "alice", item) }, wire{"POST", acme + "/data/users", wrapped}},
		{func() error { return c.UpdateDataBagItem(ctx, "users", "alice", item) }, wire{"PUT", acme + "/data/users/alice", wrapped}},
		{func() error { return c.DeleteDataBagItem(ctx, "users", "alice") }, wire{"DELETE", acme + "/data/users/alice", ""}},
		{func() error { return c.DeleteCookbook(ctx, "nginx", "1.0.0") }, wire{"DELETE", acme + "/cookbooks/nginx/1.0.0", ""}},
		{func() error { _, err := c.DoGlobal(ctx, "GET", "users", nil, nil); return err }, wire{"GET", "/users", ""}},
	} {
		seen = nil
		if err := tt.do(); err != nil {
			t.Errorf("%s %s: %v", tt.want.Method, tt.want.URL, err)
		}
		if diff := cmp.Diff([]wire{tt.want}, seen); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	}
	seen = nil
	for what, err := range map[string]error{
		"role under another name":        c.UpdateRole(ctx, "db", body),
		"environment under another name": c.UpdateEnvironment(ctx, "prod", body),
		"item under another id":          c.UpdateDataBagItem(ctx, "users", "bob", item),
		"item that is a list":            c.CreateDataBagItem(ctx, "users", "bob", json.RawMessage(`[]`)),
		"bag without name":               c.CreateDataBag(ctx, ""),
		"node under another name":        c.UpdateNode(ctx, "db", body),
		"revision of another policy":     c.CreatePolicyRevision(ctx, "db", body),
		"pointer to another policy":      c.PutPointer(ctx, "dev", "db", body),
		"revision that is a list":        c.CreatePolicyRevision(ctx, "db", json.RawMessage(`[]`)),
		"pointer of no group":            c.PutPointer(ctx, "", "web", body),
	} {
		if !errors.Is(err, ErrInvalid) || Classify(err) != ClassObject {
			t.Errorf("%s: got %v, want ErrInvalid", what, err)
		}
	}
	if len(seen) > 0 {
		t.Errorf("sent %v, want nothing", seen)
	}
}

func TestGetReturnsBodiesByteForByte(t *testing.T) {
	role := `{"name": "web", "n": 12345678901234567890, "f": 1.50, "k": "\u2028"}`
	c := testClient(t, says(200, role))
	got, err := c.GetRole(t.Context(), "web")
	if err != nil || string(got) != role {
		t.Errorf("GetRole: got %s, %v; want %s", got, err, role)
	}
	if _, err := c.GetEnvironment(t.Context(), "prod"); !errors.Is(err, ErrWrongObject) || Classify(err) != ClassObject {
		t.Errorf("GetEnvironment that answers another: got %v, want ErrWrongObject", err)
	}
	if _, err := c.GetDataBagItem(t.Context(), "users", "web"); !errors.Is(err, ErrWrongObject) {
		t.Errorf("GetDataBagItem that has no id: got %v, want ErrWrongObject", err)
	}
	if _, err := testClient(t, says(200, "[1]")).GetRole(t.Context(), "web"); !errors.Is(err, ErrNotChef) {
		t.Errorf("GetRole that answers a list: got %v, want ErrNotChef", err)
	}
}

func TestHasDataBag(t *testing.T) {
	for _, tt := range []struct {
		server http.HandlerFunc
		want   bool
		is     error
	}{
		{says(200, "{}"), true, nil},
		{says(404, `{"error":["Cannot load data bag b"]}`), false, nil},
		{says(404, `{"error":["organization 'acme' does not exist."]}`), false, ErrOrgNotFound},
		{says(404, ""), false, ErrNoRoute},
		{says(200, ""), false, ErrNotChef},
	} {
		got, err := testClient(t, tt.server).HasDataBag(t.Context(), "b")
		if got != tt.want || !errors.Is(err, tt.is) {
			t.Errorf("HasDataBag: got %t, %v; want %t, %v", got, err, tt.want, tt.is)
		}
	}
}

func TestGetOrganization(t *testing.T) {
	var seen []wire
	c := testClient(t, recorder(&seen, says(200, `{"name":"acme","full_name":"Acme Inc","guid":"abc"}`)))
	got, err := c.GetOrganization(t.Context())
	if want := (Organization{"acme", "Acme Inc", "abc"}); got != want || err != nil || seen[0].URL != "/organizations/acme" {
		t.Errorf("GetOrganization: got %+v, %v from %v", got, err, seen)
	}
	if got, err := c.WithOrganization("").GetOrganization(t.Context()); got != (Organization{}) || err != nil || len(seen) != 1 {
		t.Errorf("GetOrganization without one: got %+v, %v", got, err)
	}
	if _, err := testClient(t, says(200, `{}`)).GetOrganization(t.Context()); !errors.Is(err, ErrNotChef) {
		t.Errorf("GetOrganization of something else: got %v", err)
	}
}
