package chefserver

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestSnapshotOfAccess(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/groups", `{"groupname":"ops"}`).want(201, "")
	f.acme(f.root, "PUT", "/groups/ops", members(`["joe"]`, `["web1"]`, `["users"]`)).want(200, "")
	f.acme(f.root, "POST", "/containers", `{"containername":"k"}`).want(201, "")
	f.acme(f.root, "POST", "/data", `{"name":"b"}`).want(201, "")
	f.acme(f.root, "POST", "/data/b", `{"id":"i"}`).want(201, "")
	f.acme(f.root, "PUT", "/data/b/_acl/read", `{"read":{"actors":["web1","joe"],"groups":["ops"]}}`).want(200, "")
	usags := f.group(f.root, "users").Groups
	d := f.snapshot()
	for path, want := range map[string]string{
		"/groups/ops":            `{"clients":["web1"],"groups":["users"],"users":["joe"]}`,
		"/groups/admins":         `{"clients":[],"groups":[],"users":["pivotal","root"]}`,
		"/groups/users":          `{"clients":[],"groups":[],"users":["pivotal"]}`,
		"/groups/billing-admins": "",
		"/groups/" + usags[0]:    "",
		"/containers/k":          `{"containername":"k"}`,
		"/containers/nodes":      `{"containername":"nodes"}`,
	} {
		if d.Objects[path] != want {
			t.Errorf("%s = %s, want %s", path, d.Objects[path], want)
		}
	}
	if got := d.Groups["users"]; !slices.Equal(got.Groups, usags) || len(d.Groups[usags[0]].Users) != 1 {
		t.Errorf("groups %+v", d.Groups)
	}
	if !slices.Equal(d.Admins, []string{"root"}) || !slices.Equal(d.Members, []string{"joe", "root"}) {
		t.Errorf("admins %v of %v", d.Admins, d.Members)
	}
	ace := func(clients, groups, users string) string {
		return `{"clients":[` + clients + `],"groups":[` + groups + `],"users":[` + users + `]}`
	}
	rw := ace("", `"admins","users"`, `"pivotal","root"`)
	want := `{"create":` + rw + `,"delete":` + rw + `,"grant":` + ace("", `"admins"`, `"pivotal","root"`) +
		`,"read":` + ace(`"web1"`, `"ops"`, `"joe"`) + `,"update":` + rw + `}`
	if d.ACLs["/data/b/_acl"] != want {
		t.Errorf("ACL of the bag\n got %s\nwant %s", d.ACLs["/data/b/_acl"], want)
	}
	// Everything that has an ACL, and nothing else.
	var paths []string
	for path := range d.Objects {
		if path != "/data/b/i" {
			paths = append(paths, path+"/_acl")
		}
	}
	paths = append(paths, "/organizations/_acl", "/groups/billing-admins/_acl")
	slices.Sort(paths)
	if got := slices.Sorted(maps.Keys(d.ACLs)); !slices.Equal(got, paths) {
		t.Errorf("ACLs of\n %q\nwant\n %q", got, paths)
	}
	key := d.Keys["/clients/web1/keys/default"]
	if len(d.Keys) != 2 || !strings.HasPrefix(key, `{"expiration_date":"infinity","public_key":"-----BEGIN PUBLIC KEY`) {
		t.Errorf("keys %v", d.Keys)
	}
}

