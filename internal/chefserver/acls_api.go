package chefserver

import (
	"net/http"
	"slices"
	"strings"
)

// aclNouns are the kinds that have ACLs, as they are called in errors.
var aclNouns = map[string]string{
	"clients": "client", "groups": "group", "containers": "container", "data": "data bag", "nodes": "node",
	"roles": "role", "environments": "environment", "cookbooks": "cookbook",
	"cookbook_artifacts": "cookbook artifact", "policies": "policy", "policy_groups": "policy group",
}

// aclKind is /TYPE/NAME/_acl. Its routes stand before those of the kinds, since
// _acl would pass for a version, an item or an identifier.
// https://docs.chef.io/server/server_orgs/#object-permissions
func aclKind() kind {
	return kind{routes: func(rs *routes) {
		for word := range aclNouns {
			rs.acl(word+"/NAME/_acl", func(r *request) string { return "/" + word + "/" + r.args[0] }, 1)
		}
		rs.acl("organizations/_acl", func(*request) string { return organizationPath }, 0)
	}}
}

// acl adds the routes of one ACL. of returns the path of the thing, args is the
// number of variable parts before the permission.
func (rs *routes) acl(pattern string, of func(*request) string, args int) {
	rs.inOrg(pattern, methods{"GET", action{users: true, do: func(r *request) *reply {
		return r.getACL(of(r))
	}}})
	rs.inOrg(pattern+"/PERMISSION", methods{"PUT", action{
		validate: func(r *request) *reply { return validateACE(r, r.args[args]) }, users: true,
		do: func(r *request) *reply { return r.putACE(of(r), verb(r.args[args])) },
	}})
}

// validateACE demands {"PERMISSION":{"actors":[…],"groups":[…]}}, with clients
// and users both or neither, and no actors beside them.
func validateACE(r *request, perm string) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	if !slices.Contains(verbs[:], verb(perm)) {
		return badRequest("Invalid permission %s", perm)
	}
	if p := onlyKeys(r.in, perm); p != nil {
		return p
	}
	e, ok := r.in.vals[perm].(*object)
	if !ok {
		return badRequest("Field '%s' missing", perm)
	}
	for _, field := range [...]string{"groups", "actors", "clients", "users"} {
		v, ok := e.get(field)
		if !ok && (field == "groups" || field == "actors") {
			return badRequest("Field '%s' missing", field)
		}
		if ok && !isStrings(v) {
			return badRequest("Field '%s' invalid", field)
		}
	}
	_, clients := e.get("clients")
	_, users := e.get("users")
	switch {
	case clients && !users:
		return badRequest("Field 'clients' requires 'users'")
	case users && !clients:
		return badRequest("Field 'users' requires 'clients'")
	case users && len(stringList(e, "actors")) > 0:
		return badRequest("Field 'actors' must be empty when 'clients' and 'users' are given")
	}
	r.aux = e
	return nil
}

func isStrings(v any) bool {
	list, ok := v.([]any)
	return ok && !slices.ContainsFunc(list, func(v any) bool { _, isString := v.(string); return !isString })
}

// stringList returns a list of strings, once isStrings has said that it is one.
func stringList(o *object, field string) []string {
	list, _ := o.vals[field].([]any)
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.(string)
	}
	return out
}

// mayGrant answers 404 unless there is something at path, and 403, without a
// word, unless the actor may see and change its ACL.
func (r *request) mayGrant(path string) *reply {
	x := r.org.access
	if x.acls[path] == nil {
		word, name, _ := strings.Cut(path[1:], "/")
		return fail(http.StatusNotFound, "Cannot load %s %s", aclNouns[word], name)
	}
	if !x.allows(r.actor, canGrant, path) {
		return newReply(http.StatusForbidden, "", nil)
	}
	return nil
}

// getACL answers the five permissions, clients and users apart when asked for
// detail=granular.
func (r *request) getACL(path string) *reply {
	if p := r.mayGrant(path); p != nil {
		return p
	}
	granular := r.http.URL.Query().Get("detail") == "granular"
	out := newObject()
	for i, e := range r.org.access.acls[path] {
		m := r.org.access.named(e, r.s.userNames)
		o := newObject("actors", slices.Concat(m.Clients, m.Users), "groups", m.Groups)
		if granular {
			o = newObject("actors", []string{}, "users", m.Users, "clients", m.Clients, "groups", m.Groups)
		}
		out.set(string(verbs[i]), o)
	}
	return jsonReply(http.StatusOK, out)
}

// named returns who an ace names, sorted. What is gone is left out.
func (x *access) named(e ace, userNames map[string]string) GroupMembers {
	return GroupMembers{
		Users:   namesOf(slices.Values(e.actors), userNames),
		Clients: namesOf(slices.Values(e.actors), x.clientNames),
		Groups:  namesOf(slices.Values(e.groups), x.groupNames),
	}
}

// putACE replaces one permission.
func (r *request) putACE(path string, v verb) *reply {
	if p := r.mayGrant(path); p != nil {
		return p
	}
	x := r.org.access
	old, in := x.acls[path].of(v), r.aux.(*object)
	if admins := r.groupID(groupAdmins); v == canGrant && !r.actor.superuser && slices.Contains(old.groups, admins) &&
		!slices.Contains(stringList(in, "groups"), groupAdmins) {
		return fail(http.StatusForbidden, "Admin group cannot be removed from the grant ACE")
	}
	actors, p := r.aceActors(in)
	if p != nil {
		return p
	}
	groups, p := r.idsOf("group", stringList(in, "groups"), r.groupID)
	if p != nil {
		return p
	}
	e := ace{actors: sortedSet(actors), groups: sortedSet(groups)}
	if !slices.Equal(e.actors, old.actors) || !slices.Equal(e.groups, old.groups) {
		x.acls[path] = x.acls[path].with(v, e)
		r.org.feed.updated(path + "/_acl")
	}
	return jsonReply(http.StatusOK, newObject()).writes(path + "/_acl")
}

// aceActors returns the ids of the actors in a body of either form. In the plain
// form a name that a user and a client share cannot be told apart: 422.
func (r *request) aceActors(in *object) ([]string, *reply) {
	if _, ok := in.get("clients"); ok {
		users, p := r.idsOf("user", stringList(in, "users"), r.userID)
		if p != nil {
			return nil, p
		}
		clients, p := r.idsOf("client", stringList(in, "clients"), r.clientID)
		return append(users, clients...), p
	}
	var ids, missing, both []string
	for _, name := range stringList(in, "actors") {
		u, c := r.userID(name), r.clientID(name)
		switch {
		case u == "" && c == "":
			missing = append(missing, name)
		case u != "" && c != "":
			both = append(both, name)
		default:
			ids = append(ids, u+c)
		}
	}
	switch {
	case len(missing) > 0:
		return nil, badRequest("The actor(s) %s do not exist in this organization as clients or users.",
			strings.Join(missing, ", "))
	case len(both) > 0:
		return nil, fail(http.StatusUnprocessableEntity, "The following actor(s) exist as both clients and users "+
			"within this organization: %s. To perform this update, supply separate 'clients' and 'users' fields in "+
			"your request, and use an empty array for the value of 'actors'.", strings.Join(both, ", "))
	}
	return ids, nil
}

// idsOf resolves names that all must exist.
func (r *request) idsOf(noun string, names []string, find func(string) string) ([]string, *reply) {
	var ids, missing []string
	for _, name := range names {
		if id := find(name); id != "" {
			ids = append(ids, id)
		} else {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, badRequest("The %s(s) %s do not exist in this organization.", noun, strings.Join(missing, ", "))
	}
	return ids, nil
}
