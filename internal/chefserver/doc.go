// Package chefserver is a Chef Infra Server inside the process: an
// [net/http.Handler] that keeps organizations in memory and answers as erchef
// 15.10 does, byte for byte where that matters to a client. It exists for the
// demo, for fault tests and for tests of scale, and is strict enough to have the
// public Chef API contract tests pointed at it (see the command chefserverd).
//
// It shares no code with this project's client, on purpose: a mistake that both
// sides made would hide itself. It imports the standard library only.
//
// # What it has
//
// Signed requests (protocol 1.0, 1.1, 1.2 and 1.3), API versions 0 to 2,
// cookbooks and cookbook artifacts with sandboxes and a file store behind
// presigned URLs, policies, their revisions and policy groups, roles,
// environments, data bags and items, nodes, clients, users, their keys,
// principals, organizations, membership and invitations, groups, containers and
// ACLs, the universe, and the status endpoints. What nginx does in front of
// erchef is imitated where a client can see it: the welcome page for a request
// without X-Chef-Version, doubled slashes, gzip.
//
// Permissions are those that the ACLs and groups of the organization give, so
// whoever locks himself out is out. A fresh organization has erchef's default
// ACLs; new objects take theirs from their container and their creator.
//
// Beyond any real server it has a native change feed (Options.Feed), faults on
// demand ([Server.Faults]), counters ([Server.Stats]) and a complete dump for
// oracles ([Server.Snapshot]).
//
// # What it does not have
//
// Search is an unknown route, and so are the ACLs of users: who may see a user
// is ruled by membership and the group admins. Groups of other organizations
// (org::group) and global ones (::group) are unknown names, and the group
// ORG_read_access_group does not exist. The superuser may do everything, whatever
// the ACLs say; on erchef some endpoints ask them even of pivotal. Passwords are
// checked for form and forgotten. Nothing survives the process. Requests signed
// by the web UI key (X-Ops-Request-Source) are treated like all others. A kept
// connection stays usable after an error of the file store, which it does not on
// bookshelf.
//
// The comments cite the statements of the Chef Infra Server documentation,
// https://docs.chef.io/server/api_chef_server/, and name erchef where its
// behaviour, observed on a running server, is odd enough to look like a mistake.
package chefserver
