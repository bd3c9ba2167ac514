package chefserver

import "net/http"

// organizationKind is /organizations.
// https://docs.chef.io/server/api_chef_server/#organizations
func organizationKind() kind {
	return kind{routes: func(rs *routes) {
		rs.outside("organizations", methods{
			"GET", action{do: listOrganizations},
			"POST", action{validate: validateOrganization, do: postOrganization, unlocked: true},
		})
		rs.outside("organizations/NAME", methods{
			"GET", action{do: getOrganization, users: true},
			"PUT", action{validate: validateOrganization, do: putOrganization, users: true},
			"DELETE", action{do: deleteOrganization, users: true},
		})
	}}
}

func validateOrganization(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	if len(r.args) > 0 {
		if _, ok := r.in.get("private_key"); ok {
			return badRequest("Since Server API v1, organization keys cannot be updated here.")
		}
	}
	if p := firstOf(checkName(r.in, "name", reOrg), checkName(r.in, "full_name", reFullName)); p != nil {
		return p
	}
	if len(r.args) > 0 && r.in.str("name") != r.args[0] {
		return badRequest("Field 'name' invalid")
	}
	return nil
}

func listOrganizations(r *request) *reply {
	if !r.actor.superuser {
		return forbidden(canRead)
	}
	out := newObject()
	for _, name := range sortedKeys(r.s.orgs) {
		out.set(name, r.base()+"/organizations/"+name)
	}
	return jsonReply(http.StatusOK, out)
}

// postOrganization answers the validator's private key, once and never again.
func postOrganization(r *request) *reply {
	if !r.actor.superuser {
		return forbidden(canCreate)
	}
	name := r.in.str("name")
	if r.s.organization(name) != nil {
		return fail(http.StatusConflict, "Organization already exists")
	}
	priv, err := r.s.CreateOrganization(name, r.in.str("full_name"))
	if err != nil {
		return fail(http.StatusConflict, "Organization already exists")
	}
	uri := r.base() + "/organizations/" + name
	return jsonReply(http.StatusCreated, newObject(
		"clientname", name+"-validator", "private_key", string(priv), "uri", uri)).at(uri)
}

func (o *organization) describe() *reply {
	return jsonReply(http.StatusOK, newObject("name", o.name, "full_name", o.fullName, "guid", o.guid))
}

func getOrganization(r *request) *reply { return firstOf(r.mayOrganization(canRead), r.org.describe()) }

func putOrganization(r *request) *reply {
	if p := r.mayOrganization(canUpdate); p != nil {
		return p
	}
	r.org.fullName = r.in.str("full_name")
	r.org.feed.updated("/organization")
	return jsonReply(http.StatusOK, newObject("name", r.org.name, "full_name", r.org.fullName, "guid", r.org.guid))
}

func deleteOrganization(r *request) *reply {
	if p := r.mayOrganization(canDelete); p != nil {
		return p
	}
	delete(r.s.orgs, r.org.name)
	return r.org.describe()
}