func TestFeedOfAccess(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	at := int64(0)
	step := func(method, path, body string, want ...string) {
		t.Helper()
		if got := f.acme(f.root, method, path, body); got.status/100 != 2 {
			t.Fatalf("%s = %d %s", got.what, got.status, got.body)
		}
		at = f.wantFeed(at, "", want...)
	}
	pem := asJSON(publicPEM(&f.pivotal.key.PublicKey))
	step("POST", "/groups", `{"groupname":"ops"}`, "create /groups/ops")
	step("PUT", "/groups/ops", members(`["joe"]`, `[]`, `[]`), "update /groups/ops")
	step("PUT", "/groups/ops", members(`["joe","nobody"]`, `[]`, `[]`))
	step("PUT", "/groups/ops", `{"groupname":"core"}`, "delete /groups/ops", "create /groups/core")
	step("PUT", "/groups/clients", `{"actors":{"groups":["core"]}}`, "update /groups/clients")
	step("DELETE", "/groups/core", "", "delete /groups/core", "update /groups/clients")
	step("POST", "/containers", `{"containername":"k"}`, "create /containers/k")
	step("DELETE", "/containers/k", "", "delete /containers/k")
	step("POST", "/clients", `{"name":"c"}`, "create /clients/c", "update /groups/clients")
	step("POST", "/clients/c/keys", `{"name":"k","public_key":`+pem+`,"expiration_date":"infinity"}`, "update /clients/c")
	step("PUT", "/clients/c/keys/k", `{"expiration_date":"2050-01-01T00:00:00Z"}`, "update /clients/c")
	step("DELETE", "/clients/c/keys/k", "", "update /clients/c")
	step("PUT", "/clients/c", `{"name":"c"}`)
	step("PUT", "/clients/c", `{"name":"c","validator":true}`, "update /clients/c")
	step("PUT", "/clients/c", `{"name":"d"}`, "delete /clients/c", "create /clients/d")
	step("DELETE", "/clients/d", "", "delete /clients/d", "update /groups/clients")
	step("POST", "/roles", `{"name":"r"}`, "create /roles/r")
	step("PUT", "/roles/r/_acl/read", `{"read":{"actors":["joe"],"groups":[]}}`, "update /roles/r/_acl")
	step("PUT", "/roles/r/_acl/read", `{"read":{"actors":[],"users":["joe","joe"],"clients":[],"groups":[]}}`)
	step("PUT", "/organizations/_acl/read", `{"read":{"actors":["root"],"groups":["users"]}}`, "update /organizations/_acl")
	f.joe = f.root                   // Who reads the feed from here on.
	step("DELETE", "/users/joe", "") // A hidden group goes, which is nobody's business.
	step("POST", "/groups", `{"groupname":"ops"}`, "create /groups/ops")
	step("PUT", "/groups/ops", members(`["joe"]`, `[]`, `[]`), "update /groups/ops")
	f.do(f.pivotal, "DELETE", "/users/joe", "").want(200, "")
	at = f.wantFeed(at, "", "update /groups/ops")
	if err := f.s.AddMember("acme", "eve", true); err != nil {
		t.Fatal(err)
	}
	f.wantFeed(at, "", "update /groups/admins")
}

// TestBackupOfAccess: groups and ACLs go back, and who belongs to the
// organization keeps what a member has.
func TestBackupOfAccess(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/roles", `{"name":"r"}`).want(201, "")
	f.acme(f.root, "POST", "/groups", `{"groupname":"ops"}`).want(201, "")
	f.acme(f.root, "PUT", "/groups/ops", members(`["joe"]`, `["web1"]`, `[]`)).want(200, "")
	b, err := f.s.Backup("acme")
	if err != nil {
		t.Fatal(err)
	}
	before := f.snapshot()
	f.acme(f.root, "PUT", "/groups/ops", members(`[]`, `[]`, `[]`)).want(200, "")
	f.acme(f.root, "PUT", "/roles/r/_acl/read", `{"read":{"actors":[],"groups":[]}}`).want(200, "")
	f.acme(f.root, "PUT", "/clients/web1", `{"name":"web2"}`).want(201, "")
	f.acme(f.root, "POST", "/groups", `{"groupname":"new"}`).want(201, "")
	f.acme(f.root, "PUT", "/groups/admins", members(`[]`, `[]`, `[]`)).want(200, "")
	f.acme(f.pivotal, "POST", "/users", `{"username":"eve"}`).want(201, "")
	f.acme(f.pivotal, "DELETE", "/users/joe", "").want(200, "")
	for range 2 { // A backup can be restored twice.
		if err := f.s.RestoreBackup("acme", b); err != nil {
			t.Fatal(err)
		}
		after := f.snapshot()
		if !maps.Equal(before.Objects, after.Objects) || !maps.Equal(before.ACLs, after.ACLs) || !maps.Equal(before.Keys, after.Keys) {
			t.Errorf("before\n%v\n%v\nafter\n%v\n%v", before.Objects, before.ACLs, after.Objects, after.ACLs)
		}
		if len(after.Groups["users"].Groups) != 2 {
			t.Errorf("USAGs %v", after.Groups)
		}
		f.acme(f.eve, "GET", "/roles", "").want(200, "")
		f.acme(f.joe, "GET", "/roles", "").want(403, "not associated")
		f.acme(f.root, "PUT", "/groups/ops", members(`[]`, `[]`, `[]`)).want(200, "")
	}
}

// TestRecreatedAccess: the members and admins of an organization made anew are
// members and admins, and nothing else is left.
func TestRecreatedAccess(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/groups", `{"groupname":"ops"}`).want(201, "")
	usags := f.group(f.root, "users").Groups
	if _, err := f.s.RecreateOrganization("acme"); err != nil {
		t.Fatal(err)
	}
	f.acme(f.root, "GET", "/groups/ops", "").want(404, "")
	f.acme(f.joe, "POST", "/roles", `{"name":"r"}`).want(201, "")
	f.acme(f.joe, "GET", "/groups/admins", "").want(403, "")
	f.wantGroup("users", []string{"pivotal"}, nil, usags)
	f.wantGroup("clients", nil, []string{"acme-validator"}, nil)
}
