package chefserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// lock is a policy revision; more is put before its other keys.
func lock(name, id, more string) string {
	return fmt.Sprintf(`{%s"revision_id":%q,"name":%q,"run_list":["recipe[a::default]"],`+
		`"cookbook_locks":{"a":{"identifier":"absent","version":"1.2.3","dotted_decimal_identifier":"1.2.3"}}}`, more, id, name)
}

// withGroups is how a revision is read.
func withGroups(doc string, groups ...string) string {
	list, _ := json.Marshal(append([]string{}, groups...))
	return strings.TrimSuffix(doc, "}") + `,"policy_group_list":` + string(list) + "}"
}

func TestPolicies(t *testing.T) {
	f := newFixture(t, Options{})
	const revisions, r1 = "/policies/web/revisions", "/policies/web/revisions/r1"
	one := lock("web", "r1", `"extra":{"n":12345678901234567890},`)
	f.run(f.root, []exchange{
		{"none", "GET", "/policies", "", 200, `{}`},
		{"absent", "GET", "/policies/web", "", 404, "<html>"},
		{"delete absent", "DELETE", "/policies/web", "", 404, "<html>"},
		{"revision absent", "GET", r1, "", 404, "<html>"},
		{"delete revision absent", "DELETE", r1, "", 404, "<html>"},
		{"PUT", "PUT", "/policies/web", one, 405, ""},
		{"create", "POST", revisions, one, 201, one},
		{"get", "GET", r1, "", 200, withGroups(one)},
		{"second", "POST", revisions, lock("web", "r2", ""), 201, ""},
		{"list", "GET", "/policies", "", 200, `{"web":{"uri":"$URL/organizations/acme/policies/web","revisions":{"r1":{},"r2":{}}}}`},
		{"get policy", "GET", "/policies/web", "", 200, `{"revisions":{"r1":{},"r2":{}}}`},
		{"delete revision", "DELETE", r1, "", 200, one},
		{"gone", "GET", r1, "", 404, "<html>"},
		{"delete the last", "DELETE", revisions + "/r2", "", 200, ""},
		{"the policy stays", "GET", "/policies/web", "", 200, `{}`},
		{"but is not listed", "GET", "/policies", "", 200, `{}`},
		{"create once more", "POST", revisions, one, 201, ""},
		{"delete policy", "DELETE", "/policies/web", "", 200, `{"revisions":{"r1":{}}}`},
		{"revision went along", "GET", r1, "", 404, ""},
		{"delete again", "DELETE", "/policies/web", "", 404, "<html>"},
	})
}

// TestRevisionConflict: the error is an Erlang string, and so a list of numbers.
func TestRevisionConflict(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/policies/web/revisions", lock("web", "r1", "")).want(201, "")
	got := f.acme(f.root, "POST", "/policies/web/revisions", lock("web", "r1", `"other":1,`)).want(409, "[80,111,108,")
	var codes []rune
	if err := json.Unmarshal([]byte(got.body), &codes); err != nil {
		t.Fatal(err)
	}
	if text := string(codes); text != "Policy 'web' with revision_id 'r1 already exists." {
		t.Errorf("it says %q", text)
	}
	f.acme(f.root, "GET", "/policies/web/revisions/r1", "").wantJSON(200, withGroups(lock("web", "r1", "")))
}

