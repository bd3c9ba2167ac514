package chefserver

import "net/http"

// invite is an invitation of a user into an organization.
type invite struct {
	id, user string
	by       string // the inviting admin
}

// associationKind is who belongs to an organization, and how one gets in.
func associationKind() kind {
	return kind{routes: func(rs *routes) {
		rs.inOrg("users", methods{
			"GET", action{do: listMembers, users: true},
			"POST", action{validate: wantString("username"), do: addMember, users: true},
		})
		rs.inOrg("users/NAME", methods{
			"GET", action{do: getMember, users: true},
			"DELETE", action{do: removeMember, users: true},
		})
		rs.inOrg("association_requests", methods{
			"GET", action{do: listInvites, users: true},
			"POST", action{validate: wantString("user"), do: inviteUser, users: true},
		})
		rs.inOrg("association_requests/ID", methods{"DELETE", action{do: rescind, users: true}})
		rs.outside("users/NAME/association_requests", methods{"GET", action{do: listUserInvites}})
		rs.outside("users/NAME/association_requests/count", methods{"GET", action{do: countUserInvites}})
		rs.outside("users/NAME/association_requests/ID", methods{"PUT", action{validate: wantString("response"), do: respond}})
	}}
}

// wantString validates a body by one string field.
func wantString(field string) func(*request) *reply {
	return func(r *request) *reply {
		if p := r.parseBody(); p != nil {
			return p
		}
		v, ok := r.in.get(field)
		if !ok {
			return badRequest("Field '%s' missing", field)
		}
		if _, ok := v.(string); !ok {
			return badRequest("Field '%s' invalid", field)
		}
		return nil
	}
}

func listMembers(r *request) *reply {
	if p := r.mayOrganization(canRead); p != nil {
		return p
	}
	out := []any{}
	for _, name := range sortedKeys(r.org.members) {
		out = append(out, newObject("user", newObject("username", name)))
	}
	return jsonReply(http.StatusOK, out)
}

func noUser(name string) *reply {
	return failText(http.StatusNotFound, "Could not find user %s", name)
}

func addMember(r *request) *reply {
	name := r.in.str("username")
	switch {
	case !r.actor.superuser:
		return forbidden(canCreate)
	case r.s.users[name] == nil:
		return noUser(name)
	case r.org.members[name]:
		return failText(http.StatusConflict, "The association already exists.")
	}
	r.org.join(r.s.users[name])
	return created(r.orgURL("/users/" + name))
}

// memberUser returns the member that the URL names, or 404.
func (r *request) memberUser(name string) (*user, *reply) {
	u := r.s.users[name]
	if u == nil || !r.org.members[name] {
		return nil, failText(http.StatusNotFound, "Cannot find a user %s in organization %s", name, r.org.name)
	}
	return u, nil
}

func getMember(r *request) *reply {
	u, p := r.memberUser(r.args[0])
	if p != nil {
		return p
	}
	return firstOf(r.mayOrganization(canRead), jsonReply(http.StatusOK, r.describeUser(u)))
}

func removeMember(r *request) *reply {
	u, p := r.memberUser(r.args[0])
	if p != nil {
		return p
	}
	if p := r.mayOrganization(canUpdate); p != nil && r.actor.id != u.authzID {
		return p
	}
	if r.org.isAdmin(u) {
		return failText(http.StatusForbidden, "Please remove %s from this organization's admins group "+
			"before removing him or her from the organization.", u.name)
	}
	r.org.leave(u)
	return jsonReply(http.StatusOK, r.describeUser(u))
}

func listInvites(r *request) *reply {
	if p := r.mayOrganization(canUpdate); p != nil {
		return p
	}
	out := []any{}
	for _, id := range sortedKeys(r.org.invites) {
		out = append(out, newObject("id", id, "username", r.org.invites[id].user))
	}
	return jsonReply(http.StatusOK, out)
}

func inviteUser(r *request) *reply {
	name := r.in.str("user")
	if p := r.mayOrganization(canUpdate); p != nil {
		return p
	}
	u := r.s.users[name]
	if u == nil {
		return noUser(name)
	}
	if r.org.members[name] {
		return failText(http.StatusConflict, "The association already exists.")
	}
	for _, inv := range r.org.invites {
		if inv.user == name {
			return failText(http.StatusConflict, "The invite already exists.")
		}
	}
	id := newGUID()
	r.org.invites[id] = &invite{id: id, user: name, by: r.actor.name}
	uri := r.orgURL("/association_requests/" + id)
	return jsonReply(http.StatusCreated, newObject(
		"uri", uri,
		"organization_user", newObject("username", r.actor.name),
		"organization", newObject("name", r.org.fullName),
		"user", newObject("email", u.profile.str("email"), "first_name", u.profile.str("first_name")))).at(uri)
}

func noInvite(id string) *reply {
	return failText(http.StatusNotFound, "Cannot find association request: %s", id)
}

func rescind(r *request) *reply {
	if p := r.mayOrganization(canUpdate); p != nil {
		return p
	}
	inv := r.org.invites[r.args[0]]
	if inv == nil {
		return noInvite(r.args[0])
	}
	delete(r.org.invites, inv.id)
	return jsonReply(http.StatusOK, newObject("id", inv.id, "orgname", r.org.name, "username", inv.user))
}

// ownInvites returns the invitations of the user in the URL, whom nobody but the
// superuser and the user itself may look at.
func (r *request) ownInvites(v verb) ([]any, *reply) {
	name := r.args[0]
	if r.s.users[name] == nil {
		return nil, noUser(name)
	}
	if !r.actor.superuser && r.actor.name != name {
		return nil, forbidden(v)
	}
	out := []any{}
	for _, org := range sortedKeys(r.s.orgs) {
		for id, inv := range r.s.orgs[org].invites {
			if inv.user == name {
				out = append(out, newObject("id", id, "orgname", org))
			}
		}
	}
	return out, nil
}

func listUserInvites(r *request) *reply {
	out, p := r.ownInvites(canRead)
	if p != nil {
		return p
	}
	return jsonReply(http.StatusOK, out)
}

func countUserInvites(r *request) *reply {
	out, p := r.ownInvites(canRead)
	if p != nil {
		return p
	}
	return jsonReply(http.StatusOK, newObject("value", len(out)))
}

// respond accepts or rejects an invitation. It is void when the one who issued
// it may not create groups any more: the new member's own group is made in his
// name.
func respond(r *request) *reply {
	if _, p := r.ownInvites(canUpdate); p != nil {
		return p
	}
	answer := r.in.str("response")
	if answer != "accept" && answer != "reject" {
		return badRequest("Param response must be either 'accept' or 'reject'")
	}
	var o *organization
	var inv *invite
	for _, org := range r.s.orgs {
		if i := org.invites[r.args[1]]; i != nil && i.user == r.args[0] {
			o, inv = org, i
		}
	}
	if inv == nil {
		return noInvite(r.args[1])
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer == "accept" {
		by := r.s.users[inv.by]
		if by == nil || !o.access.allows(by.actor(), canCreate, "/containers/groups") {
			return failText(http.StatusForbidden, "This invitation is no longer valid. "+
				"Please notify an administrator and request to be re-invited to the organization.")
		}
		o.join(r.s.users[inv.user], by.authzID)
	}
	delete(o.invites, inv.id)
	return jsonReply(http.StatusOK, newObject("organization", newObject("name", o.name)))
}
