package chefserver

import (
	"strings"
	"testing"
)

func TestContainers(t *testing.T) {
	f := newFixture(t, Options{})
	var all []string
	for _, name := range strings.Fields("clients containers cookbook_artifacts cookbooks data environments " +
		"groups nodes policies policy_groups roles sandboxes") {
		all = append(all, `"`+name+`":"$URL/organizations/acme/containers/`+name+`"`)
	}
	f.run(f.root, []exchange{
		{"the twelve", "GET", "/containers", "", 200, "{" + strings.Join(all, ",") + "}"},
		{"create", "POST", "/containers", `{"containername":"k","containerpath":"/","x":1}`, 201, `{"uri":"$URL/organizations/acme/containers/k"}`},
		{"again", "POST", "/containers", `{"containername":"k"}`, 409, `{"error":["Container already exists"]}`},
		{"by id", "POST", "/containers", `{"id":"by-id","containername":"other"}`, 201, `{"uri":"$URL/organizations/acme/containers/by-id"}`},
		{"no name", "POST", "/containers", `{"containerpath":"/"}`, 400, `{"error":["Field 'containername' missing"]}`},
		{"empty name", "POST", "/containers", `{"containername":""}`, 400, `{"error":["Field 'containername' invalid"]}`},
		{"blank in name", "POST", "/containers", `{"containername":"a b"}`, 400, `{"error":["Field 'containername' invalid"]}`},
		{"get", "GET", "/containers/k", "", 200, `{"containername":"k","containerpath":"k"}`},
		{"absent", "GET", "/containers/none", "", 404, `{"error":["Cannot load container none"]}`},
		{"no PUT", "PUT", "/containers/k", `{}`, 405, ""},
		{"delete", "DELETE", "/containers/by-id", "", 200, `{"containername":"by-id","containerpath":"by-id"}`},
		{"is gone", "GET", "/containers/by-id", "", 404, ""},
		{"with its ACL", "GET", "/containers/by-id/_acl", "", 404, ""},
	})
	f.acme(f.joe, "GET", "/containers", "").want(200, `"k"`)
	f.acme(f.joe, "GET", "/containers/roles", "").want(200, "roles")
	f.acme(f.joe, "GET", "/containers/k", "").want(403, "missing read permission") // It is its creator's.
	f.acme(f.joe, "POST", "/containers", `{"containername":"joes"}`).want(403, "missing create permission")
	f.acme(f.joe, "DELETE", "/containers/groups", "").want(403, "missing delete permission")
	f.acme(f.web1, "GET", "/containers", "").want(403, "missing read permission")

	f.acme(f.root, "POST", "/roles", `{"name":"r"}`).want(201, "")
	f.acme(f.root, "DELETE", "/containers/roles", "").want(200, "")
	f.acme(f.root, "GET", "/roles", "").want(403, "")
	f.acme(f.root, "POST", "/roles", `{"name":"no"}`).want(403, "")
	f.acme(f.joe, "GET", "/roles/r", "").want(200, "") // Its ACL is its own.
	f.acme(f.pivotal, "GET", "/roles", "").want(200, `"r"`)
}

// TestOrganizationACL: the organization has an ACL of its own, by which an admin
// changes its full name and its members.
func TestOrganizationACL(t *testing.T) {
	f := newFixture(t, Options{})
	name := func(who agent, status int) {
		t.Helper()
		f.do(who, "PUT", "/organizations/acme", `{"name":"acme","full_name":"Of `+who.name+`"}`).want(status, "")
	}
	name(f.root, 200)
	f.do(f.joe, "GET", "/organizations/acme", "").want(200, `"full_name":"Of root"`)
	name(f.joe, 403)
	f.do(f.web1, "GET", "/organizations/acme", "").want(403, "missing read permission")
	f.acme(f.root, "PUT", "/organizations/_acl/update", `{"update":{"actors":["joe"],"groups":[]}}`).want(200, "")
	name(f.joe, 200)
	name(f.root, 403)
	f.acme(f.joe, "POST", "/association_requests", `{"user":"eve"}`).want(201, "")
	f.acme(f.root, "POST", "/association_requests", `{"user":"eve"}`).want(403, "")
	f.acme(f.root, "DELETE", "/users/joe", "").want(403, "")
	f.acme(f.root, "PUT", "/organizations/_acl/read", `{"read":{"actors":[],"groups":["admins"]}}`).want(200, "")
	f.acme(f.joe, "GET", "/users", "").want(403, "missing read permission")
	f.acme(f.root, "GET", "/users", "").want(200, "joe")
	f.acme(f.joe, "DELETE", "/users/joe", "").want(200, "") // Everybody may go.
}
