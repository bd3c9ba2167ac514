package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
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
	// Cursor is the place in the feed up to which everything is on the replica,
	// or in Unsynced. Zero before the first full comparison.
	Cursor object.Cursor `json:"cursor"`

	// Survey is the place in a full comparison; nil if none is under way. With a
	// zero Cursor and no Survey, the next poll begins one.
	Survey *activities.SurveyPlace `json:"survey,omitempty"`

	// Identities are the servers that Cursor, Survey and Unsynced are about.
	Identities object.Identities `json:"identities"`

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

	// ResetReason says why the full comparison under way was begun, LastReset
	// when a feed or server last made us begin one.
	ResetReason string    `json:"reset_reason,omitempty"`
	LastReset   time.Time `json:"last_reset"`

	// ApprovedSurvey is the full comparison whose deletes an operator approved.
	ApprovedSurvey string `json:"approved_survey,omitempty"`

	Unsynced []Unsynced `json:"unsynced,omitempty"` // ordered by ref

	// CompareAt is when everything is compared again because Unsynced
	// overflowed; zero if it did not.
	CompareAt time.Time `json:"compare_at"`

	// DeleteLimit is that of the last page, for objects that are tried again.
	DeleteLimit plan.DeleteLimit `json:"delete_limit"`

	Page     int64     `json:"page"` // numbers the pages
	Behind   int64     `json:"behind"`
	LastSync time.Time `json:"last_sync"`
	Extras   int       `json:"extras,omitempty"`
	Counters Counters  `json:"counters"`
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

func (s *State) comparing() bool { return s.Survey != nil || s.Cursor.IsZero() }

// restart makes the next poll begin a full comparison. Objects that are
// unsynced will be met again there.
func (s *State) restart(reason string) {
	s.Cursor, s.Survey, s.Identities = object.Cursor{}, nil, object.Identities{}
	s.Unsynced, s.CompareAt = nil, time.Time{}
	s.ResetReason = reason
}

// compareAgain is restart between the same servers. Deletes that are not done
// are kept, to be made after the comparison: it would not find them, because it
// keeps what only the replica has.
func (s *State) compareAgain(reason string) {
	ids := s.Identities
	deletes := slices.DeleteFunc(s.Unsynced, func(u Unsynced) bool { return u.Action != object.ActionDelete })
	for i := range deletes {
		deletes[i].Waits = true
	}
	s.restart(reason)
	s.Identities, s.Unsynced = ids, deletes
}

// find returns the place of ref in Unsynced, and whether it is there.
func (s *State) find(ref object.Ref) (int, bool) {
	return slices.BinarySearchFunc(s.Unsynced, ref, func(u Unsynced, r object.Ref) int { return u.Ref.Compare(r) })
}

// synced takes ref off the list of unsynced objects.
func (s *State) synced(ref object.Ref) {
	if i, ok := s.find(ref); ok {
		s.Unsynced = slices.Delete(s.Unsynced, i, i+1)
	}
}

// undelete takes the delete of an object that is on the primary again off the
// list.
func (s *State) undelete(ref object.Ref) {
	if i, ok := s.find(ref); ok && s.Unsynced[i].Action == object.ActionDelete {
		s.Unsynced = slices.Delete(s.Unsynced, i, i+1)
	}
}

// repark notes that objects could not even be tried again.
func (s *State) repark(due []Unsynced, t activities.Trouble, now time.Time, o Options) {
	for _, u := range due {
		i, ok := s.find(u.Ref)
		if !ok || s.Unsynced[i].NextTry.After(now) && !s.Unsynced[i].Waits {
			continue // was tried
		}
		u.Waits, u.Reason, u.Hint = false, t.Message, t.Hint
		s.park(u, now, o)
	}
}

