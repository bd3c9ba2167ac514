package chefserver

import (
	"fmt"
	"strings"
	"testing"
)

// exchange is one raw call and what must come back.
type exchange struct {
	name         string
	method, path string // below /organizations/acme
	body         string
	status       int
	want         string // "" is not looked at; {…} is the whole body, else a part of it
}

func (f *fixture) run(who agent, steps []exchange) {
	f.t.Helper()
	for _, e := range steps {
		f.t.Run(e.name, func(t *testing.T) {
			g := *f
			g.t = t
			got := g.acme(who, e.method, e.path, e.body)
			want := strings.ReplaceAll(e.want, "$URL", f.url)
			if strings.HasPrefix(want, "{") || strings.HasPrefix(want, "[") {
				got.wantJSON(e.status, want)
			} else {
				got.want(e.status, want)
			}
		})
	}
}

const webRole = `{"name":"web","description":"","json_class":"Chef::Role","chef_type":"role",` +
	`"default_attributes":{},"override_attributes":{},"run_list":["recipe[a]","role[b]"],"env_run_lists":{}}`

func TestRoles(t *testing.T) {
	f := newFixture(t, Options{})
	f.run(f.root, []exchange{
		{"none", "GET", "/roles", "", 200, `{}`},
		{"put absent", "PUT", "/roles/web", `{}`, 404, `{"error":["Cannot load role web"]}`},
		{"create", "POST", "/roles", `{"name":"web","run_list":["a","recipe[a]","role[b]","a"]}`, 201,
			`{"uri":"$URL/organizations/acme/roles/web"}`},
		{"defaults and run list", "GET", "/roles/web", "", 200, webRole},
		{"create again", "POST", "/roles", `{"name":"web"}`, 409, `{"error":["Role already exists"]}`},
		{"list", "GET", "/roles", "", 200, `{"web":"$URL/organizations/acme/roles/web"}`},
		{"another name", "PUT", "/roles/web", `{"name":"db"}`, 400, `{"error":["Role name mismatch."]}`},
		{"unknown key", "PUT", "/roles/web", `{"color":1}`, 400, `{"error":["Invalid key color in request body"]}`},
		{"wrong class", "PUT", "/roles/web", `{"json_class":"Chef::Node"}`, 400, `{"error":["Field 'json_class' invalid"]}`},
		{"wrong type", "POST", "/roles", `{"name":"x","chef_type":"node"}`, 400, `Field 'chef_type' invalid`},
		{"bad name", "POST", "/roles", `{"name":"this+ is bad!!!"}`, 400, `{"error":["Field 'name' invalid"]}`},
		{"no name", "POST", "/roles", `{}`, 400, `{"error":["Field 'name' missing"]}`},
		{"bad run list", "POST", "/roles", `{"name":"x","run_list":["recipe["]}`, 400, `Field 'run_list' is not a valid run list`},
		{"run list of numbers", "POST", "/roles", `{"name":"x","run_list":[123]}`, 400, `Field 'run_list' is not a valid run list`},
		{"bad env run lists", "POST", "/roles", `{"name":"x","env_run_lists":{"p":[1]}}`, 400, `Field 'env_run_lists' contains invalid run lists`},
		{"attributes no hash", "POST", "/roles", `{"name":"x","default_attributes":"no"}`, 400, `Field 'default_attributes' is not a hash`},
		{"not JSON", "POST", "/roles", `{"name"`, 400, "invalid JSON"},
		{"two values", "POST", "/roles", `{} {}`, 400, "invalid JSON"},
		{"not an object", "POST", "/roles", `[]`, 400, "Incorrect JSON type for request body"},
		{"numbers", "PUT", "/roles/web", `{"default_attributes":{"i":12345678901234567890,"f":1.50,"e":1e3,"n":-0.0,"s":1E-9}}`, 200,
			`"default_attributes":{"i":12345678901234567890,"f":1.5,"e":1000.0,"n":-0.0,"s":1e-09}`},
		{"text", "PUT", "/roles/web", `{"description":"\u0000 \u2028 <&> é\ud83d\ude00"}`, 200, "<&> é😀"},
		{"control characters survive", "GET", "/roles/web", "", 200, `"\u0000 ` + "\u2028"},
		{"environments", "PUT", "/roles/web", `{"run_list":["z"],"env_run_lists":{"prod":["x"],"gone":[]}}`, 200, ""},
		{"list environments", "GET", "/roles/web/environments", "", 200, `["_default","prod","gone"]`},
		{"run list of _default", "GET", "/roles/web/environments/_default", "", 200, `{"run_list":["recipe[z]"]}`},
		{"environment absent", "GET", "/roles/web/environments/prod", "", 404, "Cannot load environment prod"},
		{"create environment", "POST", "/environments", `{"name":"prod"}`, 201, ""},
		{"run list of prod", "GET", "/roles/web/environments/prod", "", 200, `{"run_list":["recipe[x]"]}`},
		{"the same from there", "GET", "/environments/prod/roles/web", "", 200, `{"run_list":["recipe[x]"]}`},
		{"create another", "POST", "/environments", `{"name":"qa"}`, 201, ""},
		{"null run list", "GET", "/roles/web/environments/qa", "", 200, `{"run_list":null}`},
		{"delete", "DELETE", "/roles/web", "", 200, `"name":"web"`},
		{"delete again", "DELETE", "/roles/web", "", 404, "Cannot load role web"},
	})
}

