package chefserver

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestPolicyGroups(t *testing.T) {
	f := newFixture(t, Options{})
	const web, groupURL = "/policy_groups/prod/policies/web", `"uri":"$URL/organizations/acme/policy_groups/prod"`
	one, two := lock("web", "r1", ""), lock("web", "r2", "")
	other := lock("web", "r1", `"other":"content","policy_group":"x",`)
	f.run(f.root, []exchange{
		{"none", "GET", "/policy_groups", "", 200, `{}`},
		{"absent", "GET", "/policy_groups/prod", "", 404, `{"error":["policy_group 'prod' not found"]}`},
		{"delete absent", "DELETE", "/policy_groups/prod", "", 404, `{"error":["policy_group 'prod' not found"]}`},
		{"pointer absent", "GET", web, "", 404, `{"error":["Cannot load policy web in policy group prod"]}`},
		{"delete pointer absent", "DELETE", web, "", 404, `{"error":["Cannot load policy web in policy group prod"]}`},
		{"no POST", "POST", "/policy_groups", `{"name":"prod"}`, 405, ""},
		{"all is created", "PUT", web, one, 201, one},
		{"policy", "GET", "/policies/web", "", 200, `{"revisions":{"r1":{}}}`},
		{"revision", "GET", "/policies/web/revisions/r1", "", 200, withGroups(one, "prod")},
		{"group", "GET", "/policy_groups/prod", "", 200, `{"policies":{"web":{"revision_id":"r1"}},` + groupURL + `}`},
		{"same again", "PUT", web, one, 200, one},
		{"same revision, other content: the echo", "PUT", web, other, 200, other},
		{"the truth", "GET", web, "", 200, one},
		{"move", "PUT", web, two, 200, two},
		{"moved", "GET", web, "", 200, two},
		{"both revisions are there", "GET", "/policies/web", "", 200, `{"revisions":{"r1":{},"r2":{}}}`},
		{"a second group", "PUT", "/policy_groups/qa/policies/web", one, 201, ""},
		{"list", "GET", "/policy_groups", "", 200, `{"prod":{` + groupURL + `,"policies":{"web":{"revision_id":"r2"}}},
			"qa":{"uri":"$URL/organizations/acme/policy_groups/qa","policies":{"web":{"revision_id":"r1"}}}}`},
		{"delete pointer", "DELETE", web, "", 200, two},
		{"an empty group lacks policies", "GET", "/policy_groups", "", 200, `{"prod":{` + groupURL + `},
			"qa":{"uri":"$URL/organizations/acme/policy_groups/qa","policies":{"web":{"revision_id":"r1"}}}}`},
		{"but not alone", "GET", "/policy_groups/prod", "", 200, `{"policies":{},` + groupURL + `}`},
		{"the revision stays", "GET", "/policies/web/revisions/r2", "", 200, withGroups(two)},
		{"delete group", "DELETE", "/policy_groups/qa", "", 200, `{"policies":{"web":{"revision_id":"r1"}},"uri":"$URL/organizations/acme/policy_groups/qa"}`},
		{"its pointer went along", "GET", "/policy_groups/qa/policies/web", "", 404, ""},
		{"the revision does not", "GET", "/policies/web/revisions/r1", "", 200, withGroups(one)},
	})
}

// TestPolicyCascades: pointers go with what they point to, groups stay.
func TestPolicyCascades(t *testing.T) {
	f := newFixture(t, Options{})
	empty := func(group string) string {
		return `"` + group + `":{"uri":"$URL/organizations/acme/policy_groups/` + group + `"}`
	}
	full := func(group, id string) string {
		return strings.TrimSuffix(empty(group), "}") + `,"policies":{"web":{"revision_id":"` + id + `"}}}`
	}
	f.run(f.root, []exchange{
		{"prod", "PUT", "/policy_groups/prod/policies/web", lock("web", "r1", ""), 201, ""},
		{"qa", "PUT", "/policy_groups/qa/policies/web", lock("web", "r2", ""), 201, ""},
		{"delete a revision in use", "DELETE", "/policies/web/revisions/r1", "", 200, `"revision_id":"r1"`},
		{"its pointer is gone", "GET", "/policy_groups", "", 200, "{" + empty("prod") + "," + full("qa", "r2") + "}"},
		{"delete the policy", "DELETE", "/policies/web", "", 200, `{"revisions":{"r2":{}}}`},
		{"all pointers are gone", "GET", "/policy_groups", "", 200, "{" + empty("prod") + "," + empty("qa") + "}"},
		{"again", "PUT", "/policy_groups/prod/policies/web", lock("web", "r1", ""), 201, ""},
	})
}

