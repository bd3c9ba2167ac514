package chefserver

// organizationPath is where the ACL of an organization itself is kept.
const organizationPath = "/organizations"

// The groups of every organization.
const (
	groupAdmins     = "admins"
	groupBilling    = "billing-admins"
	groupClients    = "clients"
	groupUsers      = "users"
	groupKeyReaders = "public_key_read_access"
)

// defaultContainers are the containers of every organization: the kinds of
// things in it.
var defaultContainers = [...]string{
	"clients", "containers", "cookbook_artifacts", "cookbooks", "data", "environments",
	"groups", "nodes", "policies", "policy_groups", "roles", "sandboxes",
}

// contentKinds are the containers whose objects every member may write.
var contentKinds = [...]string{
	"cookbooks", "cookbook_artifacts", "data", "environments", "roles", "policies", "policy_groups", "nodes",
}

// newAccess makes the access control of a fresh organization. Its ACLs are, with
// all five permissions for pivotal and admins unless the row says otherwise:
//
//	                         users                  clients
//	container of content     all but grant          read
//	container nodes          all but grant          read, create
//	container clients        read, delete
//	groups, containers       read
//	sandboxes                create
//	the organization         read
//	group admins, clients, users
//	group public_key_read_access   admins: read, update
//	group billing-admins           admins: none; billing-admins: read, update
//
// New objects take their ACL from the container, so all of this holds for them,
// too. Who created them is added.
func newAccess(superuser string) *access {
	x := &access{
		groups: map[string]*group{}, groupNames: map[string]string{}, clientNames: map[string]string{},
		containers: map[string]bool{}, acls: map[string]*acl{}, births: map[birth]*acl{},
		reached: map[string]map[string]bool{},
	}
	for _, name := range [...]string{groupAdmins, groupBilling, groupClients, groupUsers, groupKeyReaders} {
		x.addGroup(newGroup(name))
	}
	admins, users, clients := x.groups[groupAdmins], x.groups[groupUsers], x.groups[groupClients]
	admins.users[superuser], users.users[superuser] = true, true
	x.groups[groupKeyReaders].groups[users.id] = true
	x.groups[groupKeyReaders].groups[clients.id] = true

	base := (&acl{}).joined([]string{superuser})
	full := base.granting(admins.id, verbs[:]...)
	for _, name := range defaultContainers {
		x.containers[name] = true
		x.acls["/containers/"+name] = full
	}
	grant := func(container, group string, vs ...verb) {
		path := "/containers/" + container
		x.acls[path] = x.acls[path].granting(group, vs...)
	}
	for _, name := range contentKinds {
		grant(name, users.id, canCreate, canRead, canUpdate, canDelete)
		grant(name, clients.id, canRead)
	}
	grant("nodes", clients.id, canCreate)
	grant("clients", users.id, canRead, canDelete)
	grant("groups", users.id, canRead)
	grant("containers", users.id, canRead)
	grant("sandboxes", users.id, canCreate)

	x.acls[organizationPath] = full.granting(users.id, canRead)
	for _, name := range [...]string{groupAdmins, groupClients, groupUsers} {
		x.acls["/groups/"+name] = full
	}
	x.acls["/groups/"+groupBilling] = base.granting(x.groups[groupBilling].id, canRead, canUpdate)
	x.acls["/groups/"+groupKeyReaders] = base.granting(admins.id, canRead, canUpdate)
	x.claim("/environments/"+defaultEnvironment, "environments")
	return x
}

// granting returns the ACL with a group added to the permissions.
func (l *acl) granting(group string, vs ...verb) *acl {
	for _, v := range vs {
		e := l.of(v)
		l = l.with(v, ace{actors: e.actors, groups: sortedSet(append([]string{group}, e.groups...))})
	}
	return l
}
