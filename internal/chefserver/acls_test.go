package chefserver

import (
	"net/http"
	"strings"
	"testing"
)

// aclText is an ACL of the plain form: create, read, update, delete, grant, each
// as "actors|groups".
func aclText(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		actors, groups, _ := strings.Cut(p, "|")
		list := func(s string) string {
			if s == "" {
				return "[]"
			}
			return `["` + strings.ReplaceAll(s, " ", `","`) + `"]`
		}
		b.WriteString(`,"` + string(verbs[i]) + `":{"actors":` + list(actors) + `,"groups":` + list(groups) + `}`)
	}
	return "{" + b.String()[1:] + "}"
}

// one is aclText of everything for the actors, groups differing.
func one(actors string, groups ...string) string {
	parts := make([]string, len(groups))
	for i, g := range groups {
		parts[i] = actors + "|" + g
	}
	return aclText(parts...)
}

func TestDefaultACLs(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/roles", `{"name":"r"}`).want(201, "")
	f.acme(f.joe, "POST", "/data", `{"name":"b"}`).want(201, "")
	f.acme(f.pivotal, "POST", "/environments", `{"name":"e"}`).want(201, "")
	f.acme(f.web1, "POST", "/nodes", `{"name":"web1","chef_type":"node","json_class":"Chef::Node","chef_environment":"_default","run_list":[],"normal":{},"default":{},"override":{},"automatic":{}}`).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/c/1.0.0", manifest("c", "1.0.0", false)).want(201, "")
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111")).want(201, "")
	f.acme(f.root, "PUT", "/policy_groups/prod/policies/web", lock("web", "r1", "")).want(201, "")
	f.acme(f.root, "POST", "/groups", `{"groupname":"g"}`).want(201, "")
	f.acme(f.root, "POST", "/containers", `{"containername":"k"}`).want(201, "")
	f.acme(f.validator, "POST", "/clients", `{"name":"web2"}`).want(201, "")
	f.acme(f.root, "POST", "/clients", `{"name":"v2","validator":true}`).want(201, "")
	rw, ro := "admins users", "admins clients users"
	content := []string{rw, ro, rw, rw, "admins"}
	full := []string{"admins", "admins", "admins", "admins", "admins"}
	members := []string{"admins", rw, "admins", "admins", "admins"}
	clients := []string{"admins", rw, "admins", rw, "admins"}
	nodes := []string{ro, ro, rw, rw, "admins"}
	keyReaders := []string{"", "admins", "admins", "", ""}
	for path, want := range map[string]string{
		"/roles/r":                       one("pivotal root", content...),
		"/data/b":                        one("joe pivotal", content...),
		"/environments/e":                one("pivotal", content...),
		"/environments/_default":         one("pivotal", content...),
		"/nodes/web1":                    one("web1 pivotal", nodes...),
		"/cookbooks/c":                   one("pivotal root", content...),
		"/cookbook_artifacts/a":          one("pivotal root", content...),
		"/policies/web":                  one("pivotal root", content...),
		"/policy_groups/prod":            one("pivotal root", content...),
		"/clients/web1":                  one("web1 pivotal root", clients...),
		"/clients/web2":                  one("web2 pivotal", clients...),
		"/clients/v2":                    one("pivotal root", clients...),
		"/clients/acme-validator":        one("pivotal", clients...),
		"/groups/g":                      one("pivotal root", members...),
		"/groups/admins":                 one("pivotal", full...),
		"/groups/users":                  one("pivotal", full...),
		"/groups/clients":                one("pivotal", full...),
		"/groups/public_key_read_access": one("pivotal", keyReaders...),
		"/groups/billing-admins":         one("pivotal", "", "billing-admins", "billing-admins", "", ""),
		"/containers/k":                  one("root", "", "", "", "", ""),
		"/containers/roles":              one("pivotal", content...),
		"/containers/nodes":              one("pivotal", nodes...),
		"/containers/clients":            one("pivotal", clients...),
		"/containers/groups":             one("pivotal", members...),
		"/containers/containers":         one("pivotal", members...),
		"/containers/sandboxes":          one("pivotal", rw, "admins", "admins", "admins", "admins"),
		"/organizations":                 one("pivotal", members...),
	} {
		f.acme(f.pivotal, "GET", path+"/_acl", "").wantJSON(200, want)
	}
	f.acme(f.root, "GET", "/clients/web1/_acl?detail=granular", "").want(200,
		`"read":{"actors":[],"users":["pivotal","root"],"clients":["web1"],"groups":["admins","users"]}`)
}

