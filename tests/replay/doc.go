// Package replay holds the histories of released versions of the workflow to
// the code: every recorded history must still run as it ran. A history that
// does not is a running workflow that would be stuck after an upgrade.
//
// A new history is recorded from a released commit, never from the change that
// it is to guard against:
//
//	go test ./tests/replay -run Fresh -record v0.1.0
//
// Each version of the workflow (workflows/version.go) has a life of its own here, see
// lives_test.go: it is lived by this code and by one that does not know the version
// yet, so that both ways are recorded. TestEveryVersionIsRecorded fails if one is
// missing, and TestAMissingVersionIsNoticed if code that takes one way only would
// pass.
package replay
