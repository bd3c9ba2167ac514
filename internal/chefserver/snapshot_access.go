package chefserver

import (
	"slices"
	"strings"
)

// GroupMembers is who is in a group, by name, sorted.
type GroupMembers struct{ Users, Clients, Groups []string }

// object is the canonical form of the members.
func (m GroupMembers) object() *object {
	return newObject("clients", m.Clients, "groups", m.Groups, "users", m.Users)
}

// dumpAccess adds groups, containers, ACLs and keys to a Snapshot. It holds the
// locks of the server and of the organization.
func (o *organization) dumpAccess(d *Snapshot, userNames map[string]string) {
	x := o.access
	for name := range x.containers {
		d.Objects["/containers/"+name] = string(canonical(newObject("containername", name)))
	}
	for name, g := range x.groups {
		d.Groups[name] = x.members(g, userNames)
		if !g.hidden && name != groupBilling {
			d.Objects[g.path()] = string(canonical(x.shown(g, userNames).object()))
		}
	}
	texts := map[*acl]string{} // Most objects share their ACL with many others.
	for path, l := range x.acls {
		if g := x.groups[strings.TrimPrefix(path, "/groups/")]; g != nil && g.hidden {
			continue
		}
		text, ok := texts[l]
		if !ok {
			text = string(canonical(x.describe(l, userNames)))
			texts[l] = text
		}
		d.ACLs[path+"/_acl"] = text
	}
	for name, c := range o.clients {
		for _, k := range c.keys {
			d.Keys["/clients/"+name+"/keys/"+k.name] = string(canonical(newObject(
				"public_key", k.pem, "expiration_date", k.expiry())))
		}
	}
}

// shown returns the members without the hidden groups.
func (x *access) shown(g *group, userNames map[string]string) GroupMembers {
	m := x.members(g, userNames)
	m.Groups = slices.DeleteFunc(m.Groups, func(name string) bool { return x.groups[name].hidden })
	return m
}

// describe is an ACL with clients and users apart.
func (x *access) describe(l *acl, userNames map[string]string) *object {
	out := newObject()
	for i, e := range l {
		out.set(string(verbs[i]), x.named(e, userNames).object())
	}
	return out
}

// adminNames returns the users in the group admins, without the superuser.
func (o *organization) adminNames(userNames map[string]string, superuser string) []string {
	out := []string{}
	if g := o.access.groups[groupAdmins]; g != nil {
		for id := range g.users {
			if name, ok := userNames[id]; ok && id != superuser {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}