func TestPolicySnapshot(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "PUT", "/policy_groups/prod/policies/web", lock("web", "r1", "")).want(201, "")
	f.acme(f.root, "PUT", "/policy_groups/old/policies/web", lock("web", "r1", "")).want(201, "")
	f.acme(f.root, "DELETE", "/policy_groups/old/policies/web", "").want(200, "")
	f.acme(f.root, "POST", "/policies/empty/revisions", lock("empty", "e1", "")).want(201, "")
	f.acme(f.root, "DELETE", "/policies/empty/revisions/e1", "").want(200, "")
	want := map[string]string{
		"/policies/web": `{"name":"web"}`, "/policies/empty": `{"name":"empty"}`,
		"/policies/web/revisions/r1": `{"cookbook_locks":{"a":{"dotted_decimal_identifier":"1.2.3","identifier":"absent",` +
			`"version":"1.2.3"}},"name":"web","revision_id":"r1","run_list":["recipe[a::default]"]}`,
		"/policy_groups/prod": `{"name":"prod"}`, "/policy_groups/old": `{"name":"old"}`,
		"/policy_groups/prod/policies/web": `{"revision_id":"r1"}`,
	}
	got := maps.Clone(f.snapshot().Objects)
	maps.DeleteFunc(got, func(path, _ string) bool { return !strings.HasPrefix(path, "/polic") })
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestPolicyFeed(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	ok := func(method, path, body string) {
		t.Helper()
		if got := f.acme(f.root, method, path, body); got.status/100 != 2 {
			t.Fatalf("%s %s = %d %s", method, path, got.status, got.body)
		}
	}
	const web = "/policy_groups/prod/policies/web"
	ok("PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111"))
	ok("POST", "/nodes", `{"name":"n"}`)
	ok("POST", "/policies/web/revisions", lock("web", "r1", ""))
	at := f.wantFeed(0, "", "create /cookbook_artifacts/a/1111", "create /nodes/n", "create /policies/web", "create /policies/web/revisions/r1")
	ok("PUT", web, lock("web", "r1", ""))
	at = f.wantFeed(at, "", "create /policy_groups/prod", "create "+web)
	ok("PUT", web, lock("web", "r1", "")) // Nothing moves, and yet.
	at = f.wantFeed(at, "", "update "+web)
	ok("PUT", web, lock("web", "r2", ""))
	at = f.wantFeed(at, "", "create /policies/web/revisions/r2", "update "+web)
	ok("PUT", "/policy_groups/qa/policies/web", lock("web", "r1", ""))
	ok("PUT", "/policy_groups/qa/policies/db", lock("db", "r1", ""))
	at = f.wantFeed(at, "", "create /policy_groups/qa", "create /policy_groups/qa/policies/web",
		"create /policies/db", "create /policies/db/revisions/r1", "create /policy_groups/qa/policies/db")

	// What is refused or changes nothing is no change.
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111")).want(409, "")
	f.acme(f.root, "PUT", "/cookbook_artifacts/b/1111", artifact("b", "1111", "files/f="+zeroSum)).want(400, "")
	f.acme(f.root, "POST", "/policies/web/revisions", lock("web", "r1", "")).want(409, "")
	ok("PUT", "/nodes/n", `{"run_list":[]}`)
	f.wantFeed(at, "")
	ok("PUT", "/nodes/n", `{"run_list":["a"]}`)
	at = f.wantFeed(at, "", "update /nodes/n")

	// The parent first, then its children.
	ok("DELETE", "/policies/web/revisions/r2", "")
	at = f.wantFeed(at, "", "delete /policies/web/revisions/r2", "delete "+web)
	ok("PUT", web, lock("web", "r3", ""))
	at = f.wantFeed(at, "", "create /policies/web/revisions/r3", "create "+web)
	ok("DELETE", "/policies/web", "")
	at = f.wantFeed(at, "", "delete /policies/web", "delete /policies/web/revisions/r1", "delete /policies/web/revisions/r3",
		"delete "+web, "delete /policy_groups/qa/policies/web")
	ok("DELETE", "/policy_groups/qa", "")
	at = f.wantFeed(at, "", "delete /policy_groups/qa", "delete /policy_groups/qa/policies/db")
	ok("DELETE", "/cookbook_artifacts/a/1111", "")
	ok("DELETE", "/nodes/n", "")
	f.wantFeed(at, "", "delete /cookbook_artifacts/a/1111", "delete /nodes/n")
}

