package chefserver

import (
	"net/http"
	"slices"
)

// roleKind is /roles. https://docs.chef.io/server/api_chef_server/#roles
func roleKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("roles", methods{
				"GET", action{do: listRoles},
				"POST", action{validate: validateRole, do: createRole},
			})
			rs.inOrg("roles/NAME", methods{
				"GET", action{do: getRole},
				"PUT", action{validate: validateRole, do: updateRole},
				"DELETE", action{do: deleteRole},
			})
			rs.inOrg("roles/NAME/environments", methods{"GET", action{do: listRoleEnvironments}})
			rs.inOrg("roles/NAME/environments/ENVIRONMENT", methods{"GET", action{do: getRoleRunList}})
			rs.inOrg("environments/ENVIRONMENT/roles/NAME", methods{"GET", action{do: getEnvironmentRole}})
		},
		dump: func(o *organization, d *Snapshot) { d.documents("/roles/", o.roles) },
	}
}

func validateRole(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	o := r.in
	p := onlyKeys(o, "name", "description", "json_class", "chef_type",
		"default_attributes", "override_attributes", "run_list", "env_run_lists")
	if p != nil {
		return p
	}
	if len(r.args) > 0 {
		o.setDefault("name", r.args[0])
		if o.vals["name"] != r.args[0] {
			return badRequest("Role name mismatch.")
		}
	}
	p = firstOf(
		checkName(o, "name", reName), optionalString(o, "description"),
		fixed(o, "json_class", "Chef::Role"), optionalHash(o, "default_attributes"),
		optionalHash(o, "override_attributes"), fixed(o, "chef_type", "role"))
	if p != nil {
		return p
	}
	return normalizeRunLists(o)
}

func normalizeRunLists(o *object) *reply {
	o.setDefault("run_list", []any{})
	o.setDefault("env_run_lists", newObject())
	list, ok := runList(o.vals["run_list"])
	if !ok {
		return badRequest("Field 'run_list' is not a valid run list")
	}
	o.set("run_list", list)
	lists, ok := o.vals["env_run_lists"].(*object)
	if !ok {
		return badRequest("Field 'env_run_lists' contains invalid run lists")
	}
	for _, env := range lists.keys {
		list, ok := runList(lists.vals[env])
		if !ok {
			return badRequest("Field 'env_run_lists' contains invalid run lists")
		}
		lists.set(env, list)
	}
	return nil
}

// listOf answers {name: url} of a map.
func listOf[V any](r *request, m map[string]V, prefix string) *reply {
	out := newObject()
	for name := range m {
		out.set(name, r.orgURL(prefix+name))
	}
	slices.Sort(out.keys)
	return jsonReply(http.StatusOK, out)
}

func listRoles(r *request) *reply {
	return firstOf(r.may(canRead, "roles"), listOf(r, r.org.roles, "/roles/"))
}

func createRole(r *request) *reply {
	if p := r.may(canCreate, "roles"); p != nil {
		return p
	}
	name := r.in.str("name")
	if r.org.roles[name] != nil {
		return fail(http.StatusConflict, "Role already exists")
	}
	path := "/roles/" + name
	r.org.put(r.org.roles, name, path, newDocument(r.in))
	r.claim("roles", name)
	return created(r.orgURL(path)).writes(path)
}

// role returns the role that the URL names, or 404.
func (r *request) role(name string) (*document, *reply) {
	d := r.org.roles[name]
	if d == nil {
		return nil, fail(http.StatusNotFound, "Cannot load role %s", name)
	}
	return d, nil
}

func getRole(r *request) *reply {
	d, p := r.role(r.args[0])
	if p != nil {
		return p
	}
	return firstOf(r.mayOn(canRead, "roles", r.args[0]), rawReply(http.StatusOK, d.body))
}

func updateRole(r *request) *reply {
	name := r.args[0]
	if _, p := r.role(name); p != nil {
		return p
	}
	if p := r.mayOn(canUpdate, "roles", name); p != nil {
		return p
	}
	d := newDocument(r.in)
	r.org.put(r.org.roles, name, "/roles/"+name, d)
	return rawReply(http.StatusOK, d.body).writes("/roles/" + name)
}

func deleteRole(r *request) *reply {
	name := r.args[0]
	d, p := r.role(name)
	if p != nil {
		return p
	}
	if p := r.mayOn(canDelete, "roles", name); p != nil {
		return p
	}
	r.org.take(r.org.roles, name, "/roles/"+name)
	return rawReply(http.StatusOK, d.body).writes("/roles/" + name)
}

// listRoleEnvironments names the environments for which a role has a run list,
// _default first. They need not exist.
func listRoleEnvironments(r *request) *reply {
	d, p := r.role(r.args[0])
	if p != nil {
		return p
	}
	names := []string{defaultEnvironment}
	for _, env := range d.value.vals["env_run_lists"].(*object).keys {
		if env != defaultEnvironment {
			names = append(names, env)
		}
	}
	return firstOf(r.mayOn(canRead, "roles", r.args[0]), jsonReply(http.StatusOK, names))
}

func getRoleRunList(r *request) *reply { return r.roleRunList(r.args[0], r.args[1]) }

func getEnvironmentRole(r *request) *reply { return r.roleRunList(r.args[1], r.args[0]) }

// roleRunList answers the run list a role has in an environment. It is null when
// the role says nothing about an environment that exists.
func (r *request) roleRunList(role, env string) *reply {
	d, p := r.role(role)
	if p != nil {
		return p
	}
	if p := r.mayOn(canRead, "roles", role); p != nil {
		return p
	}
	if env == defaultEnvironment {
		return jsonReply(http.StatusOK, newObject("run_list", d.value.vals["run_list"]))
	}
	if r.org.environments[env] == nil {
		return fail(http.StatusNotFound, "Cannot load environment %s", env)
	}
	list := d.value.vals["env_run_lists"].(*object).vals[env]
	return jsonReply(http.StatusOK, newObject("run_list", list))
}
