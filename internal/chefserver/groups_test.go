package chefserver

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// usag matches the names of the hidden groups, one per member.
var usag = regexp.MustCompile(`^[0-9a-f]{32}$`)

// group reads the members of a group as the actor sees them, USAGs included.
func (f *fixture) group(who agent, name string) GroupMembers {
	f.t.Helper()
	m := f.acme(who, "GET", "/groups/"+name, "").want(200, "").parsed()
	list := func(field string) []string {
		out := []string{}
		for _, v := range m[field].([]any) {
			out = append(out, v.(string))
		}
		return out
	}
	if actors := append(list("clients"), list("users")...); !slices.Equal(list("actors"), actors) {
		f.t.Errorf("group %s: actors %v, want %v", name, list("actors"), actors)
	}
	return GroupMembers{Users: list("users"), Clients: list("clients"), Groups: list("groups")}
}

func (f *fixture) wantGroup(name string, users, clients, groups []string) {
	f.t.Helper()
	got := f.group(f.root, name)
	if !slices.Equal(got.Users, users) || !slices.Equal(got.Clients, clients) || !slices.Equal(got.Groups, groups) {
		f.t.Errorf("group %s = %+v, want users %v, clients %v, groups %v", name, got, users, clients, groups)
	}
}

func members(users, clients, groups string) string {
	return fmt.Sprintf(`{"actors":{"users":%s,"clients":%s,"groups":%s}}`, users, clients, groups)
}

func TestDefaultGroups(t *testing.T) {
	f := newFixture(t, Options{})
	var hidden, named []string
	for name, url := range f.acme(f.root, "GET", "/groups", "").want(200, "").parsed() {
		if url != f.url+"/organizations/acme/groups/"+name {
			t.Errorf("group %s is at %s", name, url)
		}
		if usag.MatchString(name) {
			hidden = append(hidden, name)
		} else {
			named = append(named, name)
		}
	}
	slices.Sort(hidden)
	slices.Sort(named)
	if want := []string{"admins", "billing-admins", "clients", "public_key_read_access", "users"}; !slices.Equal(named, want) {
		t.Errorf("groups %v, want %v", named, want)
	}
	if len(hidden) != 2 {
		t.Errorf("USAGs %v, want those of root and joe", hidden)
	}
	f.wantGroup("admins", []string{"pivotal", "root"}, nil, nil)
	f.wantGroup("users", []string{"pivotal"}, nil, hidden)
	f.wantGroup("clients", nil, []string{"acme-validator", "web1"}, nil)
	f.wantGroup("public_key_read_access", nil, nil, []string{"clients", "users"})
	var of []string
	for _, name := range hidden {
		of = append(of, f.group(f.root, name).Users...)
	}
	slices.Sort(of)
	if !slices.Equal(of, []string{"joe", "root"}) {
		t.Errorf("USAGs hold %v", of)
	}
	f.acme(f.root, "GET", "/groups/clients", "").wantJSON(200, `{"actors":["acme-validator","web1"],"users":[],
		"clients":["acme-validator","web1"],"groups":[],"orgname":"acme","name":"clients","groupname":"clients"}`)
}

