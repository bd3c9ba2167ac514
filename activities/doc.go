// Package activities is how one step of replication touches the world: Poll asks
// the primary's feed, Fetch reads objects into staging, Apply writes and deletes
// on the replica. Each is thin: it finds the pair's engine and feed, keeps
// Temporal informed (heartbeats), and sorts errors into the classes that the
// SyncWorkflow acts on. What happens next is decided in package workflows.
//
// No activity puts an object's body, a key or a signed header into its input,
// result, heartbeat or error: history shows refs and counts.
package activities
