// Package feed says what changed on a primary since a place ([object.Cursor]).
// A feed names objects and never carries their content.
//
// There are two: [UpdatedSince] asks the primary's updated_since endpoint, the
// one the retired Chef Replication add-on served, and [Listing] works with any
// Chef server by comparing complete lists with the ones it saw before. [Auto]
// chooses. Both pass the suite in feedtest; a new feed is one file here and one
// line in that suite's callers.
package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
)

// Feed is an ordered stream of changes of one organization.
//
// Position. A cursor stands between two changes. Head returns a cursor before
// which everything has been said: whoever lists the organization after Head
// returned, tells the feed what was listed if it is a [Witness], and then follows
// from the cursor, has missed nothing. Next returns the changes after a cursor
// and the cursor behind the last one returned.
//
// Delivery. Every change is delivered at least once, in an order in which the
// last change of an object comes last. A feed may leave out changes of an
// object that a later one supersedes. Create and update are hints.
//
// A feed keeps no state that matters: two calls of Next with one cursor give the
// same changes, or later ones of the same objects; a [Witness] perhaps fewer, see
// [Page.From]. Methods are safe for
// concurrent use, except that two callers following one pair disturb each
// other's snapshots and then get [ErrCursorLost], never a wrong answer.
//
// Errors are those of package chef, see [chef.Classify], and the ones below. A
// feed never takes an error, an empty body or a partial list for "nothing".
type Feed interface {
	// Name is the feed's name in cursors, configuration and status.
	Name() string

	// Head returns the present end of the feed.
	Head(ctx context.Context) (object.Cursor, error)

	// Next returns at most limit changes after cursor (0: no limit). Returns
	// [ErrCursorLost] if the feed cannot continue from there: everything has to
	// be compared, beginning with a new Head.
	Next(ctx context.Context, cursor object.Cursor, o NextOptions) (Page, error)
}

// Witness is a feed that learns of changes by comparing what it sees. Of an
// object that was created after it looked for Head, listed by the follower, and
// deleted before it looked again, it knows nothing unless it is told.
type Witness interface {
	// Saw returns the cursor to follow from for a follower that listed refs after
	// Head returned c, and those of refs that are gone by now, of whose delete it
	// will say nothing: they are not to be copied. It may be repeated. Returns
	// [ErrCursorLost] like Next.
	Saw(ctx context.Context, c object.Cursor, refs []object.Ref) (next object.Cursor, gone []object.Ref, err error)
}

// Baseliner is a feed whose Head knows no contents, so that it takes each object for
// changed when it first reads it: whoever compares everything after Head may well be
// told of it once more, and whoever compares nothing must not be.
type Baseliner interface {
	// Baseline is Head for a follower that compares nothing: it reads all contents,
	// and what differs from them later has changed.
	Baseline(ctx context.Context) (object.Cursor, error)
}

// NextOptions modifies [Feed.Next].
type NextOptions struct {
	// Limit is the most changes in a page; 0 = no limit.
	Limit int

	// Deep asks a feed that reads contents only now and then to do it now.
	Deep bool

	// Wait is how long a feed that can wait for changes may do so while there are
	// none; others answer at once. 0 = not at all.
	Wait time.Duration
}

// Page is what Next returns.
type Page struct {
	// Changes are in order; more than one may be about the same object.
	Changes []object.Change

	// From is the cursor from which Next gives exactly these changes, as long as
	// nobody has asked for those after them; zero: the one asked with. Whoever
	// may take a page in half and ask again asks from there, or what it has
	// created and the primary has deleted since is in no page.
	From object.Cursor

	// Next is the cursor behind the last of Changes; equal to the cursor asked
	// with if there is nothing new.
	Next object.Cursor

	// More says that there are further changes now.
	More bool

	// Behind is how many changes are known to follow Next; -1 = not known.
	Behind int64

	// Ignored counts entries about objects that are not replicated.
	Ignored int
}

// ScopeFunc says which objects a pair replicates now: kinds that its servers can
// hold, and its filters. It is asked at each call of a feed, which names no
// other objects. A nil ScopeFunc is the zero [object.Scope].
type ScopeFunc func(context.Context) (object.Scope, error)

func (f ScopeFunc) scope(ctx context.Context) (object.Scope, error) {
	if f == nil {
		return object.Scope{}, nil
	}
	return f(ctx)
}

// The names of feeds.
const (
	NameUpdatedSince = "updated_since"
	NameListing      = "listing"
	NameAuto         = "auto"
)

var (
	// ErrCursorLost says that a feed cannot continue from a cursor; the error
	// text says why. A full comparison loses nothing.
	ErrCursorLost = errors.New("the feed cannot continue from the cursor")

	// ErrUnsupported says that the primary does not serve the feed.
	ErrUnsupported = errors.New("the primary does not serve this feed")
)

// lost is an [ErrCursorLost] with its reason.
func lost(c object.Cursor, format string, args ...any) error {
	return fmt.Errorf("%w (%s): %s", ErrCursorLost, c, fmt.Sprintf(format, args...))
}
