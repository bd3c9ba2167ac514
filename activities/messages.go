package activities

import (
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// PollInput asks for the next page of changes of a pair.
type PollInput struct {
	Pair object.Pair `json:"pair"`

	// Cursor is the place in the feed. A zero cursor (or a Survey) asks for the
	// pages of a full comparison.
	Cursor object.Cursor `json:"cursor"`

	// Survey is the place in a full comparison that is under way.
	Survey *SurveyPlace `json:"survey,omitempty"`

	// Identities are those that Cursor and Survey are about; zero = not known yet.
	Identities object.Identities `json:"identities"`

	// Trouble is the key of the trouble that the workflow knows of; "" if none.
	Trouble string `json:"trouble,omitempty"`

	// Once asks for an answer also if nothing is new.
	Once bool `json:"once,omitempty"`

	// Deep asks the feed to look at contents too, if it does so only at times.
	Deep bool `json:"deep,omitempty"`

	// FromHead asks, with a zero Cursor and no Survey, for the feed's head instead
	// of a full comparison: what both servers hold by then is not looked at.
	FromHead bool `json:"from_head,omitempty"`
}

// PollResult is a page of changes, or a reason why there is none. A poll that
// finds nothing new does not return at all; see [Activities.Poll].
type PollResult struct {
	// Changes are in the feed's order; empty if only the pair's state changed.
	Changes []object.Change `json:"changes,omitempty"`

	// Cursor is the place behind Changes.
	Cursor object.Cursor `json:"cursor"`

	// Survey is the place behind Changes in a full comparison; nil when it is
	// complete, and then Cursor is where following begins.
	Survey *SurveyPlace `json:"survey,omitempty"`

	// From is the place before Changes in a full comparison, FromCursor that in
	// the feed if it is another than was asked with. A page that is interrupted is
	// asked for again from there: a new list, or another comparison, would not say
	// that the primary has since deleted what the page wrote.
	From       *SurveyPlace  `json:"from,omitempty"`
	FromCursor object.Cursor `json:"from_cursor"`

	// Behind is how many changes are known to follow; -1 = not known.
	Behind int64 `json:"behind"`

	// Ignored counts entries about objects that are not replicated.
	Ignored int `json:"ignored,omitempty"`

	Identities object.Identities `json:"identities"`

	// Beat is how often this worker's Polls report, if that is more seldom than
	// usual: Temporal has to be as patient.
	Beat time.Duration `json:"beat,omitempty"`

	// Extras counts objects that only the replica has and that are kept; only of
	// a full comparison.
	Extras int `json:"extras,omitempty"`

	// Deletes and Totals are what the delete guard weighs: how many objects are
	// to be deleted by kind (all pages of a full comparison together), and how
	// many the replica has, counted where it matters.
	Deletes     map[object.Kind]int `json:"deletes,omitempty"`
	Totals      map[object.Kind]int `json:"totals,omitempty"`
	DeleteLimit plan.DeleteLimit    `json:"delete_limit"`

	// UpToDate says that nothing was new; only of a poll with Once.
	UpToDate bool `json:"up_to_date,omitempty"`

	// AtHead says that nothing was compared and Cursor is the feed's head; only of
	// a poll with FromHead.
	AtHead bool `json:"at_head,omitempty"`

	// Reset says why everything has to be compared anew.
	Reset string `json:"reset,omitempty"`

	// CursorLost says that the feed cannot go on from the cursor asked with.
	CursorLost bool `json:"cursor_lost,omitempty"`

	// Trouble is what keeps the pair from going on.
	Trouble *Trouble `json:"trouble,omitempty"`

	// Queue is where to ask for the next page, because the lists that Survey or
	// Cursor name are in the staging store of its workers; "" = anywhere.
	Queue string `json:"queue,omitempty"`
}

// SurveyPlace is a place in the pages of a full comparison.
type SurveyPlace struct {
	ID     string `json:"id"`     // of the list in the staging store
	Offset int    `json:"offset"` // changes handed out
	Total  int    `json:"total"`  // changes in all

	// Head is where to follow from when the comparison is complete.
	Head object.Cursor `json:"head"`

	// Extras counts objects that only the replica has and that are kept.
	Extras int `json:"extras,omitempty"`

	Deletes map[object.Kind]int `json:"deletes,omitempty"`
	Totals  map[object.Kind]int `json:"totals,omitempty"`
}

// Trouble is what keeps a whole pair from being replicated.
type Trouble struct {
	// Key tells one trouble from another; for comparison only.
	Key string `json:"key"`

	// Message says what was tried on what, and what came of it.
	Message string `json:"message"`

	// Hint is what an operator can do; "" if nothing but wait.
	Hint string `json:"hint,omitempty"`
}

// Beat is the heartbeat of a Poll. It survives the retries that waiting
// consists of, and is what status shows of them.
type Beat struct {
	Polls    int       `json:"polls"`     // since the activity was scheduled
	LastPoll time.Time `json:"last_poll"` // of the last one that the primary answered
	Checked  time.Time `json:"checked"`   // when the servers last said who they are
	Fails    int       `json:"fails,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	Logged   time.Time `json:"logged,omitzero"` // when the log last heard that a trouble lasts

	// Maintenance is until when the pair rests, or rested if no poll has succeeded
	// since; else zero.
	Maintenance time.Time `json:"maintenance,omitzero"`
}

// FetchInput asks for a batch to be read. The changes are of one rank.
type FetchInput struct {
	Pair object.Pair `json:"pair"`

	// Identities, if not zero, are those of the servers that this is about; with
	// others nothing is done.
	Identities object.Identities `json:"identities"`

	Changes []object.Change `json:"changes"`
}

// FetchResult is what Fetch found and where it stands.
type FetchResult struct {
	replicate.Fetched

	// Queue is the task queue on which Apply finds the staged batch; "" if any
	// worker does.
	Queue string `json:"queue,omitempty"`
}

// ApplyInput asks for a staged batch to be written, or for refs of one rank to
// be deleted.
type ApplyInput struct {
	Pair       object.Pair       `json:"pair"`
	Identities object.Identities `json:"identities"` // as of FetchInput

	Batch   string       `json:"batch,omitempty"`
	Deletes []object.Ref `json:"deletes,omitempty"`
}

// ApplyResult counts what was done and names what could not be done.
type ApplyResult = replicate.Applied
