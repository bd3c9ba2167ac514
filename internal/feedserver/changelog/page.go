package changelog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Page is a part of the log of one organization, all of one moment.
type Page struct {
	// OrgGUID and Epoch name the organization and the numbering. If either is
	// another than before, the numbers seen before are worth nothing.
	OrgGUID, Epoch string

	// Head is the highest number given out, Floor the highest of a deletion that
	// was forgotten.
	Head, Floor int64

	// Entries are in the order of their numbers; empty if nothing is new.
	Entries []Entry
}

// Entry is the last change of one path.
type Entry struct {
	ID     int64  `json:"id"`
	Action string `json:"action"` // create, update or delete; create and update are hints
	Path   string `json:"path"`
}

// A GoneError is an [ErrGone]: whoever asked has to compare everything, from the
// head on. Its JSON form is for the answer.
type GoneError struct {
	Reason string `json:"reason"` // one of the constants below
	Seq    int64  `json:"seq"`
	Head   int64  `json:"head"`
	Floor  int64  `json:"floor"`
}

// The reasons of a [GoneError].
const (
	ReasonPruned     = "pruned"      // deletions after the number were forgotten
	ReasonBeyondHead = "beyond head" // the number was never given out
	ReasonUndone     = "undone"      // the number was given out by a log that was put back since, or by none
)

// Error says what is gone.
func (e *GoneError) Error() string {
	switch e.Reason {
	case ReasonPruned:
		return fmt.Sprintf("%v: deletions after %d were forgotten up to %d", ErrGone, e.Seq, e.Floor)
	case ReasonUndone:
		return fmt.Sprintf("%v: %d is no number of this log, which may have been put back to an older one", ErrGone, e.Seq)
	}
	return fmt.Sprintf("%v: %d is beyond the newest change %d", ErrGone, e.Seq, e.Head)
}

// Is makes it an [ErrGone].
func (e *GoneError) Is(target error) bool { return target == ErrGone } //nolint:errorlint // Is is what errors.Is calls

// Page returns what changed in an organization after the number seq, at most
// limit entries (0 = all). From 0 it is all there is, with the deletions that are
// remembered: a number of 0 is also where a follower stands that found the
// organization empty.
//
// Returns [ErrNoOrganization], [ErrNotInstalled], [ErrNotReady], or a
// [GoneError], together with a page without entries. A follower that pages from
// 0 gets that too, once it has come to a number below the floor.
func (l *Log) Page(ctx context.Context, org string, seq int64, limit int) (Page, error) {
	if seq < 0 || limit < 0 {
		return Page{}, fmt.Errorf("page after %d, limit %d: neither can be negative", seq, limit)
	}
	var most *int
	if limit > 0 {
		most = &limit
	}
	rows, err := l.pool.Query(ctx, pageSQL, org, seq, most)
	if err != nil {
		return Page{}, fmt.Errorf("read the changes of %q: %w", org, notInstalled(err))
	}
	p := Page{Entries: []Entry{}}
	var found, seeded, undone bool
	var epoch, action, path *string
	var id *int64
	_, err = pgx.ForEachRow(rows, []any{&p.OrgGUID, &epoch, &seeded, &p.Head, &p.Floor, &undone, &id, &action, &path}, func() error {
		found = true
		if id != nil {
			p.Entries = append(p.Entries, Entry{ID: *id, Action: *action, Path: *path})
		}
		return nil
	})
	switch {
	case err != nil:
		return Page{}, fmt.Errorf("read the changes of %q: %w", org, notInstalled(err))
	case !found:
		return Page{}, fmt.Errorf("%w: %q", ErrNoOrganization, org)
	case epoch == nil, !seeded:
		return Page{}, ErrNotReady
	}
	p.Epoch = *epoch
	switch {
	case seq > p.Head:
		return p, &GoneError{Reason: ReasonBeyondHead, Seq: seq, Head: p.Head, Floor: p.Floor}
	case seq > 0 && seq < p.Floor:
		return p, &GoneError{Reason: ReasonPruned, Seq: seq, Head: p.Head, Floor: p.Floor}
	case undone:
		return p, &GoneError{Reason: ReasonUndone, Seq: seq, Head: p.Head, Floor: p.Floor}
	}
	return p, nil
}

var pageSQL = text("page")
