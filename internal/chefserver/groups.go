package chefserver

import (
	"maps"
	"slices"
	"strings"
)

// group is a group of actors and other groups. Members are kept by id, so a
// renamed member stays one.
type group struct {
	id, name               string
	users, clients, groups map[string]bool // ids
	// hidden is set for a user's own group, a USAG: the one through which a
	// member of the organization is in the group users.
	hidden bool
}

func newGroup(name string) *group {
	return &group{
		id: newGUID(), name: name,
		users: map[string]bool{}, clients: map[string]bool{}, groups: map[string]bool{},
	}
}

func (g *group) clone() *group {
	c := *g
	c.users, c.clients, c.groups = maps.Clone(g.users), maps.Clone(g.clients), maps.Clone(g.groups)
	return &c
}

// holdsAny reports whether one of the groups is a member.
func (g *group) holdsAny(groups map[string]bool) bool {
	for id := range groups {
		if g.groups[id] {
			return true
		}
	}
	return false
}

func (x *access) addGroup(g *group) {
	x.groups[g.name] = g
	x.groupNames[g.id] = g.name
	x.regrouped()
}

// removeGroup takes a group out of everything and returns the groups that had it
// as a member.
func (x *access) removeGroup(g *group) []*group {
	delete(x.groups, g.name)
	delete(x.groupNames, g.id)
	x.disclaim(g.path())
	var parents []*group
	for _, p := range x.groups {
		if p.groups[g.id] {
			delete(p.groups, g.id)
			parents = append(parents, p)
		}
	}
	x.regrouped()
	return parents
}

func (g *group) path() string { return "/groups/" + g.name }

// regrouped tells the feed that the members of groups changed. USAGs are no
// concern of anybody outside of the server.
func (o *organization) regrouped(gs ...*group) {
	slices.SortFunc(gs, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	for _, g := range gs {
		if !g.hidden {
			o.feed.updated(g.path())
		}
	}
}

// addClient stores a client.
func (o *organization) addClient(c *client) {
	o.clients[c.name] = c
	o.access.clientNames[c.authzID] = c.name
}

// replaceClient stores a client in place of another, or of itself under another
// name, and tells the feed if anything changed.
func (o *organization) replaceClient(old, c *client) {
	from, to := "/clients/"+old.name, "/clients/"+c.name
	delete(o.clients, old.name)
	o.addClient(c)
	switch {
	case old.name != c.name:
		o.access.moved(from, to)
		o.feed.deleted(from)
		o.feed.created(to)
	case old.validator != c.validator || !slices.Equal(old.keys, c.keys):
		o.feed.updated(to)
	}
}

// enroll makes a new client a member of the group clients and gives it its ACL,
// by which it has all rights over itself unless it is a validator.
func (o *organization) enroll(c *client, creators ...string) {
	if !c.validator {
		creators = append(creators, c.authzID)
	}
	o.access.claim("/clients/"+c.name, "clients", creators...)
	if g := o.access.groups[groupClients]; g != nil {
		g.clients[c.authzID] = true
		o.access.regrouped(c.authzID)
		o.regrouped(g)
	}
}

// expel removes a client with its memberships.
func (o *organization) expel(c *client) {
	delete(o.clients, c.name)
	delete(o.access.clientNames, c.authzID)
	o.access.disclaim("/clients/" + c.name)
	o.feed.deleted("/clients/" + c.name)
	o.dropActor(c.authzID)
}

// dropActor takes an actor that is gone out of all groups.
func (o *organization) dropActor(id string) {
	var changed []*group
	for _, g := range o.access.groups {
		if g.users[id] || g.clients[id] {
			delete(g.users, id)
			delete(g.clients, id)
			changed = append(changed, g)
		}
	}
	o.access.regrouped(id)
	o.regrouped(changed...)
}

// join makes the user a member of the organization: it gets a group of its own,
// which becomes a member of the group users. Its invitations are void then. The
// caller holds the server's lock as well as the organization's.
func (o *organization) join(u *user, creators ...string) {
	o.members[u.name] = true
	for id, inv := range o.invites {
		if inv.user == u.name {
			delete(o.invites, id)
		}
	}
	if o.access.groups[u.id] != nil {
		return
	}
	g := newGroup(u.id)
	g.hidden = true
	g.users[u.authzID] = true
	o.access.addGroup(g)
	o.access.claim(g.path(), "groups", creators...)
	if users := o.access.groups[groupUsers]; users != nil {
		users.groups[g.id] = true
	}
}

// leave is the opposite of join. Other groups keep the user as a member, which
// is of no use to somebody who may not enter.
func (o *organization) leave(u *user) {
	delete(o.members, u.name)
	if g := o.access.groups[u.id]; g != nil {
		o.access.removeGroup(g)
	}
}

// setAdmin makes the user a direct member of the group admins, or not.
func (o *organization) setAdmin(u *user, admin bool) {
	g := o.access.groups[groupAdmins]
	if g == nil || g.users[u.authzID] == admin {
		return
	}
	if admin {
		g.users[u.authzID] = true
	} else {
		delete(g.users, u.authzID)
	}
	o.access.regrouped(u.authzID)
	o.regrouped(g)
}

// isAdmin reports whether the user is a direct member of the group admins.
func (o *organization) isAdmin(u *user) bool {
	g := o.access.groups[groupAdmins]
	return g != nil && g.users[u.authzID]
}

// administers reports whether the actor is in the group admins, at whatever
// depth. It takes the organization's lock.
func (o *organization) administers(a *actor) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.access.in(a.id, groupAdmins)
}

// adopt gives every member of the organization its own group, and takes it from
// everybody else, after groups were restored from elsewhere. It holds both locks.
func (o *organization) adopt(users map[string]*user) {
	own := map[string]bool{}
	for name := range o.members {
		own[users[name].id] = true
		o.join(users[name])
	}
	for name, g := range o.access.groups {
		if g.hidden && !own[name] {
			o.access.removeGroup(g)
		}
	}
}