func TestACLRights(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/roles", `{"name":"r"}`).want(201, "")
	acl, body := "/roles/r/_acl", func(perm, actors, groups string) string {
		return `{"` + perm + `":{"actors":` + actors + `,"groups":` + groups + `}}`
	}
	for _, who := range []agent{f.joe, f.web1} {
		for _, path := range []string{acl, "/organizations/_acl", "/containers/roles/_acl", "/groups/users/_acl"} {
			if got := f.acme(who, "GET", path, "").want(403, ""); got.body != "" {
				t.Errorf("%s: body %q", got.what, got.body)
			}
		}
		f.acme(who, "PUT", acl+"/grant", body("grant", `["joe"]`, `["admins"]`)).want(403, "")
	}
	f.acme(f.eve, "GET", acl, "").want(403, "not associated")

	f.acme(f.root, "PUT", acl+"/grant", body("grant", `["joe"]`, `["admins"]`)).wantJSON(200, `{}`) // Without pivotal.
	f.acme(f.joe, "GET", acl, "").want(200, `"grant":{"actors":["joe"],"groups":["admins"]}`)
	f.acme(f.joe, "PUT", acl+"/grant", body("grant", `["joe"]`, `[]`)).want(403, "Admin group cannot be removed")
	f.acme(f.pivotal, "PUT", acl+"/grant", body("grant", `["joe"]`, `[]`)).wantJSON(200, `{}`)
	f.acme(f.root, "GET", acl, "").want(403, "")
	f.acme(f.joe, "PUT", acl+"/grant", body("grant", `["root"]`, `[]`)).want(200, "") // No admins to remove.
	f.acme(f.joe, "GET", acl, "").want(403, "")

	f.acme(f.root, "PUT", acl+"/update", body("update", `["web1"]`, `[]`)).want(200, "")
	f.acme(f.root, "PUT", acl+"/read", body("read", `[]`, `["clients"]`)).want(200, "")
	f.acme(f.root, "PUT", acl+"/delete", body("delete", `[]`, `[]`)).want(200, "")
	f.acme(f.joe, "GET", "/roles/r", "").wantJSON(403, `{"error":["missing read permission"]}`)
	f.acme(f.joe, "PUT", "/roles/r", `{}`).wantJSON(403, `{"error":["missing update permission"]}`)
	f.acme(f.root, "DELETE", "/roles/r", "").wantJSON(403, `{"error":["missing delete permission"]}`)
	f.acme(f.web1, "PUT", "/roles/r", `{"description":"by web1"}`).want(200, "")
	f.acme(f.web1, "GET", "/roles/r", "").want(200, "by web1")
	f.acme(f.joe, "GET", "/roles", "").want(200, `"r"`) // The list is the container's.
	f.acme(f.pivotal, "DELETE", "/roles/r", "").want(200, "")

	f.acme(f.joe, "POST", "/roles", `{"name":"r"}`).want(201, "") // The ACL went with the role.
	f.acme(f.root, "GET", acl, "").wantJSON(200, one("joe pivotal",
		"admins users", "admins clients users", "admins users", "admins users", "admins"))
	f.acme(f.root, "PUT", "/roles/r", `{"description":"by root"}`).want(200, "")
}

