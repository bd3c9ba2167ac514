package replicate_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// Row 10: what the server adds to a revision that is read is not stored in its
// copy, nor is what somebody stored there who copied it before.
func TestLoss10PolicyGroupList(t *testing.T) {
	r := newRig(t)
	requests := r.record()
	r.write.Policies()
	polluted := strings.Replace(harness.Revision("old", "9999", "x"), "{", `{"policy_group_list":["prod","elsewhere"],`, 1)
	r.write.Do(http.MethodPost, "policies/old/revisions", polluted)
	r.write.Do(http.MethodPut, "policy_groups/legacy/policies/old", polluted)
	if got := body(t, r.primary.Client, "/policies/web/revisions/1111"); got["policy_group_list"] == nil {
		t.Fatal("the primary does not add its list: the test tests nothing")
	}
	if got := r.snapshot(r.primary).Objects["/policies/old/revisions/9999"]; !strings.Contains(got, "policy_group_list") {
		t.Fatal("the primary does not store the list: the test tests nothing")
	}
	r.settled()
	for path, text := range r.snapshot(r.replica).Objects {
		if strings.Contains(text, "policy_group_list") {
			t.Errorf("the replica stores the list in %s: %s", path, text)
		}
	}
	for _, m := range []string{http.MethodPost, http.MethodPut} {
		for _, s := range requests(m, "/polic") {
			if strings.Contains(s.body, "policy_group_list") {
				t.Errorf("%s %s sent the list: %s", s.method, s.path, s.body)
			}
		}
	}
}

// Row 11: a policy group without policies is made, and one that is emptied stays;
// nothing is left of how they are made.
func TestLoss11EmptyPolicyGroups(t *testing.T) {
	r := newRig(t)
	r.write.Policies()
	for _, name := range []string{"empty1", "empty2", "empty3"} {
		r.write.PolicyGroup(name)
	}
	r.settled()
	r.write.Do(http.MethodDelete, "policy_groups/test/policies/web", "")
	r.remove("/policy_groups/test/policies/web")
	r.settled()
	held := r.snapshot(r.replica).Objects
	for _, name := range []string{"empty1", "empty2", "empty3", "retired", "test"} {
		if _, ok := held["/policy_groups/"+name]; !ok {
			t.Errorf("policy group %s is not on the replica", name)
		}
	}
	for path := range held {
		if strings.Contains(path, "chef-sync") {
			t.Errorf("%s is left on the replica", path)
		}
	}
}