func TestRevisionValidation(t *testing.T) {
	f := newFixture(t, Options{})
	good := lock("web", "r1", "")
	long := strings.Repeat("x", 256)
	tests := []struct{ name, old, new, want string }{
		{"no revision_id", `"revision_id":"r1",`, "", "Field 'revision_id' missing"},
		{"bad revision_id", `"r1"`, `"r 1"`, "Field 'revision_id' invalid"},
		{"long revision_id", `"r1"`, `"` + long + `"`, "Field 'revision_id' invalid"},
		{"no name", `"name":"web",`, "", "Field 'name' missing"},
		{"bad name", `"name":"web"`, `"name":"w!"`, "Field 'name' invalid"},
		{"other name", `"name":"web"`, `"name":"db"`, "Field 'name' invalid : web does not match db"},
		{"no run_list", `"run_list":["recipe[a::default]"],`, "", "Field 'run_list' missing"},
		{"run_list no list", `["recipe[a::default]"]`, `"x"`, "Field 'run_list' is not a valid run list"},
		{"bare recipe", `recipe[a::default]`, `a::default`, "Field 'run_list' is not a valid run list"},
		{"recipe without recipe", `recipe[a::default]`, `recipe[a]`, "Field 'run_list' is not a valid run list"},
		{"recipe with version", `recipe[a::default]`, `recipe[a::default@1.0.0]`, "Field 'run_list' is not a valid run list"},
		{"role", `recipe[a::default]`, `role[a]`, "Field 'run_list' is not a valid run list"},
		{"number in run_list", `"recipe[a::default]"`, `1`, "Field 'run_list' is not a valid run list"},
		{"no locks", `"cookbook_locks"`, `"locks"`, "Field 'cookbook_locks' missing"},
		{"locks no map", `"cookbook_locks":{`, `"cookbook_locks":[],"x":{`, "Field 'cookbook_locks' invalid"},
		{"lock name", `{"a":`, `{"a b":`, "Invalid key 'a b' for cookbook_locks"},
		{"lock no map", `{"a":`, `{"b":"foo","a":`, "Invalid value 'foo' for cookbook_locks"},
		{"no identifier", `"identifier":"absent",`, "", "Field 'identifier' missing"},
		{"long identifier", `"absent"`, `"` + long + `"`, "Field 'identifier' invalid"},
		{"no version", `"version":"1.2.3",`, "", "Field 'version' missing"},
		{"bad version", `"version":"1.2.3"`, `"version":"1.2.3.4"`, "Field 'version' is not a valid version"},
		{"bad dotted", `identifier":"1.2.3"`, `identifier":"foo"`, "Field 'dotted_decimal_identifier' is not a valid version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := *f
			g.t = t
			body := strings.Replace(good, tt.old, tt.new, 1)
			if body == good {
				t.Fatalf("%q is not in the revision", tt.old)
			}
			want := `{"error":["` + tt.want + `"]}`
			g.acme(f.root, "POST", "/policies/web/revisions", body).wantJSON(400, want)
			g.acme(f.root, "PUT", "/policy_groups/prod/policies/web", body).wantJSON(400, want)
		})
	}
	f.run(f.root, []exchange{
		{"bad group", "PUT", "/policy_groups/a@b/policies/web", good, 400, "Field 'policy_group' invalid"},
		{"no policy came of it", "GET", "/policies/web", "", 404, ""},
		{"nor a group", "GET", "/policy_groups", "", 200, `{}`},
		{"empty lists and no dotted identifier", "POST", "/policies/web/revisions",
			`{"revision_id":"r2","name":"web","run_list":[],"cookbook_locks":{"a":{"identifier":"i","version":"1.2"}}}`, 201, ""},
		{"names with a colon", "POST", "/policies/a:b/revisions", lock("a:b", "r:1", ""), 201, ""},
	})
}

// TestRevisionPollution: what the server adds to a read is stored when it is
// sent back, hidden on one way to read it and visible on the other.
func TestRevisionPollution(t *testing.T) {
	f := newFixture(t, Options{})
	plain := lock("web", "r1", "")
	polluted := lock("web", "r1", `"policy_group_list":["of","another"],`)
	f.run(f.root, []exchange{
		{"create", "POST", "/policies/web/revisions", lock("web", "r1", `"policy_group":"x","policy_group_list":["of","another"],`), 201, `"policy_group":"x"`},
		{"masked", "GET", "/policies/web/revisions/r1", "", 200, withGroups(plain)},
		{"point to it", "PUT", "/policy_groups/prod/policies/web", plain, 201, plain},
		{"visible", "GET", "/policy_groups/prod/policies/web", "", 200, polluted},
		{"overwritten", "GET", "/policies/web/revisions/r1", "", 200, withGroups(plain, "prod")},
	})
	if got := f.snapshot().Objects["/policies/web/revisions/r1"]; !strings.Contains(got, `"policy_group_list":["of","another"]`) ||
		strings.Contains(got, `"policy_group":`) {
		t.Errorf("stored %s", got)
	}
	// The list is made of all organizations, by the revision's id alone.
	if _, err := f.s.CreateOrganization("beta", "Beta"); err != nil {
		t.Fatal(err)
	}
	f.do(f.pivotal, "PUT", "/organizations/beta/policy_groups/beta-prod/policies/other", lock("other", "r1", "")).want(201, "")
	f.do(f.pivotal, "PUT", "/organizations/beta/policy_groups/beta-qa/policies/other", lock("other", "r2", "")).want(201, "")
	f.acme(f.root, "GET", "/policies/web/revisions/r1", "").wantJSON(200, withGroups(plain, "beta-prod", "prod"))
}
