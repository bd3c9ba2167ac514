package chefserver

import "net/http"

// nodeKind is /nodes. https://docs.chef.io/server/api_chef_server/#nodes
func nodeKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("nodes", methods{
				"GET", action{do: listNodes},
				"POST", action{validate: validateNode, do: createNode},
			})
			// The one route with HEAD.
			rs.inOrg("nodes/NAME", methods{
				"HEAD", action{do: getNode},
				"GET", action{do: getNode},
				"PUT", action{validate: validateNode, do: updateNode},
				"DELETE", action{do: deleteNode},
			})
			rs.inOrg("environments/NAME/nodes", methods{"GET", action{do: listEnvironmentNodes}})
		},
		dump: func(o *organization, d *Snapshot) { d.documents("/nodes/", o.nodes) },
	}
}

func validateNode(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	o := r.in
	o.setDefault("chef_environment", defaultEnvironment)
	if len(r.args) > 0 {
		o.setDefault("name", r.args[0])
		if o.vals["name"] != r.args[0] {
			return badRequest("Node name mismatch.")
		}
	}
	p := firstOf(
		onlyKeys(o, "name", "chef_environment", "json_class", "chef_type", "normal", "default",
			"override", "automatic", "run_list", "policy_name", "policy_group"),
		checkName(o, "name", reName), checkName(o, "chef_environment", reSimple),
		fixed(o, "json_class", "Chef::Node"), fixed(o, "chef_type", "node"),
		optionalHash(o, "normal"), optionalHash(o, "default"),
		optionalHash(o, "override"), optionalHash(o, "automatic"))
	if p != nil {
		return p
	}
	o.setDefault("run_list", []any{})
	list, ok := runList(o.vals["run_list"])
	if !ok {
		return badRequest("Field 'run_list' is not a valid run list")
	}
	o.set("run_list", list)
	for _, k := range []string{"policy_name", "policy_group"} {
		if _, ok := o.get(k); ok {
			if p := checkName(o, k, reLong); p != nil {
				return p
			}
		}
	}
	return nil
}

func listNodes(r *request) *reply {
	return firstOf(r.may(canRead, "nodes"), listOf(r, r.org.nodes, "/nodes/"))
}

func listEnvironmentNodes(r *request) *reply {
	if p := r.may(canRead, "nodes"); p != nil {
		return p
	}
	env := r.args[0]
	if r.org.environments[env] == nil {
		return fail(http.StatusNotFound, "Cannot load environment '%s'", env)
	}
	in := map[string]*document{}
	for name, d := range r.org.nodes {
		if d.value.str("chef_environment") == env {
			in[name] = d
		}
	}
	return listOf(r, in, "/nodes/")
}

func createNode(r *request) *reply {
	if p := r.may(canCreate, "nodes"); p != nil {
		return p
	}
	name := r.in.str("name")
	if r.org.nodes[name] != nil {
		return fail(http.StatusConflict, "Node already exists")
	}
	path := "/nodes/" + name
	r.org.put(r.org.nodes, name, path, newDocument(r.in))
	r.claim("nodes", name)
	return created(r.orgURL(path)).writes(path)
}

// node returns the node that the URL names, or 404.
func (r *request) node() (*document, *reply) {
	d := r.org.nodes[r.args[0]]
	if d == nil {
		return nil, fail(http.StatusNotFound, "node '%s' not found", r.args[0])
	}
	return d, nil
}

func getNode(r *request) *reply {
	d, p := r.node()
	if p != nil {
		return p
	}
	return firstOf(r.mayOn(canRead, "nodes", r.args[0]), rawReply(http.StatusOK, d.body))
}

func updateNode(r *request) *reply {
	if _, p := r.node(); p != nil {
		return p
	}
	name := r.args[0]
	if p := r.mayOn(canUpdate, "nodes", name); p != nil {
		return p
	}
	d, path := newDocument(r.in), "/nodes/"+name
	r.org.put(r.org.nodes, name, path, d)
	return rawReply(http.StatusOK, d.body).writes(path)
}

func deleteNode(r *request) *reply {
	d, p := r.node()
	if p != nil {
		return p
	}
	name := r.args[0]
	if p := r.mayOn(canDelete, "nodes", name); p != nil {
		return p
	}
	r.org.take(r.org.nodes, name, "/nodes/"+name)
	return rawReply(http.StatusOK, d.body).writes("/nodes/" + name)
}
