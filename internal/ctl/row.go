package ctl

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/workflows"
)

// The states of a pair that are not a workflows.Mode.
const (
	stateNotStarted = "not started" // Temporal never heard of it
	stateRemoved    = "removed"     // by an operator
	stateSyncedOnce = "synced once" // and ended, as it was meant to
	stateStopping   = "stopping"    // stopped, and the batch under way is finished
	stateNoAnswer   = "no answer"   // runs, and no worker says how it is
)

// Row is a pair in the answer of sync-status. A null means not known, or never.
type Row struct {
	Organization string `json:"organization"` // the destination
	Source       string `json:"source,omitempty"`
	Replica      string `json:"replica"`
	WorkflowID   string `json:"workflow_id"`
	Configured   bool   `json:"configured"` // also where no configuration was read

	// State is a mode of the workflow, or one of: not started, stopping, removed,
	// synced once, no answer, or how the workflow ended.
	State string     `json:"state"`
	Since *time.Time `json:"since"`

	// Attention says that the pair needs a person; sync-status then ends with 1.
	Attention bool `json:"attention"`

	Feed   string `json:"feed,omitempty"`
	Cursor string `json:"cursor,omitempty"`

	// Behind is how many changes are known to follow.
	Behind *int64 `json:"behind"`

	// Compared and ToCompare are the progress of a full comparison.
	Compared  *int `json:"compared,omitempty"`
	ToCompare *int `json:"to_compare,omitempty"`

	// LastSync is when the replica was last known to be equal up to Cursor, and
	// LagSeconds how long ago that is.
	LastSync   *time.Time `json:"last_sync"`
	LagSeconds *int64     `json:"lag_seconds"`

	// NextSync is when the feed is looked at next; the present if that is now.
	NextSync *time.Time `json:"next_sync"`

	Unsynced *int `json:"unsynced"`
	Extras   int  `json:"extras"` // objects that only the replica has

	// PrimaryLacks and ReplicaLacks are kinds that the pair wants to replicate and a
	// server cannot hold, Left is what the replica cannot hold of objects that count
	// as copied.
	PrimaryLacks []string         `json:"primary_lacks,omitempty"`
	ReplicaLacks []string         `json:"replica_lacks,omitempty"`
	Left         []replicate.Left `json:"left,omitempty"`

	// SameOrganization says that both sides show one GUID: they may be one server
	// with two names, and then nothing is replicated.
	SameOrganization bool `json:"same_organization,omitempty"`

	// Verified is how the last verification that the pair heard of ended.
	Verified *workflows.Verified `json:"verified"`

	Reason string `json:"reason,omitempty"`
	Hint   string `json:"hint,omitempty"` // commands, one in each line

	// MaintenanceUntil is until when the pair rests; nil if it does not, or if that is
	// not known: see Reason.
	MaintenanceUntil *time.Time `json:"maintenance_until,omitempty"`

	// Slowed says which server is asked for less than it could be, and why.
	Slowed []activities.Slow `json:"slowed,omitempty"`

	// Problem is what the present attempt to poll or copy meets; it may pass.
	Problem string `json:"problem,omitempty"`

	Counters *workflows.Counters `json:"counters"`
}

// facts are all that is known of a pair.
type facts struct {
	pair       object.Pair
	configured bool
	execution  *Execution        // nil: Temporal knows none
	status     *workflows.Status // nil: not answered
	worker     worker
	now        time.Time
}

// row makes a Row of what is known.
//
//	execution  status    state
//	none       -         not started
//	ended      -         removed, terminated, failed, …
//	ended      answered  synced once, if it was to end then
//	runs       none      no answer; what Temporal itself knows of Poll
//	runs       answered  the mode; stopped with activities pending is stopping
func (f facts) row() Row {
	r := Row{
		Organization: f.pair.Destination, Source: f.pair.Source, Replica: f.pair.Replica,
		WorkflowID: f.pair.WorkflowID(), Configured: f.configured,
	}
	switch {
	case f.execution == nil:
		r.State, r.Attention = stateNotStarted, f.configured
		r.Hint = program + " sync-start " + f.pair.Destination
		return r
	case !f.execution.Running() && f.status != nil && f.status.Once && f.following():
		f.answered(&r)
		r.State, r.Attention, r.Since = stateSyncedOnce, f.status.Unsynced > 0, moment(f.execution.Closed)
		r.Behind, r.Hint = nil, program+" sync-once "+f.pair.Destination
		r.lag(f.now)
		return r
	case !f.execution.Running():
		r.State, r.Attention = endedState(f.execution.Status), f.configured
		r.Since = moment(f.execution.Closed)
		r.Hint = program + " sync-start " + f.pair.Destination
		return r
	case f.status == nil:
		f.unanswered(&r)
	default:
		f.answered(&r)
	}
	f.polling(&r)
	f.resting(&r)
	r.Slowed = f.execution.Slowed
	r.lag(f.now)
	return r
}

// lag fills in how long ago the last synchronization is.
func (r *Row) lag(now time.Time) {
	if r.LastSync != nil {
		lag := int64(now.Sub(*r.LastSync) / time.Second)
		r.LagSeconds = &lag
	}
}

// endedState names how a workflow ended.
func endedState(s enums.WorkflowExecutionStatus) string {
	if s == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		return stateRemoved
	}
	return strings.ToLower(s.String())
}

