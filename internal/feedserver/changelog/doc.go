// Package changelog keeps, in the PostgreSQL database of a Chef server, a log of
// what changed in its organizations, for replicas to follow. A log says which
// objects changed and never what is in them: whoever follows reads each object
// from the Chef server, under its own rights.
//
// Everything of ours is in one schema, chef_sync, which [Install] makes and
// [Uninstall] removes without a trace:
//
//	object_changes   one row per path: its last change, and tombstones
//	organizations    per organization the head of its numbering and its floor
//	meta             one row: the epoch, and how changes are captured
//	outbox, parents  what triggers have seen; empty in capture by snapshots
//
// Numbering. The changes of each organization are numbered with rising numbers.
// They are given out under an advisory lock that is held until the transaction
// is over, so numbers become visible in order, and whoever has seen number N
// misses nothing by asking for what is above N. A follower that was away for a
// month gets one entry per object. The head is the highest number given out, the
// floor the highest number of a tombstone that was forgotten. The epoch is
// another when the numbering may have started anew: then no number that was seen
// before is worth anything. When PostgreSQL was restarted the numbers jump: a
// machine that was put back to a snapshot of its disk does not give out again what
// it gave out since, and a number in the gap is not served.
//
// Capture. Two ways lead into the one log:
//
//	snapshot   compares all paths and their row versions with the log, each
//	           second or so. Nothing of Chef's is altered. An object that is
//	           created and deleted between two looks is in no page: whoever
//	           lists the server in between, and only then, may hold it.
//	triggers   triggers on Chef's tables write each change into the outbox in
//	           the writer's own transaction; numbers are given out later. No
//	           change is missed. A trigger that fails lets Chef's write go on.
//
// Going from one to the other keeps every number valid; the first look after it
// may say changes once more. When triggers are found to be missing or broken
// the capture goes on by snapshots, and [Status] says so.
//
// The membership of groups and the ACLs are in another database and are not
// seen. What a group entry says is that the group was written; its members are
// written a moment later.
//
// The package serves nothing over the network and reads no configuration.
package changelog
