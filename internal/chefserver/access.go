package chefserver

import (
	"maps"
	"net/http"
	"slices"
	"sync"
)

// verb is a permission of Chef's access control.
type verb string

const (
	canCreate verb = "create"
	canRead   verb = "read"
	canUpdate verb = "update"
	canDelete verb = "delete"
	canGrant  verb = "grant"
)

// verbs are the five permissions of an ACL, in the order of the API.
var verbs = [...]verb{canCreate, canRead, canUpdate, canDelete, canGrant}

// ace is who has one permission: ids of users and clients, and ids of groups,
// sorted. It is replaced, never changed. An id of something that is gone means
// nothing, so deleting and renaming need not look for ACLs.
type ace struct{ actors, groups []string }

// acl is an ACL, by verb. It is replaced, never changed, and shared by all
// objects that have the same.
type acl [len(verbs)]ace

func (l *acl) of(v verb) ace { return l[slices.Index(verbs[:], v)] }

// with returns the ACL with another ace for a verb.
func (l *acl) with(v verb, e ace) *acl {
	c := *l
	c[slices.Index(verbs[:], v)] = e
	return &c
}

// access is who may do what in an organization: its groups, its containers and
// the ACL of everything there is. It is guarded by the organization's mu.
type access struct {
	groups      map[string]*group
	groupNames  map[string]string // by id
	clientNames map[string]string // by id
	containers  map[string]bool
	// acls holds the ACL of everything by its path: /roles/N, /data/B, /clients/N,
	// /groups/N, /containers/N …, and /organizations for the organization. What is
	// not in it does not exist.
	acls map[string]*acl
	// births remembers the ACLs of new objects, for sharing.
	births map[birth]*acl

	// reached holds the groups that an actor is in, directly or through other
	// groups, for the actors that were asked for since the last change.
	reachMu sync.Mutex
	reached map[string]map[string]bool
}

// birth is what the ACL of a new object follows from.
type birth struct {
	container *acl
	creator   string
}

// clone copies the access control. ACLs are shared, since they never change.
func (x *access) clone() *access {
	c := &access{
		groups: make(map[string]*group, len(x.groups)), groupNames: maps.Clone(x.groupNames),
		clientNames: maps.Clone(x.clientNames), containers: maps.Clone(x.containers), acls: maps.Clone(x.acls),
		births: map[birth]*acl{}, reached: map[string]map[string]bool{},
	}
	for name, g := range x.groups {
		c.groups[name] = g.clone()
	}
	return c
}

// groupsOf returns the ids of the groups that the actor is in, at whatever depth.
func (x *access) groupsOf(actor string) map[string]bool {
	x.reachMu.Lock()
	defer x.reachMu.Unlock()
	if in := x.reached[actor]; in != nil {
		return in
	}
	in := map[string]bool{}
	for _, g := range x.groups {
		if g.users[actor] || g.clients[actor] {
			in[g.id] = true
		}
	}
	for grown := len(in) > 0; grown; {
		grown = false
		for _, g := range x.groups {
			if !in[g.id] && g.holdsAny(in) {
				in[g.id], grown = true, true
			}
		}
	}
	x.reached[actor] = in
	return in
}

// regrouped forgets who is in which group: of one actor, or of all when a group
// joined or left another.
func (x *access) regrouped(actors ...string) {
	x.reachMu.Lock()
	defer x.reachMu.Unlock()
	if len(actors) == 0 {
		clear(x.reached)
	}
	for _, id := range actors {
		delete(x.reached, id)
	}
}

// in reports whether an actor is in the group of that name.
func (x *access) in(actor, name string) bool {
	g := x.groups[name]
	return g != nil && x.groupsOf(actor)[g.id]
}

// allows reports whether the actor has a permission on the thing at path. The
// superuser has every permission, whatever the ACLs say.
func (x *access) allows(a *actor, v verb, path string) bool {
	if a.superuser {
		return true
	}
	l := x.acls[path]
	if l == nil {
		return false // A container that was deleted.
	}
	e := l.of(v)
	if slices.Contains(e.actors, a.id) {
		return true
	}
	if len(e.groups) == 0 {
		return false
	}
	in := x.groupsOf(a.id)
	return slices.ContainsFunc(e.groups, func(id string) bool { return in[id] })
}

// claim gives the new thing at path its ACL: that of its container, and the
// creators in all five permissions.
func (x *access) claim(path, container string, creators ...string) {
	from := x.acls["/containers/"+container]
	if from == nil {
		from = &acl{}
	}
	if len(creators) > 1 {
		x.acls[path] = from.joined(creators)
		return
	}
	key := birth{container: from}
	if len(creators) == 1 {
		key.creator = creators[0]
	}
	if x.births[key] == nil {
		x.births[key] = from.joined(creators)
	}
	x.acls[path] = x.births[key]
}

// joined returns the ACL with actors added to all five permissions.
func (l *acl) joined(actors []string) *acl {
	c := *l
	for i, e := range l {
		c[i] = ace{actors: sortedSet(append(slices.Clone(e.actors), actors...)), groups: e.groups}
	}
	return &c
}

// disclaim drops the ACL of what is gone.
func (x *access) disclaim(path string) { delete(x.acls, path) }

// moved keeps the ACL of what has another name now.
func (x *access) moved(from, to string) {
	x.acls[to] = x.acls[from]
	delete(x.acls, from)
}

func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// may answers 403 unless the actor has the permission on a container: it is what
// lists (read) and new objects (create) need.
func (r *request) may(v verb, container string) *reply { return r.mayAt(v, "/containers/"+container) }

// mayOn answers 403 unless the actor has the permission on an object. The kind is
// called like its container; items are under their bag, versions under their
// cookbook and revisions under their policy.
func (r *request) mayOn(v verb, kind, name string) *reply { return r.mayAt(v, "/"+kind+"/"+name) }

// mayOrganization answers 403 unless the actor has the permission on the
// organization itself.
func (r *request) mayOrganization(v verb) *reply { return r.mayAt(v, organizationPath) }

func (r *request) mayAt(v verb, path string) *reply {
	if r.org.access.allows(r.actor, v, path) {
		return nil
	}
	return forbidden(v)
}

// claim gives an object that the request created its ACL.
func (r *request) claim(kind, name string) {
	r.org.access.claim("/"+kind+"/"+name, kind, r.actor.id)
}

// disclaim drops the ACL of an object that the request deleted.
func (r *request) disclaim(kind, name string) { r.org.access.disclaim("/" + kind + "/" + name) }

func forbidden(v verb) *reply { return fail(http.StatusForbidden, "missing %s permission", v) }
