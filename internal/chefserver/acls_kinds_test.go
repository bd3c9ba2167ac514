package chefserver

import (
	"strings"
	"testing"
)

// aclCase is one object of a kind with its requests, by the permission on the
// object that they need.
type aclCase struct {
	acl      string // path of the object
	requests map[verb][]exchange
	remove   string // what to delete for the object to go
}

func aclCases() []aclCase {
	call := func(method, path, body string) exchange { return exchange{method: method, path: path, body: body} }
	get := func(paths ...string) []exchange {
		var out []exchange
		for _, p := range paths {
			out = append(out, call("GET", p, ""))
		}
		return out
	}
	return []aclCase{
		{"/roles/r", map[verb][]exchange{
			canRead:   get("/roles/r", "/roles/r/environments", "/roles/r/environments/_default", "/environments/_default/roles/r"),
			canUpdate: {call("PUT", "/roles/r", `{}`)},
			canDelete: {call("DELETE", "/roles/r", "")},
		}, "/roles/r"},
		{"/environments/e", map[verb][]exchange{
			canRead:   get("/environments/e"),
			canUpdate: {call("PUT", "/environments/e", `{"name":"e"}`), call("PUT", "/environments/e", `{"name":"e2"}`)},
			canDelete: {call("DELETE", "/environments/e", "")},
		}, "/environments/e"},
		{"/data/b", map[verb][]exchange{
			canRead:   get("/data/b", "/data/b/i"),
			canUpdate: {call("POST", "/data/b", `{"id":"new"}`), call("PUT", "/data/b/i", `{"id":"i"}`)},
			canDelete: {call("DELETE", "/data/b/i", ""), call("DELETE", "/data/b", "")},
		}, "/data/b"},
		{"/nodes/n", map[verb][]exchange{
			canRead:   get("/nodes/n"),
			canUpdate: {call("PUT", "/nodes/n", `{"name":"n"}`)},
			canDelete: {call("DELETE", "/nodes/n", "")},
		}, "/nodes/n"},
		{"/cookbooks/c", map[verb][]exchange{
			canRead: get("/cookbooks/c/1.0.0", "/cookbooks/c/_latest"),
			canUpdate: {
				call("PUT", "/cookbooks/c/1.0.0", manifest("c", "1.0.0", false)),
				call("PUT", "/cookbooks/c/3.0.0", manifest("c", "3.0.0", false)),
			},
			canDelete: {call("DELETE", "/cookbooks/c/1.0.0", "")},
		}, "/cookbooks/c/1.0.0"},
		{"/cookbook_artifacts/a", map[verb][]exchange{
			canRead:   get("/cookbook_artifacts/a", "/cookbook_artifacts/a/1111"),
			canUpdate: {call("PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111"))},
			canDelete: {call("DELETE", "/cookbook_artifacts/a/1111", "")},
		}, "/cookbook_artifacts/a/1111"},
		{"/policies/web", map[verb][]exchange{
			canRead:   get("/policies/web", "/policies/web/revisions/r1", "/policy_groups/prod/policies/web"),
			canCreate: {call("POST", "/policies/web/revisions", lock("web", "r2", ""))},
			canUpdate: {call("PUT", "/policy_groups/prod/policies/web", lock("web", "r2", ""))},
			canDelete: {
				call("DELETE", "/policies/web/revisions/r1", ""), call("DELETE", "/policy_groups/prod/policies/web", ""),
				call("DELETE", "/policies/web", ""),
			},
		}, "/policies/web"},
		{"/policy_groups/prod", map[verb][]exchange{
			canRead: get("/policy_groups/prod", "/policy_groups/prod/policies/web"),
			canUpdate: {
				call("PUT", "/policy_groups/prod/policies/web", lock("web", "r2", "")),
				call("PUT", "/policy_groups/prod/policies/db", lock("db", "r1", "")),
			},
			canDelete: {call("DELETE", "/policy_groups/prod/policies/web", ""), call("DELETE", "/policy_groups/prod", "")},
		}, "/policy_groups/prod"},
		{"/clients/m", map[verb][]exchange{
			canRead: get("/clients/m"),
			canUpdate: {
				call("PUT", "/clients/m", `{"name":"m"}`), call("DELETE", "/clients/m/keys/default", ""),
			},
			canDelete: {call("DELETE", "/clients/m", "")},
		}, "/clients/m"},
		{"/groups/g", map[verb][]exchange{
			canRead:   get("/groups/g"),
			canUpdate: {call("PUT", "/groups/g", `{}`)},
			canDelete: {call("DELETE", "/groups/g", "")},
		}, "/groups/g"},
		{"/containers/k", map[verb][]exchange{
			canRead:   get("/containers/k"),
			canDelete: {call("DELETE", "/containers/k", "")},
		}, "/containers/k"},
	}
}

// makeOneOfEach creates the objects of aclCases.
func (f *fixture) makeOneOfEach() {
	f.t.Helper()
	for _, e := range []exchange{
		{method: "POST", path: "/roles", body: `{"name":"r"}`},
		{method: "POST", path: "/environments", body: `{"name":"e"}`},
		{method: "POST", path: "/data", body: `{"name":"b"}`},
		{method: "POST", path: "/data/b", body: `{"id":"i"}`},
		{method: "POST", path: "/nodes", body: `{"name":"n"}`},
		{method: "PUT", path: "/cookbooks/c/1.0.0", body: manifest("c", "1.0.0", false)},
		{method: "PUT", path: "/cookbook_artifacts/a/1111", body: artifact("a", "1111")},
		{method: "PUT", path: "/policy_groups/prod/policies/web", body: lock("web", "r1", "")},
		{method: "POST", path: "/clients", body: `{"name":"m","create_key":true}`},
		{method: "POST", path: "/groups", body: `{"groupname":"g"}`},
		{method: "POST", path: "/containers", body: `{"containername":"k"}`},
	} {
		f.acme(f.root, e.method, e.path, e.body).want(201, "")
	}
}

// TestACLOfEveryKind takes from an admin one permission on one object and asks
// for everything that needs it; then the object goes, and with it the ACL.
func TestACLOfEveryKind(t *testing.T) {
	for _, c := range aclCases() {
		t.Run(strings.ReplaceAll(c.acl[1:], "/", "_"), func(t *testing.T) {
			f := newFixture(t, Options{})
			f.makeOneOfEach()
			for v, requests := range c.requests {
				set := func(groups string) {
					f.acme(f.pivotal, "PUT", c.acl+"/_acl/"+string(v), `{"`+string(v)+`":{"actors":[],"groups":`+groups+`}}`).want(200, "")
				}
				set(`[]`)
				for _, e := range requests {
					f.acme(f.root, e.method, e.path, e.body).want(403, "ermission")
				}
				set(`["admins"]`)
			}
			for _, e := range c.requests[canRead] {
				f.acme(f.root, e.method, e.path, e.body).want(200, "")
			}
			f.acme(f.root, "DELETE", c.remove, "").want(200, "")
			f.acme(f.pivotal, "GET", c.acl+"/_acl", "").want(404, "Cannot load ")
		})
	}
}
