// Package chef is a client of the Chef Infra Server API, made for copying
// organizations: it signs requests, negotiates versions, bounds and retries
// them, and says of every error whom it concerns.
//
// Three things set it apart from a client made for nodes or for people.
//
// Bodies stay raw JSON. A role, an environment or a data bag item is a
// [json.RawMessage] from end to end, so that keys this package has never heard
// of and numbers of any size survive. The exception is a cookbook's [Manifest],
// which has two forms on the wire; it too keeps every key as it was.
//
// An answer is believed only if a Chef server gave it. A web page with status
// 200, an empty body or JSON of the wrong shape is an error ([ErrNotChef]), so
// that a list is either complete or not there at all: nobody may conclude from
// a confused proxy that an organization is empty.
//
// Every error has a [Class], found by [Classify]: try it again ([ClassRetry]),
// this one object cannot be copied ([ClassObject]), or nothing can be copied
// until a human has looked ([ClassPair]). The client has already repeated what
// was worth repeating, with a fresh signature each time. Errors name method,
// URL, status and the server's own words, and never hold bodies, keys, signed
// headers or the signatures of file URLs.
//
// The package holds no state of replication and decides nothing about it: which
// objects to copy, and what to make of one that is missing, is for others.
//
// The API is described at https://docs.chef.io/server/api_chef_server/.
package chef
