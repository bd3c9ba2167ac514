// Package feedserver serves a log of changes over HTTP, beside a primary Chef
// server: the endpoint that the Chef Replication add-on had, as documented in
// https://docs.chef.io/server/api_chef_server/#updated_since.
//
//	GET /organizations/ORG/updated_since?seq=N      (alias objects_since)
//	[{"action":"create|update|delete","id":N,"path":"/roles/web"}]
//
// Everything beyond this array is in headers and parameters:
//
//	X-Chef-Sync-Org-Guid   the organization's GUID
//	X-Chef-Sync-Epoch      another one: numbers seen before are worth nothing
//	X-Chef-Sync-Head       the highest id there is
//	X-Chef-Sync-Floor      the highest id of a delete that was forgotten, or 0
//	limit=N                at most N entries; N >= 1
//	wait=S                 hold the answer up to S seconds (60 at most) while
//	                       there is nothing to tell
//	fresh=1                answer with all that was committed before the request:
//	                       a capture by snapshots is behind, mostly by a second
//	X-Chef-Sync-Fresh: 1   says that the server knows fresh
//
// Requests are signed as those to a Chef server are, by a user that the server
// allows and the organization has. An [Authenticator] tells who it is: [Validator]
// asks the Chef server, [Keys] looks into its database. What is served are the
// names of objects; who follows reads the objects themselves from the Chef
// server, under its own rights.
//
// Where a [Log] comes from is told in package changelog. [Opened] is one that may
// have to wait for its database.
package feedserver
