package workflows

import (
	"cmp"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// SyncInput is the input of a SyncWorkflow, and what one run of it leaves to the
// next (continue-as-new). Whoever starts a workflow sets Pair and Options.
type SyncInput struct {
	Pair    object.Pair `json:"pair"`
	Options Options     `json:"options"`
	State   State       `json:"state"`
}

// State is all that a pair must not forget. Fields are added, never renamed:
// workflows that run now were started by an older release.
type State struct {
	// Format is the [StateFormat] of who wrote this; 0 is as 1.
	Format int `json:"format,omitempty"`

	// Cursor is the place in the feed up to which everything is on the replica,
	// or in Unsynced. Zero before the first full comparison.
	Cursor object.Cursor `json:"cursor"`

	// Resume is the place from which to follow after the full comparison that is
	// under way, if the feed had more to tell when it began: the deletes among that
	// are found nowhere else. Zero: from the comparison's own.
	Resume object.Cursor `json:"resume"`

	// Survey is the place in a full comparison; nil if none is under way. With a
	// zero Cursor and no Survey, the next poll begins one.
	Survey *activities.SurveyPlace `json:"survey,omitempty"`

	// Queue is the task queue of the workers whose staging store holds the list that
	// Survey, Cursor or Resume names, if one of them names one; "" = any worker's.
	Queue string `json:"queue,omitempty"`

	// Identities are the servers that Cursor, Survey and Unsynced are about.
	Identities object.Identities `json:"identities"`

	// PollBeat is how often the workers' Polls report; 0 = as other activities.
	PollBeat time.Duration `json:"poll_beat,omitempty"`

	// Deep says that an operator wants the next poll to look at contents too.
	Deep bool `json:"deep,omitempty"`

	Stopped    bool      `json:"stopped,omitempty"`
	StopReason string    `json:"stop_reason,omitempty"`
	StoppedAt  time.Time `json:"stopped_at"` // Signal.At of the last stop
	StartedAt  time.Time `json:"started_at"` // and of the last start
	Halt       *Halt     `json:"halt,omitempty"`
	Mode       Mode      `json:"mode,omitempty"` // as last shown
	Since      time.Time `json:"since"`

	Trouble      *activities.Trouble `json:"trouble,omitempty"`
	TroubleCount int                 `json:"trouble_count,omitempty"` // of applying, in a row

	// LastError is the last Trouble, also when it has passed; nil if there was none.
	LastError *LastError `json:"last_error,omitempty"`

	// FromHead says that the pair began at the feed's head and compared nothing.
	FromHead bool `json:"from_head,omitempty"`

	// ResetReason says why the full comparison under way was begun, LastReset
	// when a feed or server last made us begin one.
	ResetReason string    `json:"reset_reason,omitempty"`
	LastReset   time.Time `json:"last_reset"`

	// ApprovedSurvey is the full comparison whose deletes an operator approved,
	// DroppedSurvey one whose deletes are not made.
	ApprovedSurvey string `json:"approved_survey,omitempty"`
	DroppedSurvey  string `json:"dropped_survey,omitempty"`

	// SurveyPage is the first page of the full comparison under way, or of the last one.
	SurveyPage int64 `json:"survey_page,omitempty"`

	// ApprovedHalt is what an operator approved ([Halt.ID]) in the page under way,
	// which a trouble may yet give up: a server that is down, or a window of
	// maintenance.
	ApprovedHalt string `json:"approved_halt,omitempty"`

	Unsynced []Unsynced `json:"unsynced,omitempty"` // ordered by ref

	// CompareAt is when everything is compared again because Unsynced
	// overflowed; zero if it did not.
	CompareAt time.Time `json:"compare_at"`

	// Forgotten is the first page of which a write that failed is no longer on the
	// list, until everything was compared; 0 = none is missing.
	Forgotten int64 `json:"forgotten,omitempty"`

	// DeleteLimit is that of the last page, for objects that are tried again.
	DeleteLimit plan.DeleteLimit `json:"delete_limit"`

	// Left is what the replica cannot hold, since the last full comparison began.
	Left []replicate.Left `json:"left,omitempty"`

	// Verified is how the last verification ended; nil if there was none.
	Verified *Verified `json:"verified,omitempty"`

	// CaughtUp says that everything was compared and the feed had nothing new
	// then; only with Options.Once.
	CaughtUp bool `json:"caught_up,omitempty"`

	Page     int64     `json:"page"` // numbers the pages
	Behind   int64     `json:"behind"`
	LastSync time.Time `json:"last_sync"`
	Extras   int       `json:"extras,omitempty"`
	Dropped  int       `json:"dropped,omitempty"` // deletes that were not made, since the last full comparison began
	Counters Counters  `json:"counters"`
}

// LastError is what last kept a pair from going on.
type LastError struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
}

