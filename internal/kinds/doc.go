// Package kinds knows how each kind of object is listed, read, written, deleted
// and compared on a Chef server. There is one handler per kind, one file per
// kind, and no other place that switches over kinds: the next kind is one file
// here and one line in package object.
//
// Handlers hold no state and decide nothing; they turn a ref into the calls of
// internal/chef and a body into a digest. When to write what is decided by
// packages plan and replicate.
//
// The exception are groups and ACLs, which say who may do what on one server: see
// [Adapter]. Copied as they are they would lock out the replica's users, whose
// hidden groups have other names there, its admins, or ourselves. What of them
// stays as it is on the replica stands in a table above each Adapt.
package kinds
