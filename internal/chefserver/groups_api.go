package chefserver

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
)

var reGroup = regexp.MustCompile(`^[a-z0-9_-]+$`)

// groupKind is /groups. https://docs.chef.io/server/api_chef_server/#groups
func groupKind() kind {
	return kind{routes: func(rs *routes) {
		rs.inOrg("groups", methods{
			"GET", action{do: listGroups},
			"POST", action{validate: validateNewGroup, do: createGroup},
		})
		rs.inOrg("groups/NAME", methods{
			"GET", action{do: getGroup, users: true},
			"PUT", action{validate: validateGroup, do: updateGroup, users: true},
			"DELETE", action{do: deleteGroup, users: true},
		})
	}}
}

// givenName returns the name in the body of a group or container: id, and only
// without it the field that the documentation names.
func givenName(o *object, field string) (v any, ok bool) {
	if v, ok = o.get("id"); ok {
		return v, ok
	}
	return o.get(field)
}

func badGroupName() *reply { return badRequest("Invalid group name.") }

// validateNewGroup reads the name. Members are ignored: a group is born empty.
func validateNewGroup(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	v, _ := givenName(r.in, "groupname")
	name, _ := v.(string)
	if !reGroup.MatchString(name) {
		return badGroupName()
	}
	r.aux = name
	return nil
}

func validateGroup(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	for _, field := range [...]string{"id", "groupname"} {
		v, ok := r.in.get(field)
		if s, isString := v.(string); ok && (!isString || !reGroup.MatchString(s)) {
			return badGroupName()
		}
	}
	return nil
}

// listGroups shows the hidden groups as well.
func listGroups(r *request) *reply {
	return firstOf(r.may(canRead, "groups"), listOf(r, r.org.access.groups, "/groups/"))
}

func createGroup(r *request) *reply {
	if p := r.may(canCreate, "groups"); p != nil {
		return p
	}
	name := r.aux.(string)
	if r.org.access.groups[name] != nil {
		return fail(http.StatusConflict, "Group already exists")
	}
	g := newGroup(name)
	r.org.access.addGroup(g)
	r.claim("groups", name)
	r.org.feed.created(g.path())
	return created(r.orgURL(g.path())).writes(g.path())
}

// group returns the group that the URL names, or 404, or 403 to those who may
// not do v with it. Nobody may do anything with a group without reading it.
func (r *request) group(v verb) (*group, *reply) {
	name := r.args[0]
	g := r.org.access.groups[name]
	switch {
	case g == nil:
		return nil, fail(http.StatusNotFound, "Cannot load group %s", name)
	case r.mayOn(canRead, "groups", name) != nil:
		return nil, fail(http.StatusForbidden, "No permission for group %s", name)
	}
	return g, r.mayOn(v, "groups", name)
}

// describeGroup is the body of a group.
func (r *request) describeGroup(g *group) *object {
	m := r.org.access.members(g, r.s.userNames)
	return newObject("actors", slices.Concat(m.Clients, m.Users), "users", m.Users, "clients", m.Clients,
		"groups", m.Groups, "orgname", r.org.name, "name", g.name, "groupname", g.name)
}

// members returns the names of a group's members, sorted. It holds the locks of
// the organization and of the server, for the users' names.
func (x *access) members(g *group, userNames map[string]string) GroupMembers {
	return GroupMembers{
		Users: namesOf(maps.Keys(g.users), userNames), Clients: namesOf(maps.Keys(g.clients), x.clientNames),
		Groups: namesOf(maps.Keys(g.groups), x.groupNames),
	}
}

// namesOf resolves ids to sorted names, without those that are gone.
func namesOf(ids func(func(string) bool), names map[string]string) []string {
	out := []string{}
	for id := range ids {
		if name, ok := names[id]; ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func getGroup(r *request) *reply {
	g, p := r.group(canRead)
	if p != nil {
		return p
	}
	return jsonReply(http.StatusOK, r.describeGroup(g))
}

// updateGroup replaces the lists that stand under actors and leaves the others.
// Names that nobody has are skipped without a word, and the answer repeats what
// was sent, these names included. Lists beside actors are not looked at. Nothing
// keeps a requestor from removing itself from admins.
func updateGroup(r *request) *reply {
	g, p := r.group(canUpdate)
	if p != nil {
		return p
	}
	name, _ := r.in.vals["groupname"].(string)
	if name == "" {
		name = g.name
	}
	if name != g.name && r.org.access.groups[name] != nil {
		return failText(http.StatusConflict, "Group already exists")
	}
	changed := r.setMembers(g)
	if name != g.name {
		r.renameGroup(g, name)
		return jsonReply(http.StatusCreated, r.in).at(r.orgURL(g.path())).writes(g.path())
	}
	if changed {
		r.org.regrouped(g)
	}
	return jsonReply(http.StatusOK, r.in).writes(g.path())
}

func (r *request) renameGroup(g *group, name string) {
	x, old := r.org.access, g.path()
	delete(x.groups, g.name)
	g.name = name
	x.groups[name], x.groupNames[g.id] = g, name
	x.moved(old, g.path())
	r.org.feed.deleted(old)
	r.org.feed.created(g.path())
}

// setMembers applies the lists under actors and reports whether that changed
// anything beside hidden groups.
func (r *request) setMembers(g *group) bool {
	lists, ok := r.in.vals["actors"].(*object)
	if !ok {
		return false
	}
	before := r.org.access.visible(g)
	find := map[string]func(string) string{
		"users":   r.userID,
		"clients": r.clientID,
		"groups":  r.groupID,
	}
	for field, members := range map[string]*map[string]bool{"users": &g.users, "clients": &g.clients, "groups": &g.groups} {
		list, ok := lists.vals[field].([]any)
		if !ok {
			continue
		}
		ids := map[string]bool{}
		for _, v := range list {
			name, _ := v.(string)
			if id := find[field](name); id != "" {
				ids[id] = true
			}
		}
		*members = ids
	}
	r.org.access.regrouped()
	return !maps.Equal(before, r.org.access.visible(g))
}

// userID returns the id by which ACLs and groups know a user, or "". It need not
// be a member of the organization.
func (r *request) userID(name string) string {
	if u := r.s.users[name]; u != nil {
		return u.authzID
	}
	return ""
}

func (r *request) clientID(name string) string {
	if c := r.org.clients[name]; c != nil {
		return c.authzID
	}
	return ""
}

func (r *request) groupID(name string) string {
	if g := r.org.access.groups[name]; g != nil {
		return g.id
	}
	return ""
}

// visible returns the ids of all members but the hidden groups.
func (x *access) visible(g *group) map[string]bool {
	out := map[string]bool{}
	for _, set := range []map[string]bool{g.users, g.clients} {
		maps.Copy(out, set)
	}
	for id := range g.groups {
		if m := x.groups[x.groupNames[id]]; m != nil && !m.hidden {
			out[id] = true
		}
	}
	return out
}

func deleteGroup(r *request) *reply {
	g, p := r.group(canDelete)
	if p != nil {
		return p
	}
	body := r.describeGroup(g)
	parents := r.org.access.removeGroup(g)
	if !g.hidden {
		r.org.feed.deleted(g.path())
		r.org.regrouped(parents...)
	}
	return jsonReply(http.StatusOK, body).writes(g.path())
}