// Row 12: a bag may be called node, as search indexes are, and an item is what its
// author stored, be it like the wrapping that Chef's tools put around items.
func TestLoss12BagsAndWrappedItems(t *testing.T) {
	r := newRig(t)
	items := map[string]string{
		"wrapped":  `{"id":"wrapped","json_class":"Chef::DataBagItem","raw_data":{"id":"wrapped","v":1}}`,
		"twice":    `{"id":"twice","json_class":"Chef::DataBagItem","chef_type":"data_bag_item","data_bag":"x","raw_data":{"id":"twice","json_class":"Chef::DataBagItem","raw_data":{"id":"twice"}}}`,
		"raw":      `{"id":"raw","raw_data":{"id":"other"}}`,
		"class":    `{"id":"class","json_class":"Chef::DataBagItem"}`,
		"type":     `{"id":"type","chef_type":"data_bag_item","data_bag":"other","name":"data_bag_item_x_type"}`,
		"vault":    `{"id":"vault","secret":{"encrypted_data":"a\n","iv":"b\n","version":3,"cipher":"aes-256-gcm","auth_tag":"=="}}`,
		"id.with_": `{"id":"id.with_"}`,
	}
	for _, bag := range []string{"node", "role", "environment", "client", "data"} {
		r.write.Bag(bag)
		for id, item := range items {
			if err := r.primary.Client.CreateDataBagItem(t.Context(), bag, id, json.RawMessage(item)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.settled()
	for id, item := range items {
		var want map[string]any
		if err := json.Unmarshal([]byte(item), &want); err != nil {
			t.Fatal(err)
		}
		for side, s := range map[string]*harness.ChefServer{"primary": r.primary, "replica": r.replica} {
			var got map[string]any
			if err := json.Unmarshal([]byte(r.snapshot(s).Objects["/data/node/"+id]), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s on the %s (-want +got):\n%s", id, side, diff)
			}
		}
	}
	if err := r.primary.Client.UpdateDataBagItem(t.Context(), "node", "wrapped", json.RawMessage(items["wrapped"][:len(items["wrapped"])-1]+`,"new":1}`)); err != nil {
		t.Fatal(err)
	}
	r.settled()
}

// userDump is all users of a server with all their keys.
func userDump(t *testing.T, s *harness.ChefServer) map[string]string {
	t.Helper()
	c := pivotal(t, s)
	get := func(path string, into any) string {
		resp, err := c.DoGlobal(t.Context(), http.MethodGet, path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if into != nil {
			if err := json.Unmarshal(resp.Body, into); err != nil {
				t.Fatal(err)
			}
		}
		return string(resp.Body)
	}
	var users map[string]any
	get("users", &users)
	out := map[string]string{}
	for name := range users {
		out[name] = get("users/"+name, nil)
		var keys []struct{ Name string }
		get("users/"+name+"/keys", &keys)
		for _, k := range keys {
			out[name+"/"+k.Name] = get("users/"+name+"/keys/"+k.Name, nil)
		}
	}
	members, err := s.Snapshot(harness.Organization)
	if err != nil {
		t.Fatal(err)
	}
	out["members"] = strings.Join(members.Members, " ")
	return out
}

// Row 14: users belong to a server and not to an organization. With every switch
// on, the replica's users, their keys and who is a member are left as they are.
func TestLoss14UsersAreUntouched(t *testing.T) {
	r := newRig(t)
	r.also(onRequest...)
	_, public := harness.Keypair(t)
	key := func(s *harness.ChefServer, user, name, expires string) {
		_, err := pivotal(t, s).DoGlobal(t.Context(), http.MethodPost, "users/"+user+"/keys", nil,
			map[string]string{"name": name, "public_key": public, "expiration_date": expires})
		if err != nil {
			t.Fatal(err)
		}
	}
	for s, only := range map[*harness.ChefServer]string{r.primary: "of-primary", r.replica: "of-replica"} {
		for _, name := range []string{"alice", only} {
			if err := s.CreateUser(name, []byte(public)); err != nil {
				t.Fatal(err)
			}
			if err := s.AddMember(harness.Organization, name, name == "alice"); err != nil {
				t.Fatal(err)
			}
			key(s, name, "second", "infinity")
			key(s, name, "of-"+only, "2033-01-01T00:00:00Z")
		}
	}
	r.write.Small()
	r.write.Policies()
	r.write.Client("c", "default", "second")
	r.write.Group("ops", []string{"alice", "of-primary"}, []string{"c"}, nil)
	r.write.Node("n", "1")
	before := userDump(t, r.replica)
	if before["alice/second"] == "" || before["of-replica/of-of-replica"] == "" {
		t.Fatalf("the users are not as they should be: %v", before)
	}
	r.sync()
	r.sync()
	if diff := cmp.Diff(before, userDump(t, r.replica)); diff != "" {
		t.Errorf("the replica's users (-before +after):\n%s", diff)
	}
	if got := r.snapshot(r.replica).Groups["ops"].Users; !slices.Equal(got, []string{"alice"}) {
		t.Errorf("members of ops: %q, want alice: the other is no user of the replica", got)
	}
	if got := r.snapshot(r.replica).Groups["admins"].Users; !slices.Contains(got, harness.FastUser) || slices.Contains(got, "of-primary") {
		t.Errorf("members of admins: %q", got)
	}
	for _, k := range object.Kinds() {
		if strings.Contains(string(k), "user") {
			t.Errorf("there is a kind %s", k)
		}
	}
}