func TestGroups(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/groups", `{"groupname":"inner"}`).want(201, "")
	f.run(f.root, []exchange{
		{"create, with members that are ignored", "POST", "/groups", `{"groupname":"ops","actors":{"users":["joe"]},"users":["joe"]}`, 201,
			`{"uri":"$URL/organizations/acme/groups/ops"}`},
		{"empty", "GET", "/groups/ops", "", 200, `{"actors":[],"users":[],"clients":[],"groups":[],"orgname":"acme","name":"ops","groupname":"ops"}`},
		{"again", "POST", "/groups", `{"groupname":"ops"}`, 409, `{"error":["Group already exists"]}`},
		{"by id", "POST", "/groups", `{"id":"by-id","groupname":"other"}`, 201, `{"uri":"$URL/organizations/acme/groups/by-id"}`},
		{"no name", "POST", "/groups", `{}`, 400, `{"error":["Invalid group name."]}`},
		{"empty name", "POST", "/groups", `{"groupname":""}`, 400, `{"error":["Invalid group name."]}`},
		{"upper case", "POST", "/groups", `{"groupname":"Ops"}`, 400, `{"error":["Invalid group name."]}`},
		{"no string", "POST", "/groups", `{"groupname":1}`, 400, `{"error":["Invalid group name."]}`},
		{"absent", "GET", "/groups/none", "", 404, `{"error":["Cannot load group none"]}`},
		{"put absent", "PUT", "/groups/none", `{}`, 404, "Cannot load group"},
		{"delete absent", "DELETE", "/groups/none", "", 404, "Cannot load group"},
		{"all lists, and an echo of what was sent", "PUT", "/groups/ops",
			`{"groupname":"ops","actors":{"users":["joe","nobody"],"clients":["web1","no1"],"groups":["inner","no-group"]},"x":[1]}`, 200,
			`{"groupname":"ops","actors":{"users":["joe","nobody"],"clients":["web1","no1"],"groups":["inner","no-group"]},"x":[1]}`},
		{"unknown names are gone", "GET", "/groups/ops", "", 200,
			`{"actors":["web1","joe"],"users":["joe"],"clients":["web1"],"groups":["inner"],"orgname":"acme","name":"ops","groupname":"ops"}`},
		{"lists beside actors", "PUT", "/groups/ops", `{"groupname":"ops","users":[],"clients":[],"groups":[]}`, 200, ""},
		{"and actors that are none", "PUT", "/groups/ops", `{"actors":"bogus"}`, 200, ""},
		{"change nothing", "GET", "/groups/ops", "", 200, `"actors":["web1","joe"]`},
		{"one list", "PUT", "/groups/ops", `{"actors":{"users":["root"]}}`, 200, ""},
		{"leaves the others", "GET", "/groups/ops", "", 200,
			`{"actors":["web1","root"],"users":["root"],"clients":["web1"],"groups":["inner"],"orgname":"acme","name":"ops","groupname":"ops"}`},
		{"a user who is no member", "PUT", "/groups/ops", `{"actors":{"users":["eve"]}}`, 200, ""},
		{"is known", "GET", "/groups/ops", "", 200, `"users":["eve"]`},
		{"bad new name", "PUT", "/groups/ops", `{"groupname":"O p s"}`, 400, `{"error":["Invalid group name."]}`},
		{"taken name", "PUT", "/groups/ops", `{"groupname":"inner"}`, 409, `{"error":"Group already exists"}`},
		{"rename", "PUT", "/groups/inner", `{"groupname":"core","actors":{}}`, 201, `{"groupname":"core","actors":{}}`},
		{"the old name", "GET", "/groups/inner", "", 404, ""},
		{"stays a member", "GET", "/groups/ops", "", 200, `"groups":["core"]`},
		{"delete", "DELETE", "/groups/core", "", 200, `"groupname":"core"`},
		{"is a member no more", "GET", "/groups/ops", "", 200, `"groups":[]`},
		{"no PUT of the list", "PUT", "/groups", `{}`, 405, ""},
		{"no POST of one", "POST", "/groups/ops", `{}`, 405, ""},
	})
	f.acme(f.web1, "GET", "/groups", "").wantJSON(403, `{"error":["missing read permission"]}`)
	f.acme(f.joe, "GET", "/groups", "").want(200, "ops")
	f.acme(f.joe, "POST", "/groups", `{"groupname":"joes"}`).wantJSON(403, `{"error":["missing create permission"]}`)
	f.acme(f.joe, "GET", "/groups/admins", "").wantJSON(403, `{"error":["No permission for group admins"]}`)
	f.acme(f.joe, "PUT", "/groups/ops", `{}`).wantJSON(403, `{"error":["missing update permission"]}`)
	f.acme(f.joe, "DELETE", "/groups/ops", "").want(403, "")
	f.acme(f.joe, "PUT", "/groups/admins", members(`["joe"]`, `[]`, `[]`)).want(403, "")
}