func TestPutACLErrors(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/roles", `{"name":"r"}`).want(201, "")
	f.acme(f.root, "POST", "/clients", `{"name":"joe"}`).want(201, "")
	before := f.acme(f.root, "GET", "/roles/r/_acl", "").body
	read := "/roles/r/_acl/read"
	f.run(f.root, []exchange{
		{"unknown actor", "PUT", read, `{"read":{"actors":["nobody"],"groups":[]}}`, 400,
			`{"error":["The actor(s) nobody do not exist in this organization as clients or users."]}`},
		{"unknown group", "PUT", read, `{"read":{"actors":[],"groups":["none"]}}`, 400,
			`{"error":["The group(s) none do not exist in this organization."]}`},
		{"ambiguous", "PUT", read, `{"read":{"actors":["joe"],"groups":[]}}`, 422, "exist as both clients and users"},
		{"unknown user", "PUT", read, `{"read":{"actors":[],"users":["web1"],"clients":[],"groups":[]}}`, 400,
			`{"error":["The user(s) web1 do not exist in this organization."]}`},
		{"unknown client", "PUT", read, `{"read":{"actors":[],"users":[],"clients":["root"],"groups":[]}}`, 400,
			`{"error":["The client(s) root do not exist in this organization."]}`},
		{"actors beside users", "PUT", read, `{"read":{"actors":["root"],"users":[],"clients":[],"groups":[]}}`, 400, "actors"},
		{"users without clients", "PUT", read, `{"read":{"actors":[],"users":[],"groups":[]}}`, 400, "clients"},
		{"clients without users", "PUT", read, `{"read":{"actors":[],"clients":[],"groups":[]}}`, 400, "users"},
		{"no actors", "PUT", read, `{"read":{"groups":[]}}`, 400, "Field 'actors' missing"},
		{"no groups", "PUT", read, `{"read":{"actors":[]}}`, 400, "Field 'groups' missing"},
		{"no strings", "PUT", read, `{"read":{"actors":[1],"groups":[]}}`, 400, "Field 'actors' invalid"},
		{"empty", "PUT", read, `{}`, 400, "Field 'read' missing"},
		{"another permission", "PUT", read, `{"update":{"actors":[],"groups":[]}}`, 400, "update"},
		{"unknown permission", "PUT", "/roles/r/_acl/own", `{"own":{"actors":[],"groups":[]}}`, 400, "own"},
		{"nothing changed", "GET", "/roles/r/_acl", "", 200, before},
		{"granular", "PUT", read, `{"read":{"actors":[],"users":["joe"],"clients":[],"groups":["users"]}}`, 200, `{}`},
		{"the user", "GET", "/roles/r/_acl?detail=granular", "", 200,
			`"read":{"actors":[],"users":["joe"],"clients":[],"groups":["users"]}`},
		{"plain", "GET", "/roles/r/_acl", "", 200, `"read":{"actors":["joe"],"groups":["users"]}`},
		{"absent role", "GET", "/roles/none/_acl", "", 404, `{"error":["Cannot load role none"]}`},
		{"absent version", "GET", "/cookbooks/none/_acl", "", 404, "none"},
		{"put absent", "PUT", "/roles/none/_acl/read", `{"read":{"actors":[],"groups":[]}}`, 404, ""},
		{"no PUT of all", "PUT", "/roles/r/_acl", `{}`, 405, ""},
		{"no PUT beside cookbooks", "PUT", "/cookbooks/c/_acl", `{}`, 405, ""},
		{"no GET of one", "GET", read, "", 405, ""},
		{"no kind", "GET", "/sandboxes/x/_acl", "", 404, "<html>"},
	})
}

// TestACLsOfGoneActors: a name that is gone is in no ACL, and a new one of that
// name has no old rights.
func TestACLsOfGoneActors(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/groups", `{"groupname":"ops"}`).want(201, "")
	f.acme(f.root, "POST", "/roles", `{"name":"r"}`).want(201, "")
	f.acme(f.root, "PUT", "/roles/r/_acl/update", `{"update":{"actors":["web1","joe"],"groups":["ops"]}}`).want(200, "")
	f.acme(f.root, "PUT", "/clients/web1", `{"name":"web2"}`).want(201, "")
	f.acme(f.root, "PUT", "/groups/ops", `{"groupname":"core"}`).want(201, "")
	f.acme(f.root, "GET", "/roles/r/_acl", "").want(200, `"update":{"actors":["web2","joe"],"groups":["core"]}`)
	f.acme(f.root, "GET", "/clients/web2/_acl", "").want(200, `"web2"`)
	f.acme(f.root, "GET", "/clients/web1/_acl", "").want(404, "")
	f.acme(f.root, "GET", "/groups/core/_acl", "").want(200, "")
	f.acme(f.root, "DELETE", "/clients/web2", "").want(200, "")
	f.acme(f.root, "DELETE", "/groups/core", "").want(200, "")
	f.acme(f.root, "POST", "/clients", `{"name":"web1","create_key":true}`).want(201, "")
	f.acme(f.root, "GET", "/roles/r/_acl", "").want(200, `"update":{"actors":["joe"],"groups":[]}`)
	f.acme(f.web1, "PUT", "/roles/r", `{}`).want(403, "")
	f.acme(f.root, "PUT", "/environments/_default/_acl/delete", `{"delete":{"actors":[],"groups":["admins"]}}`).want(200, "")
	f.acme(f.root, "POST", "/environments", `{"name":"e"}`).want(201, "")
	f.acme(f.root, "PUT", "/environments/e/_acl/read", `{"read":{"actors":[],"groups":["admins"]}}`).want(200, "")
	f.acme(f.root, "PUT", "/environments/e", `{"name":"e2"}`).want(201, "")
	f.acme(f.joe, "GET", "/environments/e2", "").want(403, "") // A rename takes the ACL along.
}

