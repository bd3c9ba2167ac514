package chef

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

const revisionText = `{"revision_id":"r1","name":"web","run_list":["recipe[a::b]"],"cookbook_locks":{"a":{"identifier":"abc1","version":"1.0.0","n":12345678901234567890}},"x":"<&>"}`

func TestDoubtfulListsOfPolicies(t *testing.T) {
	for _, body := range []string{
		`{"p":{}}`, `{"p":{"uri":"/p"}}`, `{"p":{"revisions":{}}}`, `{"p":{"uri":"/p","revisions":null}}`, `{"p":{"uri":"/p","revisions":[]}}`,
		`{"p":{"uri":"/p","revisions":{"r":null}}}`, `{"p":{"uri":"/p","revisions":{"r":"x"}}}`, `{"p":{"uri":"/p","revisions":{"":{}}}}`, `{"p":"https://chef/p"}`,
	} {
		if got, err := testClient(t, says(200, body)).ListPolicies(t.Context()); !errors.Is(err, ErrNotChef) {
			t.Errorf("policies %s: got %v, %v; want ErrNotChef", body, got, err)
		}
	}
	for _, body := range []string{
		`{"g":{}}`, `{"g":{"policies":{}}}`, `{"g":{"uri":"/g","policies":null}}`, `{"g":{"uri":"/g","policies":[]}}`, `{"g":{"uri":"/g","policies":{"p":null}}}`,
		`{"g":{"uri":"/g","policies":{"p":{}}}}`, `{"g":{"uri":"/g","policies":{"p":{"revision_id":""}}}}`, `{"g":{"uri":"/g","policies":{"":{"revision_id":"r"}}}}`,
		`{"g":"https://chef/g"}`, `{"g":null}`,
	} {
		if got, err := testClient(t, says(200, body)).ListPolicyGroups(t.Context()); !errors.Is(err, ErrNotChef) {
			t.Errorf("policy groups %s: got %v, %v; want ErrNotChef", body, got, err)
		}
	}
	for _, body := range []string{`{"error":["no"]}`, `{"revisions":null}`, `{"revisions":[]}`, `{"revisions":{"r":null}}`, `[]`, `null`, ``} {
		if got, err := testClient(t, says(200, body)).GetPolicy(t.Context(), "p"); !errors.Is(err, ErrNotChef) {
			t.Errorf("policy %s: got %v, %v; want ErrNotChef", body, got, err)
		}
	}
	for _, body := range []string{`{}`, `{"error":["no"]}`, `{"policies":{}}`, `[]`, `null`, ``} {
		if got, err := testClient(t, says(200, body)).GetPolicyGroup(t.Context(), "g"); !errors.Is(err, ErrNotChef) {
			t.Errorf("policy group %s: got %v, %v; want ErrNotChef", body, got, err)
		}
	}
}

