// Package replay holds the histories of released versions of the workflow to
// the code: every recorded history must still run as it ran. A history that
// does not is a running workflow that would be stuck after an upgrade.
//
// A new history is recorded from a released commit, never from the change that
// it is to guard against:
//
//	go test ./tests/replay -run Fresh -record v0.1.0
package replay
