package chefserver

import (
	"net/http"
	"regexp"
)

var reEmail = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)

// profileFields are what a user has beside keys and a password.
var profileFields = [...]string{
	"username", "display_name", "email", "first_name", "middle_name", "last_name", "external_authentication_uid",
}

// userKind is /users. https://docs.chef.io/server/api_chef_server/#users
func userKind() kind {
	return kind{routes: func(rs *routes) {
		rs.outside("users", methods{
			"GET", action{do: listUsers},
			"POST", action{validate: validateUser, do: postUser, unlocked: true},
		})
		rs.outside("users/NAME", methods{
			"GET", action{do: getUser},
			"PUT", action{validate: validateUserUpdate, do: putUser, unlocked: true},
			"DELETE", action{do: deleteUser},
		})
		rs.outside("users/NAME/organizations", methods{"GET", action{do: listUserOrganizations}})
	}}
}

func validateUser(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	o := r.in
	if p := checkName(o, "username", reUser); p != nil {
		return p
	}
	for _, k := range profileFields[1:] {
		if v, ok := o.get(k); ok && v != nil {
			if _, isString := v.(string); !isString {
				return badRequest("Field '%s' invalid", k)
			}
		}
	}
	if o.str("display_name") == "" {
		return badRequest("Field 'display_name' missing")
	}
	external := o.str("external_authentication_uid") != ""
	if _, ok := o.get("email"); ok || !external {
		if p := checkName(o, "email", reEmail); p != nil {
			return p
		}
	}
	if v, ok := o.get("password"); ok || !external && len(r.args) == 0 {
		if !ok {
			return badRequest("Field 'password' missing")
		}
		if s, isString := v.(string); !isString || len(s) < 6 {
			return badRequest("Password must have at least 6 characters")
		}
	}
	return validateKeyFields(r)
}

func validateUserUpdate(r *request) *reply {
	if p := validateUser(r); p != nil {
		return p
	}
	return refuseKeyFields(r)
}

// profile picks the fields of a user out of a body. Addresses are kept in lower
// case.
func profile(in *object) *object {
	o := newObject()
	for _, k := range profileFields {
		if v, ok := in.get(k); ok {
			o.set(k, v)
		}
	}
	if _, ok := o.get("email"); ok {
		o.set("email", lower(o.vals["email"]))
	}
	return o
}

// listUsers lists all users, or those of an address; verbose shows their names.
func listUsers(r *request) *reply {
	if !r.actor.superuser {
		return forbidden(canRead)
	}
	q := r.http.URL.Query()
	out := newObject()
	for _, name := range sortedKeys(r.s.users) {
		u := r.s.users[name]
		if q.Has("email") && lower(q.Get("email")) != u.profile.str("email") ||
			q.Has("external_authentication_uid") &&
				q.Get("external_authentication_uid") != u.profile.str("external_authentication_uid") {
			continue
		}
		if q.Get("verbose") != "true" {
			out.set(name, r.base()+"/users/"+name)
			continue
		}
		out.set(name, newObject("first_name", u.profile.str("first_name"), "last_name", u.profile.str("last_name"),
			"display_name", u.profile.str("display_name"), "email", u.profile.str("email")))
	}
	return jsonReply(http.StatusOK, out)
}

// taken reports whether another user has the name or address.
func (s *Server) taken(profile *object, but string) bool {
	for name, u := range s.users {
		if name == but {
			continue
		}
		email := profile.str("email")
		if name == profile.str("username") || email != "" && email == u.profile.str("email") {
			return true
		}
	}
	return false
}

func postUser(r *request) *reply {
	if !r.actor.superuser {
		return forbidden(canCreate)
	}
	nk, p := r.newKey()
	if p != nil {
		return p
	}
	return r.s.run(r, action{do: func(r *request) *reply {
		prof := profile(r.in)
		if r.s.taken(prof, "") {
			return fail(http.StatusConflict, "Username or email address already in use.")
		}
		u := newUser(prof.str("username"), prof)
		if nk != nil {
			u.keys = keyring{nk.key}
		}
		r.s.addUser(u)
		answer := r.createdWithKey(r.base()+"/users/"+u.name, nk)
		if r.api == 0 {
			// Unlike a client's, this answer never shows the public key.
			o := newObject("uri", r.base()+"/users/"+u.name)
			if nk.private != "" {
				o.set("private_key", nk.private)
			}
			answer.body = encode(o)
		}
		return answer
	}})
}