func TestKeyOrderIsKept(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/data", `{"name":"b"}`).want(201, "")
	const item = `{"z":1,"id":"i","a":{"y":2,"b":3}}`
	f.acme(f.root, "POST", "/data/b", item).want(201, "")
	if got := f.acme(f.root, "GET", "/data/b/i", "").want(200, ""); got.body != item {
		t.Errorf("got %s, want %s", got.body, item)
	}
}

func TestEnvironments(t *testing.T) {
	f := newFixture(t, Options{})
	f.run(f.root, []exchange{
		{"list", "GET", "/environments", "", 200, `{"_default":"$URL/organizations/acme/environments/_default"}`},
		{"default", "GET", "/environments/_default", "", 200, `"description":"The default Chef environment"`},
		{"put _default", "PUT", "/environments/_default", `{"name":"_default"}`, 405, `{"error":["The '_default' environment cannot be modified."]}`},
		{"delete _default", "DELETE", "/environments/_default", "", 405, "cannot be modified"},
		{"post _default", "POST", "/environments", `{"name":"_default"}`, 409, "Environment already exists"},
		{"put absent", "PUT", "/environments/prod", `{"name":"prod"}`, 404, `{"error":["Cannot load environment prod"]}`},
		{"create", "POST", "/environments", `{"name":"prod","cookbook_versions":{"a":"= 1.0.0"}}`, 201, `{"uri":"$URL/organizations/acme/environments/prod"}`},
		{"defaults", "GET", "/environments/prod", "", 200, `{"name":"prod","description":"","json_class":"Chef::Environment",
			"chef_type":"environment","default_attributes":{},"override_attributes":{},"cookbook_versions":{"a":"= 1.0.0"}}`},
		{"bad constraint", "PUT", "/environments/prod", `{"name":"prod","cookbook_versions":{"a":"> 1"}}`, 400, "Invalid value '> 1'"},
		{"colon in name", "POST", "/environments", `{"name":"a:b"}`, 400, "Field 'name' invalid"},
		{"unknown key", "POST", "/environments", `{"name":"x","run_list":[]}`, 400, "Invalid key run_list in request body"},
		{"other", "POST", "/environments", `{"name":"qa"}`, 201, ""},
		{"rename to a taken name", "PUT", "/environments/prod", `{"name":"qa"}`, 409, "Environment already exists"},
		{"rename", "PUT", "/environments/prod", `{"name":"live"}`, 201, `"name":"live"`},
		{"old name", "GET", "/environments/prod", "", 404, ""},
		{"new name", "GET", "/environments/live", "", 200, `"name":"live"`},
		{"delete", "DELETE", "/environments/live", "", 200, `"name":"live"`},
	})
}