// unanswered fills in a row of a pair whose worker does not answer.
func (f facts) unanswered(r *Row) {
	r.State, r.Attention = stateNoAnswer, true
	r.Reason, r.Hint = f.worker.trouble()
	if f.execution.newer() {
		r.Reason, r.Hint = f.execution.TaskFailure, program+" version\nec-syncd --version"
	}
	if p := f.execution.Poll; p.UpToDate() {
		r.LastSync = moment(p.Beat.LastPoll)
	}
}

// newer reports whether a worker refused a state that a newer chef-sync has written.
func (e Execution) newer() bool { return strings.Contains(e.TaskFailure, workflows.NewerState) }

// answered fills in a row from the pair's own words.
func (f facts) answered(r *Row) {
	s := f.status
	r.Source = s.Pair.Source
	r.State, r.Since = string(s.Mode), moment(s.Since)
	if s.Mode == workflows.ModeStopped && len(f.execution.Copying) > 0 {
		r.State = stateStopping
	}
	r.Attention = s.Mode == workflows.ModeHalted || s.Mode == workflows.ModeWaiting || s.Unsynced > 0
	r.Feed, r.Cursor = s.Feed, s.Cursor.Position
	r.Unsynced, r.Extras = &s.Unsynced, s.Extras
	r.Reason, r.Hint = s.Reason, s.Hint
	if s.Mode == workflows.ModeHalted {
		r.Hint = program + " approve-deletes " + f.pair.Destination + "\n" + program + " drop-deletes " + f.pair.Destination
	}
	r.PrimaryLacks, r.ReplicaLacks = kindsOf(s.Identities.Primary.Lacks), kindsOf(s.Identities.Replica.Lacks)
	r.Left, r.Verified = s.Left, s.Verified
	r.SameOrganization = s.Identities.SameOrganization()
	r.Counters = &s.Counters
	r.LastSync = moment(s.LastSync)
	if s.Survey != nil {
		r.Compared, r.ToCompare = &s.Survey.Offset, &s.Survey.Total
	}
	if s.Unsynced > 0 && r.Hint == "" {
		r.Hint = program + " unsynced-objects " + f.pair.Destination
	}
	if f.following() {
		f.behind(r)
	}
}

// kindsOf reads [object.Identity.Lacks].
func kindsOf(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
}

// following reports whether the pair has compared everything and holds a place
// in the feed.
func (f facts) following() bool {
	return f.status != nil && f.status.Survey == nil && !f.status.Cursor.IsZero()
}

// behind joins what the workflow knew at its last page with what the polls since
// then found. A poll that is up to date is a synchronization: there was nothing
// to do.
func (f facts) behind(r *Row) {
	behind := f.status.Behind
	p := f.execution.Poll
	if p != nil && p.Beat.LastPoll.After(f.status.LastSync) {
		r.LastSync = moment(p.Beat.LastPoll)
		behind = 0
	}
	// What was known of the feed is news only while the feed is being read.
	if f.status.Mode == workflows.ModeFollowing && (p == nil || p.Beat.Fails == 0) && behind >= 0 {
		r.Behind = &behind
	}
}

// polling fills in what the pending activities tell.
func (f facts) polling(r *Row) {
	e := f.execution
	switch r.State {
	case string(workflows.ModeStopped), string(workflows.ModeHalted), stateStopping:
		return
	case stateNoAnswer: // what is planned will not happen
	default:
		switch {
		case e.Poll != nil && e.Poll.Next.After(f.now):
			r.NextSync = moment(e.Poll.Next)
		case e.Poll != nil, len(e.Copying) > 0:
			r.NextSync = moment(f.now)
		}
	}
	switch {
	case e.newer(): // is the reason
	case e.TaskAttempt > 1:
		r.Problem = fmt.Sprintf("the worker has failed to run the workflow %d times", e.TaskAttempt-1)
		if e.TaskFailure != "" {
			r.Problem += ": " + e.TaskFailure
		}
	case e.Poll != nil && e.Poll.Beat.Fails > 0:
		r.Problem = "poll failed " + times(e.Poll.Beat.Fails)
		if !strings.Contains(r.Reason, e.Poll.Beat.Problem) {
			r.Problem += ": " + e.Poll.Beat.Problem
		}
	case e.Problem != "":
		r.Problem = e.Problem
	}
}

// resting fills in a pair that rests in a window of maintenance, which was meant:
// what is not copied meanwhile needs nobody.
func (f facts) resting(r *Row) {
	s, p := f.status, f.execution.Poll
	asleep := p.Rests(f.now)
	if s == nil || s.Mode == workflows.ModeStopped || s.Mode == workflows.ModeHalted {
		return
	}
	given := s.Trouble == activities.TroubleMaintenance // a page was given up for it
	if !given && asleep == "" {
		return
	}
	r.State, r.Since, r.Problem = string(workflows.ModeWaiting), nil, ""
	r.Attention = s.Unsynced > 0
	r.Behind = nil
	if asleep != "" {
		r.Reason, r.MaintenanceUntil = asleep, moment(p.Beat.Maintenance)
		r.NextSync = r.MaintenanceUntil
	}
}

// rests reports whether a row is that of a pair in a window of maintenance.
func (r Row) rests() bool {
	return r.State == string(workflows.ModeWaiting) && strings.HasPrefix(r.Reason, activities.TroubleMaintenance)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}