// TestContainerACLs: what is new follows its container, what is there does not.
func TestContainerACLs(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.joe, "POST", "/roles", `{"name":"old"}`).want(201, "")
	f.acme(f.root, "PUT", "/containers/roles/_acl/create", `{"create":{"actors":["web1"],"groups":["admins"]}}`).want(200, "")
	f.acme(f.root, "PUT", "/containers/roles/_acl/read", `{"read":{"actors":["web1"],"groups":["admins"]}}`).want(200, "")
	f.acme(f.joe, "POST", "/roles", `{"name":"no"}`).want(403, "missing create permission")
	f.acme(f.joe, "GET", "/roles", "").want(403, "missing read permission")
	f.acme(f.joe, "GET", "/roles/old", "").want(200, "")
	f.acme(f.web1, "POST", "/roles", `{"name":"new"}`).want(201, "")
	f.acme(f.joe, "GET", "/roles/new", "").want(403, "")
	f.acme(f.joe, "PUT", "/roles/new", `{}`).want(200, "") // Of update nobody spoke.
}

// TestACLsOfCookbooks: there is one for all versions, and it goes with the last.
func TestACLsOfCookbooks(t *testing.T) {
	f := newFixture(t, Options{})
	put := func(who agent, v string, status int) {
		t.Helper()
		f.acme(who, "PUT", "/cookbooks/c/"+v, manifest("c", v, false)).want(status, "")
		f.acme(who, "PUT", "/cookbook_artifacts/a/"+strings.ReplaceAll(v, ".", ""), artifact("a", strings.ReplaceAll(v, ".", ""))).want(status, "")
	}
	put(f.root, "1.0.0", http.StatusCreated)
	for _, name := range []string{"/cookbooks/c", "/cookbook_artifacts/a"} {
		f.acme(f.root, "PUT", name+"/_acl/update", `{"update":{"actors":[],"groups":["admins"]}}`).want(200, "")
		f.acme(f.root, "PUT", name+"/_acl/read", `{"read":{"actors":[],"groups":["admins"]}}`).want(200, "")
	}
	f.acme(f.joe, "GET", "/cookbooks/c/1.0.0", "").want(403, "")
	f.acme(f.joe, "GET", "/cookbook_artifacts/a/100", "").want(403, "")
	// A new version of a cookbook is an update, a new artifact never is one.
	f.acme(f.joe, "PUT", "/cookbooks/c/2.0.0", manifest("c", "2.0.0", false)).want(403, "missing update permission")
	f.acme(f.joe, "PUT", "/cookbook_artifacts/a/300", artifact("a", "300")).want(201, "")
	put(f.root, "2.0.0", http.StatusCreated)
	for _, path := range []string{"/cookbooks/c/1.0.0", "/cookbook_artifacts/a/100", "/cookbook_artifacts/a/300"} {
		f.acme(f.root, "DELETE", path, "").want(200, "")
	}
	f.acme(f.root, "GET", "/cookbooks/c/_acl", "").want(200, `"read":{"actors":[],"groups":["admins"]}`)
	f.acme(f.root, "GET", "/cookbook_artifacts/a/_acl", "").want(200, `"read":{"actors":[],"groups":["admins"]}`)
	f.acme(f.root, "DELETE", "/cookbooks/c/2.0.0", "").want(200, "")
	f.acme(f.root, "DELETE", "/cookbook_artifacts/a/200", "").want(200, "")
	f.acme(f.root, "GET", "/cookbooks/c/_acl", "").want(404, "")
	f.acme(f.root, "GET", "/cookbook_artifacts/a/_acl", "").want(404, "")
}