func TestPolicyBackup(t *testing.T) {
	f := newFixture(t, Options{})
	sum := f.upload("kept")[0]
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111", "files/x="+sum)).want(201, "")
	f.acme(f.root, "PUT", "/policy_groups/prod/policies/web", lock("web", "r1", "")).want(201, "")
	f.acme(f.root, "POST", "/nodes", `{"name":"n"}`).want(201, "")
	before := f.snapshot()
	b, err := f.s.Backup("acme")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f.acme(f.root, "DELETE", "/cookbook_artifacts/a/1111", "").want(200, "")
		f.acme(f.root, "PUT", "/cookbook_artifacts/a/2222", artifact("a", "2222")).want(201, "")
		f.acme(f.root, "PUT", "/policy_groups/prod/policies/web", lock("web", "r2", "")).want(200, "")
		f.acme(f.root, "PUT", "/policy_groups/qa/policies/db", lock("db", "r1", "")).want(201, "")
		f.acme(f.root, "DELETE", "/nodes/n", "").want(200, "")
		if err := f.s.RestoreBackup("acme", b); err != nil {
			t.Fatal(err)
		}
		after := f.snapshot()
		if !maps.Equal(before.Objects, after.Objects) || !after.Cookbooks["/cookbook_artifacts/a/1111"].Complete() {
			t.Fatalf("restored\n got %v\nwant %v", slices.Sorted(maps.Keys(after.Objects)), slices.Sorted(maps.Keys(before.Objects)))
		}
	}
}

// TestPolicyRights: members write, clients only read, and the one node that a
// client may create is no exception to that for policies.
func TestPolicyRights(t *testing.T) {
	f := newFixture(t, Options{})
	f.s.ResetStats()
	f.acme(f.joe, "PUT", "/policy_groups/prod/policies/web", lock("web", "r1", "")).want(201, "")
	f.acme(f.joe, "PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111")).want(201, "")
	st := f.s.Stats()
	if st.Requests["PUT /organizations/ORG/policy_groups/GROUP/policies/NAME"] != 1 ||
		st.Requests["PUT /organizations/ORG/cookbook_artifacts/NAME/IDENTIFIER"] != 1 ||
		st.Writes["acme/policy_groups/prod/policies/web"] != 1 || st.Writes["acme/cookbook_artifacts/a/1111"] != 1 {
		t.Errorf("stats %+v", st)
	}
	for _, path := range []string{"/policies", "/policies/web", "/policies/web/revisions/r1", "/policy_groups", "/policy_groups/prod",
		"/policy_groups/prod/policies/web", "/cookbook_artifacts", "/cookbook_artifacts/a", "/cookbook_artifacts/a/1111", "/nodes"} {
		f.acme(f.web1, "GET", path, "").want(200, "")
		f.acme(f.eve, "GET", path, "").want(403, "not associated")
	}
	for _, tt := range []struct{ method, path, body, verb string }{
		{"POST", "/policies/web/revisions", lock("web", "r2", ""), "create"},
		{"DELETE", "/policies/web/revisions/r1", "", "delete"},
		{"DELETE", "/policies/web", "", "delete"},
		{"PUT", "/policy_groups/prod/policies/web", lock("web", "r2", ""), "update"},
		{"PUT", "/policy_groups/qa/policies/db", lock("db", "r2", ""), "create"},
		{"DELETE", "/policy_groups/prod/policies/web", "", "delete"},
		{"DELETE", "/policy_groups/prod", "", "delete"},
		{"PUT", "/cookbook_artifacts/a/2222", artifact("a", "2222"), "create"},
		{"DELETE", "/cookbook_artifacts/a/1111", "", "delete"},
	} {
		f.acme(f.web1, tt.method, tt.path, tt.body).wantJSON(403, `{"error":["missing `+tt.verb+` permission"]}`)
		if tt.method == "DELETE" {
			f.acme(f.joe, "GET", tt.path, "").want(200, "")
		}
	}
}
