package chefserver

import "net/http"

// principalKind is /principals, which is answered without a signature: it tells
// a service the public key of whoever called it.
func principalKind() kind {
	return kind{routes: func(rs *routes) {
		rs.inOrg("principals/NAME", methods{"GET", action{do: getPrincipal, unlocked: true}}).unsigned = true
	}}
}

func getPrincipal(r *request) *reply {
	notFound := func(what, name string) *reply {
		return jsonReply(http.StatusNotFound, newObject("not_found", what, "error", "Cannot find "+what+" "+name))
	}
	if r.org == nil {
		return notFound("org", r.orgName())
	}
	found := r.principals(r.args[0])
	switch {
	case len(found) == 0:
		return notFound("principal", r.args[0])
	case r.api == 0:
		return jsonReply(http.StatusOK, found[0])
	}
	return jsonReply(http.StatusOK, newObject("principals", found))
}

// principals returns the client and the user of that name.
func (r *request) principals(name string) []any {
	r.s.mu.RLock()
	defer r.s.mu.RUnlock()
	r.org.mu.RLock()
	defer r.org.mu.RUnlock()
	var found []any
	if c := r.org.clients[name]; c != nil {
		found = append(found, newObject("name", name, "public_key", c.keys.defaultPEM(),
			"type", "client", "authz_id", c.authzID, "org_member", true))
	}
	if u := r.s.users[name]; u != nil {
		found = append(found, newObject("name", name, "public_key", u.keys.defaultPEM(),
			"type", "user", "authz_id", u.authzID, "org_member", r.org.members[name]))
	}
	return found
}
