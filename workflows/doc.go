// Package workflows decides what happens next. There is one workflow,
// [SyncWorkflow], one per pair, and it runs for ever:
//
//	poll ──page──▶ plan ──batches──▶ fetch ──staged──▶ apply ──▶ advance the cursor
//	  ▲                                                              │
//	  └──────────────────── wait (no history) ◀──────────────────────┘
//
// Its state is all that must survive: the cursor, the objects that could not be
// copied, and what the operator asked for. The cursor is advanced only when
// every change before it is on the replica or on the list of unsynced objects.
//
// The code is deterministic: activities touch the world, package plan computes.
// A change of what it does to a running workflow goes behind a version, see
// version.go, and recorded histories are replayed in the tests.
//
// Operators steer it by signals and watch it by queries, see messages.go; all
// of them work from the temporal CLI, tctl and the Web UI without input.
package workflows
