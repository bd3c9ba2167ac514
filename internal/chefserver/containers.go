package chefserver

import "net/http"

// containerKind is /containers.
// https://docs.chef.io/server/api_chef_server/#containers
func containerKind() kind {
	return kind{routes: func(rs *routes) {
		rs.inOrg("containers", methods{
			"GET", action{do: listContainers},
			"POST", action{validate: validateContainer, do: createContainer},
		})
		rs.inOrg("containers/NAME", methods{
			"GET", action{do: getContainer},
			"DELETE", action{do: deleteContainer},
		})
	}}
}

// validateContainer reads the name. The path that clients send is ignored.
func validateContainer(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	v, ok := givenName(r.in, "containername")
	if !ok {
		return badRequest("Field 'containername' missing")
	}
	name, _ := v.(string)
	if !reSimple.MatchString(name) {
		return badRequest("Field 'containername' invalid")
	}
	r.aux = name
	return nil
}

func listContainers(r *request) *reply {
	return firstOf(r.may(canRead, "containers"), listOf(r, r.org.access.containers, "/containers/"))
}

// createContainer gives the container no ACL but its creator's: it does not
// follow the container of containers.
func createContainer(r *request) *reply {
	if p := r.may(canCreate, "containers"); p != nil {
		return p
	}
	name := r.aux.(string)
	if r.org.access.containers[name] {
		return fail(http.StatusConflict, "Container already exists")
	}
	path := "/containers/" + name
	r.org.access.containers[name] = true
	r.org.access.acls[path] = (&acl{}).joined([]string{r.actor.id})
	r.org.feed.created(path)
	return created(r.orgURL(path)).writes(path)
}

// container answers 404 or 403 unless the container that the URL names is there
// for v, and its body otherwise.
func (r *request) container(v verb) (body, p *reply) {
	name := r.args[0]
	if !r.org.access.containers[name] {
		return nil, fail(http.StatusNotFound, "Cannot load container %s", name)
	}
	return jsonReply(http.StatusOK, newObject("containername", name, "containerpath", name)),
		r.mayOn(v, "containers", name)
}

func getContainer(r *request) *reply {
	body, p := r.container(canRead)
	return firstOf(p, body)
}

// deleteContainer may delete one that the organization cannot do without: from
// then on nobody but the superuser can list or create what belongs there.
func deleteContainer(r *request) *reply {
	body, p := r.container(canDelete)
	if p != nil {
		return p
	}
	path := "/containers/" + r.args[0]
	delete(r.org.access.containers, r.args[0])
	r.org.access.disclaim(path)
	r.org.feed.deleted(path)
	return body.writes(path)
}
