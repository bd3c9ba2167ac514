package workflows

import (
	"encoding/json"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/report"
)

// The signals of a SyncWorkflow. Each takes a [Signal] or nothing at all, and
// repeating one is harmless.
const (
	// SignalStop ends writing after the batch under way. The workflow stays
	// open with its cursor, at no cost.
	SignalStop = "stop"

	// SignalStart goes on from the cursor.
	SignalStart = "start"

	// SignalSyncNow polls at once, contents too, and retries unsynced objects.
	SignalSyncNow = "sync_now"

	// SignalApproveDeletes lets a halted pair delete what it wants to delete.
	SignalApproveDeletes = "approve_deletes"

	// SignalDropDeletes lets a halted pair go on without deleting what it wants to
	// delete. The objects stay on the replica and count as extras.
	SignalDropDeletes = "drop_deletes"

	// SignalRepair has the objects of [Signal.Repair] tried again, as unsynced
	// objects: a verification found them different.
	SignalRepair = "repair"

	// SignalVerified tells the pair how a verification ended.
	SignalVerified = "verified"

	// SignalForgetCursor compares everything anew.
	SignalForgetCursor = "forget_cursor"

	// SignalRemove ends the workflow. Nothing on the replica is touched.
	SignalRemove = "remove"
)

// The queries of a SyncWorkflow.
const (
	QueryStatus   = "status"   // returns a Status
	QueryUnsynced = "unsynced" // returns an []Unsynced
)

// Signal is the input of every signal. The zero value works.
type Signal struct {
	// Reason is shown in status; for people.
	Reason string `json:"reason,omitempty"`

	// At is when the signal was sent. Signals of different names that wait for a
	// worker side by side have no order of their own: with At, the later of a
	// stop and a start counts, without it the stop. Zero means not known.
	At time.Time `json:"at"`

	// Halt is the [Halt.ID] that an approval, or drop, is about; one about another
	// halt does nothing. "" is about whatever the pair asks now.
	Halt string `json:"halt,omitempty"`

	// Repair is what to try again; of [SignalRepair].
	Repair []object.Change `json:"repair,omitempty"`

	// Verified is the news of [SignalVerified].
	Verified *Verified `json:"verified,omitempty"`
}

// Verified is how a verification ended.
type Verified struct {
	At       time.Time      `json:"at"`
	Verdict  report.Verdict `json:"verdict"`
	Differ   int            `json:"differ"`             // objects that are not equal
	Report   string         `json:"report,omitempty"`   // where the report is, on the host that wrote it
	Workflow string         `json:"workflow,omitempty"` // the run of the verification
}

// UnmarshalJSON also takes a bare string as the reason, and anything else as
// none: a signal must not be lost because of what came with it.
func (s *Signal) UnmarshalJSON(data []byte) error {
	type plain Signal
	var p plain
	if json.Unmarshal(data, &p) == nil {
		*s = Signal(p)
		return nil
	}
	*s = Signal{}
	_ = json.Unmarshal(data, &s.Reason)
	return nil
}

// Mode is what a pair is doing.
type Mode string

// The modes.
const (
	ModeBootstrapping Mode = "bootstrapping" // comparing everything
	ModeFollowing     Mode = "following"     // copying changes as they come
	ModeStopped       Mode = "stopped"       // by an operator
	ModeHalted        Mode = "halted"        // wants to delete much, and asks
	ModeWaiting       Mode = "waiting"       // for a trouble to pass
)

// Status is the answer of [QueryStatus]. Times are UTC; zero means never.
type Status struct {
	Pair       object.Pair       `json:"pair"`
	Mode       Mode              `json:"mode"`
	Once       bool              `json:"once,omitempty"` // it ends when both are equal
	Feed       string            `json:"feed,omitempty"`
	Cursor     object.Cursor     `json:"cursor"`
	Identities object.Identities `json:"identities"`

	// Behind is how many changes were known to follow at the last page; -1 = not
	// known.
	Behind int64 `json:"behind"`

	// Survey is the progress of a full comparison; nil if none is under way.
	Survey *activities.SurveyPlace `json:"survey,omitempty"`

	LastSync time.Time `json:"last_sync"` // when the last page was completely applied
	Since    time.Time `json:"since"`     // when Mode began

	// Halt is what a halted pair asks about; nil in any other mode.
	Halt *Halt `json:"halt,omitempty"`

	// Left is what the replica cannot hold of objects that count as copied.
	Left []replicate.Left `json:"left,omitempty"`

	// Verified is how the last verification ended; nil if there was none.
	Verified *Verified `json:"verified,omitempty"`

	Unsynced int `json:"unsynced"`

	// UnsyncedKinds is Unsynced by kind.
	UnsyncedKinds map[object.Kind]int `json:"unsynced_kinds,omitempty"`

	// Trouble is [activities.Trouble.Key] of what a waiting pair waits for.
	Trouble string `json:"trouble,omitempty"`

	Extras int    `json:"extras"`           // objects that only the replica has, at the last full comparison
	Reason string `json:"reason,omitempty"` // of the mode, in words
	Hint   string `json:"hint,omitempty"`

	Counters Counters `json:"counters"`
}

// Counters count since the pair was first started.
type Counters struct {
	Cycles   int64 `json:"cycles"` // pages applied
	Created  int64 `json:"created"`
	Updated  int64 `json:"updated"`
	Deleted  int64 `json:"deleted"`
	Equal    int64 `json:"equal"` // looked at and left alone
	Failed   int64 `json:"failed"`
	Files    int64 `json:"files"` // cookbook files uploaded
	Bytes    int64 `json:"bytes"` // of cookbook files downloaded
	Ignored  int64 `json:"ignored"`
	Surveys  int64 `json:"surveys"` // full comparisons completed
	Restarts int64 `json:"restarts"`
}

// Unsynced is an object that is not as on the primary, and why.
type Unsynced struct {
	Ref    object.Ref    `json:"ref"`
	Action object.Action `json:"action"` // delete, or update for anything else

	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`

	// Waits says that a delete waits for the writes of its page.
	Waits bool `json:"waits,omitempty"`

	// InUse says that it also waits for the policy groups that could not be moved
	// since an earlier page: on the replica they may still use the object.
	InUse bool `json:"in_use,omitempty"`

	// Page is the page that the change came in, FromPage that of the first of
	// several changes none of which could be written; 0 = Page.
	Page     int64 `json:"page"`
	FromPage int64 `json:"from_page,omitempty"`

	// Along counts what is deleted with a data bag, policy or policy group: its
	// items, revisions or pointers.
	Along int `json:"along,omitempty"`

	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Attempts  int       `json:"attempts"`
	NextTry   time.Time `json:"next_try"`
}

// Halt is a pair that asks before it deletes.
type Halt struct {
	// ID names what is asked: the same deletes have the same ID.
	ID string `json:"id"`

	Excess []plan.Excess `json:"excess"`

	// Sample are some of the objects.
	Sample []object.Ref `json:"sample"`
}