func TestDataBags(t *testing.T) {
	f := newFixture(t, Options{})
	wrapped := `{"name":"data_bag_item_users_odd","json_class":"Chef::DataBagItem","chef_type":"data_bag_item","data_bag":"users",` +
		`"raw_data":{"id":"odd","json_class":"Chef::DataBagItem","raw_data":{"id":"inner"}}}`
	f.run(f.root, []exchange{
		{"none", "GET", "/data", "", 200, `{}`},
		{"item without bag", "POST", "/data/users", `{"id":"a"}`, 404, "No data bag 'users' could be found. Please create this data bag before adding items to it."},
		{"create", "POST", "/data", `{"name":"users","chef_type":"node"}`, 201, `{"uri":"$URL/organizations/acme/data/users"}`},
		{"create again", "POST", "/data", `{"name":"users"}`, 409, `{"error":["Data bag already exists"]}`},
		{"a bag named node", "POST", "/data", `{"name":"node"}`, 201, ""},
		{"no name", "POST", "/data", `{"id":"x"}`, 400, "Field 'name' missing"},
		{"bad name", "POST", "/data", `{"name":"a!"}`, 400, "Field 'name' invalid"},
		{"list", "GET", "/data", "", 200, `{"node":"$URL/organizations/acme/data/node","users":"$URL/organizations/acme/data/users"}`},
		{"empty bag", "GET", "/data/users", "", 200, `{}`},
		{"item", "POST", "/data/users", `{"id":"a","chef_type":"mine","n":1}`, 201, `{"id":"a","chef_type":"data_bag_item","n":1,"data_bag":"users"}`},
		{"stored as sent", "GET", "/data/users/a", "", 200, `{"id":"a","chef_type":"mine","n":1}`},
		{"item again", "POST", "/data/users", `{"id":"a"}`, 409, "Data Bag Item 'a' already exists in Data Bag 'users'."},
		{"id mismatch", "PUT", "/data/users/a", `{"id":"b"}`, 400, `{"error":["DataBagItem name mismatch."]}`},
		{"id from the URL", "PUT", "/data/users/a", `{"n":2}`, 200, `{"id":"a","n":2,"chef_type":"data_bag_item","data_bag":"users"}`},
		{"with id", "GET", "/data/users/a", "", 200, `{"id":"a","n":2}`},
		{"no id", "POST", "/data/users", `{"n":1}`, 400, "Field 'id' missing"},
		{"bad id", "POST", "/data/users", `{"id":"a b"}`, 400, "Field 'id' invalid"},
		{"put absent", "PUT", "/data/users/no", `{"id":"no"}`, 404, "Cannot load data bag item no for data bag users"},
		{"put in absent bag", "PUT", "/data/no/no", `{"id":"no"}`, 404, "Cannot load data bag item no for data bag no"},
		{"wrapped around a wrapped one", "POST", "/data/users", wrapped, 201, ""},
		{"one wrapping is gone", "GET", "/data/users/odd", "", 200, `{"id":"odd","json_class":"Chef::DataBagItem","raw_data":{"id":"inner"}}`},
		{"list items", "GET", "/data/users", "", 200, `{"a":"$URL/organizations/acme/data/users/a","odd":"$URL/organizations/acme/data/users/odd"}`},
		{"delete item", "DELETE", "/data/users/a", "", 200, `{"name":"data_bag_item_users_a","json_class":"Chef::DataBagItem","chef_type":"data_bag_item","data_bag":"users","raw_data":{"id":"a","n":2}}`},
		{"delete item again", "DELETE", "/data/users/a", "", 404, "Cannot load data bag users item a"},
		{"delete bag", "DELETE", "/data/users", "", 200, `{"name":"users","json_class":"Chef::DataBag","chef_type":"data_bag"}`},
		{"bag gone", "GET", "/data/users", "", 404, `{"error":["Cannot load data bag users"]}`},
		{"items gone", "GET", "/data/users/odd", "", 404, ""},
	})
}

