// Package plan decides what is to be done, and does nothing: it coalesces a
// page of changes ([Coalesce]), orders and cuts it into batches ([Batches]),
// stops deletes that look like an accident ([Guard]), and says when two objects
// are equal ([Digest]).
//
// Everything here is pure: no I/O, no clock, no randomness, no map iteration
// that shows in a result. The SyncWorkflow calls it and replays it, so the same
// input must give the same output for ever; a change of behaviour goes behind a
// workflow version.
package plan
