package workflows

import (
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
)

// logger is the log of a pair: its attributes choose the file. Nothing is logged
// while a history is replayed.
func logger(ctx workflow.Context, p object.Pair) log.Logger {
	return log.With(workflow.GetLogger(ctx), "org", p.Destination, "source", p.Source)
}

// told is what the log was last told.
type told struct {
	counters Counters
	trouble  *activities.Trouble
}

// tellMode logs that the pair is in another mode now. Why it waits is logged when
// that begins, and that it goes on by tellRecovery.
func (r *run) tellMode() {
	st := r.state.status(r.in.Pair)
	switch {
	case st.Mode == ModeHalted:
		r.log.Warn("pair is halted and asks", "why", st.Reason, "hint", st.Hint)
	case st.Mode == ModeWaiting, r.recovers() && st.Mode != ModeStopped: // told elsewhere
	default:
		r.log.Info("pair changed its mode", "mode", string(st.Mode), "why", st.Reason)
	}
}

// tellRecovery logs once that a trouble is over. The attribute recovered lets the log
// forget the warnings about it.
func (r *run) tellRecovery() {
	if r.recovers() {
		r.log.Info("pair goes on", "mode", string(r.state.Mode), "recovered", r.told.trouble.Message)
	}
	r.told.trouble = r.state.Trouble
}

// recovers reports whether a trouble is over that the log knows of.
func (r *run) recovers() bool { return r.told.trouble != nil && r.state.Trouble == nil }

// tellApplied logs what has come of some changes.
func (r *run) tellApplied(what string, changes int) {
	now, was := r.state.Counters, r.told.counters
	r.told.counters = now
	r.log.Info(what, "changes", changes, "created", now.Created-was.Created, "updated", now.Updated-was.Updated,
		"deleted", now.Deleted-was.Deleted, "equal", now.Equal-was.Equal, "failed", now.Failed-was.Failed,
		"unsynced", len(r.state.Unsynced), "cursor", r.state.Cursor.String())
}