func TestBodyLimit(t *testing.T) {
	f := newFixture(t, Options{})
	body := func(n int) string {
		const head, tail = `{"id":"big","x":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	f.acme(f.root, "POST", "/data", `{"name":"b"}`).want(201, "")
	f.acme(f.root, "POST", "/data/b", body(2_000_100)).wantJSON(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)
	f.acme(f.root, "POST", "/data/b", body(2_000_000)).want(201, "")
}

func TestGzip(t *testing.T) {
	f := newFixture(t, Options{})
	for i := range 50 {
		f.acme(f.root, "POST", "/roles", fmt.Sprintf(`{"name":"role%d"}`, i)).want(201, "")
	}
	r := f.request(f.root, "GET", "/organizations/acme/roles", "")
	r.Header.Set("Accept-Encoding", "gzip") // Set by hand, the client leaves the answer as it is.
	got := f.send(r).want(200, "\x1f\x8b")
	if got.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("headers %v", got.header)
	}
	if n := len(f.acme(f.root, "GET", "/roles", "").want(200, "").parsed()); n != 50 {
		t.Errorf("%d roles through gzip, want 50", n)
	}
}

// TestRights checks what a plain member and a client may do.
func TestRights(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/roles", `{"name":"of-root"}`).want(201, "")
	f.acme(f.root, "POST", "/data", `{"name":"bag"}`).want(201, "")
	const sandbox = `{"checksums":{"d41d8cd98f00b204e9800998ecf8427e":null}}`
	const missing = `{"error":["missing %s permission"]}`
	tests := []struct {
		who                agent
		method, path, body string
		status             int
	}{
		{f.joe, "GET", "/roles/of-root", "", 200},
		{f.joe, "PUT", "/roles/of-root", `{"description":"by joe"}`, 200},
		{f.joe, "DELETE", "/roles/of-root", "", 200},
		{f.joe, "POST", "/environments", `{"name":"joes"}`, 201},
		{f.joe, "POST", "/data/bag", `{"id":"joes"}`, 201},
		{f.joe, "POST", "/sandboxes", sandbox, 201},
		{f.joe, "PUT", "/cookbooks/joes/1.0.0", manifest("joes", "1.0.0", false), 201},
		{f.joe, "GET", "/clients", "", 200},
		{f.joe, "GET", "/clients/web1", "", 200},
		{f.joe, "GET", "/clients/web1/keys", "", 200},
		{f.joe, "GET", "/users", "", 200},
		{f.joe, "POST", "/clients", `{"name":"no"}`, 403},
		{f.joe, "PUT", "/clients/web1", `{"name":"web1"}`, 403},
		{f.joe, "DELETE", "/clients/web1/keys/default", "", 403},
		{f.joe, "POST", "/association_requests", `{"user":"eve"}`, 403},
		{f.web1, "GET", "/environments/joes", "", 200},
		{f.web1, "GET", "/data/bag/joes", "", 200},
		{f.web1, "GET", "/cookbooks/joes/1.0.0", "", 200},
		{f.web1, "GET", "/clients/web1", "", 200},
		{f.web1, "GET", "/clients/web1/keys", "", 200},
		{f.web1, "GET", "/clients/acme-validator", "", 403},
		{f.web1, "GET", "/clients/acme-validator/keys", "", 200}, // by public_key_read_access
		{f.web1, "GET", "/clients", "", 403},
		{f.web1, "GET", "/users", "", 403},
		{f.web1, "POST", "/clients", `{"name":"no"}`, 403},
		{f.web1, "POST", "/roles", `{"name":"no"}`, 403},
		{f.web1, "PUT", "/environments/joes", `{"name":"joes"}`, 403},
		{f.web1, "DELETE", "/data/bag", "", 403},
		{f.web1, "POST", "/sandboxes", sandbox, 403},
		{f.web1, "PUT", "/cookbooks/no/1.0.0", manifest("no", "1.0.0", false), 403},
		{f.validator, "POST", "/clients", `{"name":"web2"}`, 201},
		{f.validator, "POST", "/clients", `{"name":"v2","validator":true}`, 403},
		{f.validator, "GET", "/clients/acme-validator", "", 403},
		{f.root, "POST", "/clients", `{"name":"v2","validator":true}`, 201},
	}
	for _, tt := range tests {
		got := f.acme(tt.who, tt.method, tt.path, tt.body)
		if got.err != nil || got.status != tt.status {
			t.Errorf("%s: %s %s = %d %s, want %d", tt.who.name, tt.method, tt.path, got.status, got.body, tt.status)
		}
		if got.status == 403 && !strings.HasPrefix(got.body, missing[:len(`{"error":["missing `)]) {
			t.Errorf("%s: %s %s = %s", tt.who.name, tt.method, tt.path, got.body)
		}
	}
}