// park puts an object on the list of unsynced objects, or notes another failure
// of one that is there. The first failure since an object changed is tried
// again soon, later ones ever more rarely.
func (s *State) park(u Unsynced, now time.Time, o Options) {
	i, known := s.find(u.Ref)
	u.FirstSeen, u.LastSeen, u.Attempts = now, now, 1
	if known {
		old := s.Unsynced[i]
		u.FirstSeen = old.FirstSeen
		if old.Action != object.ActionDelete { // deletes may wait for it since then
			u.FromPage = cmp.Or(old.FromPage, old.Page)
		}
		if old.Action == u.Action && old.Page == u.Page && !u.Waits {
			u.Attempts = old.Attempts + 1
		}
	}
	u.NextTry = now.Add(backoff(u.Attempts, o.RetryFirst, o.RetryMost))
	u.Reason, u.Hint = fit(u.Reason), fit(u.Hint)
	if known {
		s.Unsynced[i] = u
		return
	}
	if len(s.Unsynced) >= o.MaxUnsynced {
		if s.CompareAt.IsZero() {
			s.CompareAt = now.Add(o.RetryMost / 6) // what is forgotten here is found again there
		}
		if u.Action != object.ActionDelete || !s.dropWrite() { // but not deletes
			return
		}
		i, _ = s.find(u.Ref)
	}
	s.Unsynced = slices.Insert(s.Unsynced, i, u)
}

// dropWrite takes any write off the list, and reports whether there was one.
func (s *State) dropWrite() bool {
	for i, u := range slices.Backward(s.Unsynced) {
		if u.Action != object.ActionDelete {
			s.Unsynced = slices.Delete(s.Unsynced, i, i+1)
			return true
		}
	}
	return false
}

// mostText is the most bytes of JSON that the reason or hint of an unsynced object
// takes: the whole list has to fit a payload of Temporal's, 2 MiB. One that is
// all brackets would take six times its length.
const mostText = 500

func fit(text string) string {
	for jsonLength(text) > mostText {
		text = strings.ToValidUTF8(text[:len(text)/2], "") + "…"
	}
	return text
}

// jsonLength is the most bytes that a text takes as JSON: six for what may be
// escaped. encoding/json itself would do, but workflowcheck cannot vouch for it.
func jsonLength(text string) int {
	n := 2
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20 || c >= 0x80 || c == '<' || c == '>' || c == '&' || c == '"' || c == '\\':
			n += 6
		default:
			n++
		}
	}
	return n
}

func backoff(n int, first, most time.Duration) time.Duration {
	d := first
	for range min(n, 32) - 1 {
		if d >= most/2 {
			return most
		}
		d *= 2
	}
	return min(d, most)
}

// due returns the changes that have to be tried again now, with the page that
// each came in.
func (s *State) due(now time.Time) []Unsynced {
	var out []Unsynced
	for _, u := range s.Unsynced {
		if u.Waits {
			if s.released(u) {
				out = append(out, u)
			}
		} else if !u.NextTry.After(now) {
			out = append(out, u)
		}
	}
	return out
}

// nextTry returns when the next unsynced object, or the full comparison after an
// overflow, is due; zero if never.
func (s *State) nextTry(now time.Time) time.Time {
	next := s.CompareAt
	for _, u := range s.Unsynced {
		at := u.NextTry
		if u.Waits {
			if !s.released(u) {
				continue
			}
			at = now
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// released reports whether a delete that waits need not wait any more: no write
// of its page is left, and everything that there is to write is known.
func (s *State) released(d Unsynced) bool {
	return s.CompareAt.IsZero() && !s.comparing() && !slices.ContainsFunc(s.Unsynced, func(u Unsynced) bool {
		return u.Action != object.ActionDelete && cmp.Or(u.FromPage, u.Page) <= d.Page && d.Page <= u.Page
	})
}

// status is the answer of the status query.
func (s *State) status(p object.Pair) Status {
	out := Status{
		Pair: p, Mode: s.mode(), Cursor: s.Cursor, Feed: s.Cursor.Feed, Identities: s.Identities,
		Behind: s.Behind, Survey: s.Survey, LastSync: s.LastSync, Since: s.Since,
		Halt: s.Halt, Unsynced: len(s.Unsynced), Extras: s.Extras, Counters: s.Counters,
	}
	if s.Survey != nil {
		out.Feed = s.Survey.Head.Feed
	}
	switch out.Mode {
	case ModeStopped:
		out.Reason = s.StopReason
		out.Hint = "chef-sync-ctl sync-start " + p.Destination
	case ModeHalted:
		out.Reason = s.Halt.String()
		out.Hint = "chef-sync-ctl approve-deletes " + p.Destination
	case ModeWaiting:
		out.Reason, out.Hint = s.Trouble.Message, s.Trouble.Hint
	case ModeBootstrapping:
		out.Reason = s.ResetReason
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