// mode derives what the pair is doing.
func (s *State) mode() Mode {
	switch {
	case s.Stopped:
		return ModeStopped
	case s.Halt != nil:
		return ModeHalted
	case s.Trouble != nil:
		return ModeWaiting
	case s.comparing():
		return ModeBootstrapping
	default:
		return ModeFollowing
	}
}

// queue is where the next page has to be asked for.
func (s *State) queue() string {
	if activities.Listed(s.Survey, s.Cursor) || activities.Listed(nil, s.Resume) {
		return s.Queue
	}
	return ""
}

func (s *State) comparing() bool { return s.Survey != nil || s.Cursor.IsZero() }

// fresh reports whether the pair has neither a place yet nor a reason to compare
// everything.
func (s *State) fresh() bool {
	return s.comparing() && s.Survey == nil && !s.FromHead && s.Counters.Surveys == 0 && s.ResetReason == ""
}

// uncompared reports whether the two organizations were never compared.
func (s *State) uncompared() bool { return s.FromHead && s.Counters.Surveys == 0 }

// follow makes the pair follow from the feed's head.
func (s *State) follow(page activities.PollResult, now time.Time) {
	s.FromHead, s.Cursor, s.Identities = true, page.Cursor, page.Identities
	s.Behind, s.DeleteLimit, s.LastSync = page.Behind, page.DeleteLimit, now
}

// restart makes the next poll begin a full comparison. Objects that are
// unsynced will be met again there.
func (s *State) restart(reason string) {
	s.Cursor, s.Survey, s.Identities = object.Cursor{}, nil, object.Identities{}
	s.CaughtUp, s.Resume = false, object.Cursor{}
	s.Unsynced, s.CompareAt, s.Forgotten = nil, time.Time{}, 0
	s.Left, s.Dropped, s.ResetReason, s.ApprovedHalt = nil, 0, reason, ""
}

// compareAgain is restart between the same servers. Deletes that are not done
// are kept, to be made after the comparison: it would not find them, because it
// keeps what only the replica has. For the same reason the pair then follows from
// where a comparison began that is not complete: the primary may have deleted since
// what it wrote. With waited, deletes wait after it for what they waited for before.
func (s *State) compareAgain(reason string, waited bool) {
	ids, resume, forgotten := s.Identities, cmp.Or(s.Cursor, s.Resume), s.Forgotten
	if resume.IsZero() && s.Survey != nil {
		resume = s.Survey.Head
	}
	var kept []Unsynced
	for _, u := range s.Unsynced {
		if u.lasting() || waited && s.waitedFor(u) {
			u.Waits = u.Action == object.ActionDelete
			kept = append(kept, u)
		}
	}
	s.restart(reason)
	s.Identities, s.Unsynced, s.Resume = ids, kept, resume
	if waited {
		s.Forgotten = forgotten
	}
}

// status is the answer of the status query.
func (s *State) status(p object.Pair) Status {
	out := Status{
		Pair: p, Mode: s.mode(), Cursor: s.Cursor, Feed: s.Cursor.Feed, Identities: s.Identities,
		Behind: s.Behind, Survey: s.Survey, LastSync: s.LastSync, Since: s.Since,
		Halt: s.Halt, Unsynced: len(s.Unsynced), Extras: s.Extras + s.Dropped, Counters: s.Counters,
		Left: s.Left, Verified: s.Verified,
	}
	if s.Survey != nil {
		out.Feed = s.Survey.Head.Feed
	}
	if len(s.Unsynced) > 0 {
		out.UnsyncedKinds = map[object.Kind]int{}
	}
	for _, u := range s.Unsynced {
		out.UnsyncedKinds[u.Ref.Kind]++
	}
	switch out.Mode {
	case ModeStopped:
		out.Reason = s.StopReason
		out.Hint = "chef-sync-ctl sync-start " + p.Destination
	case ModeHalted:
		out.Reason = s.Halt.String()
		if s.ResetReason != "" { // who decides has to know that it is about another server, say
			out.Reason += " (everything is compared: " + s.ResetReason + ")"
		}
		out.Hint = "chef-sync-ctl approve-deletes " + p.Destination + ", or chef-sync-ctl drop-deletes " + p.Destination
	case ModeWaiting:
		out.Reason, out.Hint, out.Trouble = s.Trouble.Message, s.Trouble.Hint, s.Trouble.Key
	case ModeBootstrapping:
		out.Reason = s.ResetReason
	case ModeFollowing:
		if s.uncompared() {
			out.Reason = "bootstrap is false: it began with the changes that came next, and what differed before was not looked at"
			if len(s.Unsynced) == 0 {
				out.Hint = "chef-sync-ctl forget-cursor " + p.Destination
			}
		}
	}
	return out
}

// String says what would be deleted.
func (h *Halt) String() string {
	out := ""
	for i, e := range h.Excess {
		if i > 0 {
			out += "; "
		}
		out += e.String()
	}
	return out
}