// erchef adds the groups of all organizations to a revision, and stores them if
// they come back.
func TestGroupsAreLeftOutOfRevisions(t *testing.T) {
	with := strings.Replace(revisionText, `{`, `{"policy_group_list":["dev","other"],`, 1)
	var seen []wire
	c := testClient(t, recorder(&seen, says(200, with)))
	ctx := t.Context()
	a, errA := c.GetPolicyRevision(ctx, "web", "r1")
	b, errB := c.GetPointer(ctx, "dev", "web")
	must(t, errors.Join(errA, errB))
	seen = nil
	must(t, c.CreatePolicyRevision(ctx, "web", json.RawMessage(with)))
	must(t, c.PutPointer(ctx, "dev", "web", json.RawMessage(with)))
	for what, got := range map[string]string{"revision": string(a), "pointer": string(b), "POST": seen[0].Body, "PUT": seen[1].Body} {
		if diff := cmp.Diff(value(t, []byte(revisionText)), value(t, []byte(got))); diff != "" || !strings.Contains(got, `"<&>"`) {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	without, err := testClient(t, says(200, revisionText)).GetPolicyRevision(ctx, "web", "r1")
	if err != nil || string(without) != revisionText {
		t.Errorf("got %s, %v; want it byte for byte", without, err)
	}
}

func TestAnotherRevision(t *testing.T) {
	c := testClient(t, says(200, revisionText))
	_, id := c.GetPolicyRevision(t.Context(), "web", "r2")
	_, name := c.GetPolicyRevision(t.Context(), "db", "r1")
	_, pointer := c.GetPointer(t.Context(), "dev", "db")
	for _, err := range []error{id, name, pointer} {
		if !errors.Is(err, ErrWrongObject) || Classify(err) != ClassObject {
			t.Errorf("got %v, want ErrWrongObject", err)
		}
	}
}

// A 404 in HTML is an absent policy, or a server without policies: only the list
// can tell.
func TestPolicyNotFound(t *testing.T) {
	for body, want := range map[string]bool{
		"<html><h1>Not Found</h1></html>": true, "": true, `{"error":["Cannot load"]}`: true,
		"404 page not found": false, `{"message":"no Route matched"}`: false,
	} {
		c := testClient(t, says(404, body))
		_, policy := c.GetPolicy(t.Context(), "policies")
		_, revision := c.GetPolicyRevision(t.Context(), "web", "r1")
		_, group := c.GetPolicyGroup(t.Context(), "dev")
		for _, err := range []error{policy, revision, group, c.DeletePolicy(t.Context(), "web"), c.DeletePointer(t.Context(), "dev", "web")} {
			if IsNotFound(err) != want {
				t.Errorf("%q: got %v, IsNotFound %t", body, err, IsNotFound(err))
			}
		}
		if strings.HasPrefix(body, "{") {
			continue
		}
		_, policies := c.ListPolicies(t.Context())
		_, groups := c.ListPolicyGroups(t.Context())
		for _, err := range []error{policies, groups} {
			if !errors.Is(err, ErrNoRoute) || Classify(err) != ClassPair {
				t.Errorf("list, %q: got %v, want ErrNoRoute", body, err)
			}
		}
	}
}

func TestLifeOfAPolicy(t *testing.T) {
	_, c := erchef(t, chefserver.Options{})
	ctx := t.Context()
	frozen := strings.Replace(revisionText, `"web"`, `"frozen"`, 1)
	for range 2 {
		err := c.CreatePolicyRevision(ctx, "frozen", json.RawMessage(frozen))
		if err != nil && (!IsConflict(err) || errors.Is(err, ErrFrozen) || !strings.Contains(err.Error(), "already exists")) {
			t.Errorf("create: %v; want no error, then IsConflict in words", err)
		}
	}
	must(t, c.PutPointer(ctx, "dev", "web", json.RawMessage(revisionText)))
	// What is said of a revision that exists is dropped, and repeated.
	must(t, c.PutPointer(ctx, "dev", "web", json.RawMessage(strings.Replace(revisionText, "abc1", "abc2", 1))))
	got, err := c.GetPointer(ctx, "dev", "web")
	if err != nil || string(got) != revisionText {
		t.Errorf("pointer: got %s, %v; want what was stored first", got, err)
	}
	policies, err := c.ListPolicies(ctx)
	if diff := cmp.Diff(map[string][]string{"web": {"r1"}, "frozen": {"r1"}}, policies); diff != "" || err != nil {
		t.Errorf("policies: %v (-want +got):\n%s", err, diff)
	}
	must(t, c.DeletePolicyRevision(ctx, "web", "r1"))
	groups, err := c.ListPolicyGroups(ctx)
	if diff := cmp.Diff(map[string]map[string]string{"dev": {}}, groups); diff != "" || err != nil {
		t.Errorf("groups: %v (-want +got):\n%s", err, diff)
	}
	if ids, err := c.GetPolicy(ctx, "web"); err != nil || len(ids) != 0 {
		t.Errorf("a policy without revisions: %v, %v", ids, err)
	}
	must(t, c.DeletePolicy(ctx, "web"))
	must(t, c.DeletePolicyGroup(ctx, "dev"))
	_, policy := c.GetPolicy(ctx, "web")
	_, revision := c.GetPolicyRevision(ctx, "web", "r1")
	_, pointer := c.GetPointer(ctx, "dev", "web")
	for _, err := range []error{
		policy, revision, pointer, c.DeletePolicy(ctx, "web"), c.DeletePolicyRevision(ctx, "web", "r1"),
		c.DeletePolicyGroup(ctx, "dev"), c.DeletePointer(ctx, "dev", "web"),
	} {
		if !IsNotFound(err) {
			t.Errorf("of what is gone: %v; want IsNotFound", err)
		}
	}
}