// TestBillingAdmins: not even an admin sees that group.
func TestBillingAdmins(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "GET", "/groups/billing-admins", "").wantJSON(403, `{"error":["No permission for group billing-admins"]}`)
	f.acme(f.root, "PUT", "/groups/billing-admins", members(`["root"]`, `[]`, `[]`)).want(403, "")
	f.acme(f.root, "DELETE", "/groups/billing-admins", "").want(403, "")
	f.acme(f.root, "GET", "/groups/billing-admins/_acl", "").want(403, "")
	f.acme(f.pivotal, "PUT", "/groups/billing-admins", members(`["joe"]`, `[]`, `[]`)).want(200, "")
	f.acme(f.joe, "GET", "/groups/billing-admins", "").want(200, `"users":["joe"]`)
}

// TestUsersWithoutUSAGs: a blind copy of the group users cuts off all members.
func TestUsersWithoutUSAGs(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	f.acme(f.joe, "POST", "/roles", `{"name":"before"}`).want(201, "")
	hidden := f.group(f.root, "users").Groups
	at, _ := f.s.FeedHead("acme")
	f.acme(f.root, "PUT", "/groups/users", members(`[]`, `[]`, `[]`)).want(200, "")
	f.wantGroup("users", nil, nil, nil)
	f.acme(f.joe, "GET", "/roles", "").wantJSON(403, `{"error":["missing read permission"]}`)
	f.acme(f.joe, "POST", "/roles", `{"name":"after"}`).want(403, "")
	f.acme(f.joe, "GET", "/users", "").want(403, "")
	f.acme(f.joe, "GET", "/roles/before", "").want(200, "") // He made it.
	f.acme(f.root, "GET", "/roles", "").want(200, "")       // An admin is not in need of users.
	f.acme(f.root, "GET", "/users", "").want(200, "joe")    // Still a member.

	f.acme(f.root, "PUT", "/groups/users", fmt.Sprintf(`{"actors":{"groups":["%s"]}}`, strings.Join(hidden, `","`))).want(200, "")
	f.acme(f.joe, "GET", "/roles", "").want(200, "")
	// The feed speaks of pivotal, who was in users, too, and not of hidden groups.
	f.wantFeed(at, "", "update /groups/users")
	at, _ = f.s.FeedHead("acme")
	f.acme(f.root, "PUT", "/groups/users", members(`[]`, `[]`, `[]`)).want(200, "")
	f.acme(f.pivotal, "GET", fmt.Sprintf("/updated_since?seq=%d", at), "").wantJSON(200, `[]`)
}

// TestLockout: nothing keeps an admin from removing himself.
func TestLockout(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/groups", `{"groupname":"ops"}`).want(201, "")
	f.acme(f.root, "PUT", "/groups/admins", members(`["pivotal"]`, `[]`, `[]`)).want(200, "")
	f.acme(f.root, "GET", "/groups/admins", "").want(403, "")
	f.acme(f.root, "PUT", "/groups/admins", members(`["root"]`, `[]`, `[]`)).want(403, "")
	f.acme(f.root, "POST", "/clients", `{"name":"no"}`).want(403, "")
	f.acme(f.root, "GET", "/groups/ops/_acl", "").want(200, `"root"`) // He made it.
	f.acme(f.pivotal, "PUT", "/groups/admins", members(`["pivotal"]`, `[]`, `["ops"]`)).want(200, "")
	f.acme(f.pivotal, "PUT", "/groups/ops", members(`["root"]`, `["web1"]`, `[]`)).want(200, "")
	f.acme(f.root, "POST", "/clients", `{"name":"yes"}`).want(201, "") // By a nested group.
	f.acme(f.web1, "POST", "/roles", `{"name":"by-client"}`).want(201, "")
	f.acme(f.pivotal, "PUT", "/groups/ops", members(`["root"]`, `[]`, `["admins"]`)).want(200, "")
	f.acme(f.web1, "POST", "/roles", `{"name":"no"}`).want(403, "")
	f.acme(f.root, "GET", "/clients", "").want(200, "yes") // A circle of groups is none of ours.
	if err := f.s.AddMember("acme", "joe", true); err != nil {
		t.Fatal(err)
	}
	f.acme(f.joe, "POST", "/clients", `{"name":"joes"}`).want(201, "")
}