// user returns the user that the URL names, or 404.
func (r *request) user(name string) (*user, *reply) {
	u := r.s.users[name]
	if u == nil {
		return nil, fail(http.StatusNotFound, "user '%s' not found", name)
	}
	return u, nil
}

// mayUser says who may do what with a user: the superuser and the user itself
// everything, an admin of one of the user's organizations may read.
func (r *request) mayUser(v verb, u *user) bool {
	if r.actor.superuser || r.actor.name == u.name {
		return true
	}
	if v != canRead {
		return false
	}
	for _, o := range r.s.orgs {
		if o.members[u.name] && o.administers(r.actor) {
			return true
		}
	}
	return false
}

// describeUser is the body of a user; version 0 shows the key default.
func (r *request) describeUser(u *user) *object {
	o := u.profile.clone()
	if r.api == 0 {
		o.set("public_key", u.keys.defaultPEM())
	}
	return o
}

func getUser(r *request) *reply {
	u, p := r.user(r.args[0])
	if p != nil {
		return p
	}
	if !r.mayUser(canRead, u) {
		return forbidden(canRead)
	}
	return jsonReply(http.StatusOK, r.describeUser(u))
}

// putUser changes and perhaps renames a user.
func putUser(r *request) *reply {
	nk, p := r.replacementKey()
	if p != nil {
		return p
	}
	return r.s.run(r, action{do: func(r *request) *reply {
		u, p := r.user(r.args[0])
		if p != nil {
			return p
		}
		prof := profile(r.in)
		name := prof.str("username")
		if !r.mayUser(canUpdate, u) || name != u.name && !r.actor.superuser {
			return forbidden(canUpdate)
		}
		if r.s.taken(prof, u.name) {
			return fail(http.StatusConflict, "Username or email address already in use.")
		}
		status := http.StatusOK
		if name != u.name {
			r.s.renameUser(u, name)
			status = http.StatusCreated
		}
		u.profile = prof
		if nk != nil {
			u.keys = u.keys.with(nk.key)
		}
		o := newObject("uri", r.base()+"/users/"+name)
		if nk != nil && nk.private != "" {
			o.set("private_key", nk.private)
		}
		return jsonReply(status, o).at(r.base() + "/users/" + name)
	}})
}

func (s *Server) renameUser(u *user, name string) {
	delete(s.users, u.name)
	for _, o := range s.orgs {
		if o.members[u.name] {
			delete(o.members, u.name)
			o.members[name] = true
		}
	}
	u.name = name
	s.addUser(u)
}

// addUser stores a user. The caller holds s.mu.
func (s *Server) addUser(u *user) {
	s.users[u.name] = u
	s.userNames[u.authzID] = u.name
}

// removeUser removes a user with all its memberships. The caller holds s.mu.
func (s *Server) removeUser(u *user) {
	delete(s.users, u.name)
	delete(s.userNames, u.authzID)
	for _, o := range s.orgs {
		o.mu.Lock()
		o.leave(u)
		o.dropActor(u.authzID)
		o.mu.Unlock()
	}
}

func deleteUser(r *request) *reply {
	u, p := r.user(r.args[0])
	if p != nil {
		return p
	}
	if !r.mayUser(canDelete, u) {
		return forbidden(canDelete)
	}
	r.s.removeUser(u)
	return jsonReply(http.StatusOK, r.describeUser(u))
}

// listUserOrganizations is open to everybody who shares an organization.
func listUserOrganizations(r *request) *reply {
	u, p := r.user(r.args[0])
	if p != nil {
		return p
	}
	allowed := r.actor.superuser || r.actor.name == u.name
	out := []any{}
	for _, name := range sortedKeys(r.s.orgs) {
		o := r.s.orgs[name]
		if !o.members[u.name] {
			continue
		}
		allowed = allowed || o.members[r.actor.name]
		out = append(out, newObject("organization", newObject("name", name, "full_name", o.fullName, "guid", o.guid)))
	}
	if !allowed {
		return forbidden(canRead)
	}
	return jsonReply(http.StatusOK, out)
}
