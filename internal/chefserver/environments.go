package chefserver

import "net/http"

// defaultEnvironment exists in every organization and cannot be changed.
const defaultEnvironment = "_default"

// environmentKind is /environments.
// https://docs.chef.io/server/api_chef_server/#environments
func environmentKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("environments", methods{
				"GET", action{do: listEnvironments},
				"POST", action{validate: validateEnvironment, do: createEnvironment},
			})
			rs.inOrg("environments/NAME", methods{
				"GET", action{do: getEnvironment},
				"PUT", action{validate: validateEnvironmentUpdate, do: updateEnvironment},
				"DELETE", action{validate: refuseDefault, do: deleteEnvironment},
			})
		},
		dump: func(o *organization, d *Snapshot) { d.documents("/environments/", o.environments) },
	}
}

func validateEnvironment(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	o := r.in
	p := firstOf(
		onlyKeys(o, "name", "description", "json_class", "chef_type",
			"default_attributes", "override_attributes", "cookbook_versions"),
		checkName(o, "name", reSimple), optionalString(o, "description"),
		optionalHash(o, "cookbook_versions"), fixed(o, "json_class", "Chef::Environment"),
		fixed(o, "chef_type", "environment"), optionalHash(o, "default_attributes"),
		optionalHash(o, "override_attributes"))
	if p != nil {
		return p
	}
	versions := o.vals["cookbook_versions"].(*object)
	for _, name := range versions.keys {
		if !reSimple.MatchString(name) {
			return badRequest("Invalid key '%s' for cookbook_versions", name)
		}
		if s, ok := versions.vals[name].(string); !ok || !reConstraint.MatchString(s) {
			return badRequest("Invalid value '%s' for cookbook_versions", plain(versions.vals[name]))
		}
	}
	return nil
}

// refuseDefault answers 405 for a change of _default.
func refuseDefault(r *request) *reply {
	if r.args[0] != defaultEnvironment {
		return nil
	}
	p := fail(http.StatusMethodNotAllowed, "The '_default' environment cannot be modified.")
	p.header.Set("Allow", "GET")
	return p
}

func validateEnvironmentUpdate(r *request) *reply {
	if p := refuseDefault(r); p != nil {
		return p
	}
	return validateEnvironment(r)
}

func listEnvironments(r *request) *reply {
	return firstOf(r.may(canRead, "environments"), listOf(r, r.org.environments, "/environments/"))
}

func createEnvironment(r *request) *reply {
	if p := r.may(canCreate, "environments"); p != nil {
		return p
	}
	name := r.in.str("name")
	if r.org.environments[name] != nil {
		return fail(http.StatusConflict, "Environment already exists")
	}
	path := "/environments/" + name
	r.org.put(r.org.environments, name, path, newDocument(r.in))
	r.claim("environments", name)
	return created(r.orgURL(path)).writes(path)
}

// environment returns the environment that the URL names, or 404.
func (r *request) environment(name string) (*document, *reply) {
	d := r.org.environments[name]
	if d == nil {
		return nil, fail(http.StatusNotFound, "Cannot load environment %s", name)
	}
	return d, nil
}

func getEnvironment(r *request) *reply {
	d, p := r.environment(r.args[0])
	if p != nil {
		return p
	}
	return firstOf(r.mayOn(canRead, "environments", r.args[0]), rawReply(http.StatusOK, d.body))
}

// updateEnvironment replaces an environment. A body with another name renames
// it, which the feed shows as a delete and a create.
func updateEnvironment(r *request) *reply {
	old, name := r.args[0], r.in.str("name")
	if _, p := r.environment(old); p != nil {
		return p
	}
	if p := r.mayOn(canUpdate, "environments", old); p != nil {
		return p
	}
	d, path := newDocument(r.in), "/environments/"+name
	if name == old {
		r.org.put(r.org.environments, name, path, d)
		return rawReply(http.StatusOK, d.body).writes(path)
	}
	if r.org.environments[name] != nil {
		return fail(http.StatusConflict, "Environment already exists")
	}
	r.org.access.moved("/environments/"+old, path)
	r.org.take(r.org.environments, old, "/environments/"+old)
	r.org.put(r.org.environments, name, path, d)
	return rawReply(http.StatusCreated, d.body).at(r.orgURL(path)).writes(path)
}

func deleteEnvironment(r *request) *reply {
	name := r.args[0]
	d, p := r.environment(name)
	if p != nil {
		return p
	}
	if p := r.mayOn(canDelete, "environments", name); p != nil {
		return p
	}
	r.org.take(r.org.environments, name, "/environments/"+name)
	return rawReply(http.StatusOK, d.body).writes("/environments/" + name)
}

// plain prints a value for an error text: strings bare, all else as JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(encode(v))
}