// TestMembersComeAndGo: who is gone is in no group.
func TestMembersComeAndGo(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/groups", `{"groupname":"ops"}`).want(201, "")
	f.acme(f.root, "PUT", "/groups/ops", members(`["joe","eve"]`, `["web1","acme-validator"]`, `[]`)).want(200, "")
	f.acme(f.root, "PUT", "/clients/web1", `{"name":"web2"}`).want(201, "")
	f.wantGroup("ops", []string{"eve", "joe"}, []string{"acme-validator", "web2"}, nil)
	f.wantGroup("clients", nil, []string{"acme-validator", "web2"}, nil)
	f.acme(f.root, "DELETE", "/clients/web2", "").want(200, "")
	f.acme(f.root, "POST", "/clients", `{"name":"web2"}`).want(201, "")
	f.wantGroup("ops", []string{"eve", "joe"}, []string{"acme-validator"}, nil)

	usags := f.group(f.root, "users").Groups
	f.acme(f.root, "DELETE", "/users/root", "").wantJSON(403, `{"error":"Please remove root from this organization's `+
		`admins group before removing him or her from the organization."}`)
	f.acme(f.root, "DELETE", "/users/joe", "").want(200, "")
	left := f.group(f.root, "users").Groups
	if len(usags) != 2 || len(left) != 1 || !slices.Contains(usags, left[0]) {
		t.Errorf("USAGs %v, then %v", usags, left)
	}
	gone := slices.DeleteFunc(usags, func(name string) bool { return name == left[0] })[0]
	f.acme(f.root, "GET", "/groups/"+gone, "").want(404, "")
	f.acme(f.pivotal, "POST", "/users", `{"username":"joe"}`).want(201, "")
	if now := f.group(f.root, "users").Groups; !slices.Contains(now, gone) {
		t.Errorf("the USAG of a user who came back is not %s: %v", gone, now)
	}
	f.acme(f.joe, "GET", "/roles", "").want(200, "")
	f.do(f.pivotal, "PUT", "/users/eve", `{"username":"eva","display_name":"E","email":"eve@example.com"}`).want(201, "")
	f.wantGroup("ops", []string{"eva", "joe"}, []string{"acme-validator"}, nil)
	f.do(f.pivotal, "DELETE", "/users/joe", "").want(200, "")
	f.wantGroup("ops", []string{"eva"}, []string{"acme-validator"}, nil)
	if now := f.group(f.root, "users").Groups; !slices.Equal(now, left) {
		t.Errorf("USAGs after a deleted user %v, want %v", now, left)
	}
}

func TestKeyReaders(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.web1, "GET", "/clients/acme-validator/keys/default", "").want(200, "BEGIN PUBLIC KEY")
	f.acme(f.web1, "GET", "/users/joe/keys", "").want(200, "default")
	f.acme(f.root, "PUT", "/groups/public_key_read_access", members(`["joe"]`, `[]`, `[]`)).want(200, "")
	f.acme(f.web1, "GET", "/clients/web1/keys", "").want(403, "missing read permission")
	f.acme(f.root, "GET", "/users/joe/keys", "").want(403, "")
	f.acme(f.joe, "GET", "/clients/web1/keys", "").want(200, "default")
	f.acme(f.root, "DELETE", "/groups/public_key_read_access", "").want(403, "missing delete permission")
}
