package chefserver

import "testing"

func TestNodes(t *testing.T) {
	f := newFixture(t, Options{})
	const full = `{"name":"n:1","chef_environment":"prod","json_class":"Chef::Node","chef_type":"node","normal":{"a":1.50},"default":{},
		"override":{},"automatic":{},"run_list":["recipe[a]","role[b]"],"policy_name":"p","policy_group":"g"}`
	f.run(f.root, []exchange{
		{"none", "GET", "/nodes", "", 200, `{}`},
		{"absent", "GET", "/nodes/web", "", 404, `{"error":["node 'web' not found"]}`},
		{"HEAD absent", "HEAD", "/nodes/web", "", 404, ""},
		{"put absent", "PUT", "/nodes/web", `{"name":"web"}`, 404, ""},
		{"create", "POST", "/nodes", `{"name":"web"}`, 201, `{"uri":"$URL/organizations/acme/nodes/web"}`},
		{"again", "POST", "/nodes", `{"name":"web"}`, 409, `{"error":["Node already exists"]}`},
		{"defaults", "GET", "/nodes/web", "", 200, `{"name":"web","chef_environment":"_default","json_class":"Chef::Node","chef_type":"node",
			"normal":{},"default":{},"override":{},"automatic":{},"run_list":[]}`},
		{"HEAD", "HEAD", "/nodes/web", "", 200, ""},
		{"HEAD on a list", "HEAD", "/nodes", "", 405, ""},
		{"run list", "POST", "/nodes", `{"name":"n:1","chef_environment":"prod","normal":{"a":1.50},
			"run_list":["a","recipe[a]","role[b]","a"],"policy_name":"p","policy_group":"g"}`, 201, ""},
		{"normalised", "GET", "/nodes/n:1", "", 200, full},
		{"put", "PUT", "/nodes/web", `{"run_list":["x"]}`, 200, `"run_list":["recipe[x]"]`},
		{"list", "GET", "/nodes", "", 200, `{"n:1":"$URL/organizations/acme/nodes/n:1","web":"$URL/organizations/acme/nodes/web"}`},
		{"environment absent", "GET", "/environments/prod/nodes", "", 404, `{"error":["Cannot load environment 'prod'"]}`},
		{"environment", "POST", "/environments", `{"name":"prod"}`, 201, ""},
		{"of an environment", "GET", "/environments/prod/nodes", "", 200, `{"n:1":"$URL/organizations/acme/nodes/n:1"}`},
		{"of _default", "GET", "/environments/_default/nodes", "", 200, `{"web":"$URL/organizations/acme/nodes/web"}`},
		{"other name", "PUT", "/nodes/web", `{"name":"db"}`, 400, `{"error":["Node name mismatch."]}`},
		{"unknown key", "POST", "/nodes", `{"name":"x","description":""}`, 400, `{"error":["Invalid key description in request body"]}`},
		{"no name", "POST", "/nodes", `{}`, 400, `{"error":["Field 'name' missing"]}`},
		{"bad name", "POST", "/nodes", `{"name":"a b"}`, 400, `{"error":["Field 'name' invalid"]}`},
		{"bad environment", "POST", "/nodes", `{"name":"x","chef_environment":"a b"}`, 400, `{"error":["Field 'chef_environment' invalid"]}`},
		{"bad class", "POST", "/nodes", `{"name":"x","json_class":"Chef::Role"}`, 400, `{"error":["Field 'json_class' invalid"]}`},
		{"bad type", "POST", "/nodes", `{"name":"x","chef_type":"role"}`, 400, `{"error":["Field 'chef_type' invalid"]}`},
		{"attributes no hash", "POST", "/nodes", `{"name":"x","automatic":[]}`, 400, `{"error":["Field 'automatic' is not a hash"]}`},
		{"bad run list", "POST", "/nodes", `{"name":"x","run_list":["recipe["]}`, 400, `{"error":["Field 'run_list' is not a valid run list"]}`},
		{"bad policy", "POST", "/nodes", `{"name":"x","policy_name":"a b"}`, 400, `{"error":["Field 'policy_name' invalid"]}`},
		{"bad policy group", "POST", "/nodes", `{"name":"x","policy_group":1}`, 400, `{"error":["Field 'policy_group' invalid"]}`},
		{"delete", "DELETE", "/nodes/n:1", "", 200, full},
		{"delete again", "DELETE", "/nodes/n:1", "", 404, ""},
	})
	if got := f.acme(f.root, "HEAD", "/nodes/web", "").want(200, ""); got.body != "" {
		t.Errorf("HEAD has a body: %s", got.body)
	}
	if got := f.snapshot().Objects["/nodes/web"]; got != `{"automatic":{},"chef_environment":"_default","chef_type":"node",`+
		`"default":{},"json_class":"Chef::Node","name":"web","normal":{},"override":{},"run_list":["recipe[x]"]}` {
		t.Errorf("snapshot has %s", got)
	}
	f.acme(f.web1, "POST", "/nodes", `{"name":"web1"}`).want(201, "")
	f.acme(f.web1, "DELETE", "/nodes/web", "").want(403, "missing delete permission")
}
