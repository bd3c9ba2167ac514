// Package replicate is the engine of replication without Temporal: it fetches a
// batch of objects from the primary into staging ([Engine.Fetch]), applies a
// staged batch to the replica ([Engine.Apply]), deletes ([Engine.Delete]), lists
// what a full comparison has to look at ([Engine.Survey]) and says how two
// organizations differ ([Engine.Compare]).
//
// Every operation may be repeated at any time, after any crash: the outcome is
// the primary's present object on the replica, and an object that is equal is
// not written again. Errors come in the classes of [chef.Classify]. An error
// about one object is a [Failure] in the result and stops nobody else; an error
// that no object can escape from (credentials, organization, network down) ends
// the operation, and what was done until then stays done.
package replicate
