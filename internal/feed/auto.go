package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
)

// reprobe is how long Auto believes that a primary has no updated_since: a feed
// server may be installed at any time.
const reprobe = time.Hour

// Auto uses updated_since where the primary serves it and lists otherwise. It
// moves a pair from listing to updated_since when that appears, and back when
// it is gone, by calling the cursor lost; nothing is missed either way.
type Auto struct {
	Sequence Feed // usually an [UpdatedSince]
	Listing  Feed

	now func() time.Time // nil = time.Now

	mu     sync.Mutex
	denied time.Time // when the primary last said that it has no sequence
}

// Name returns [NameAuto]. The feed in use stands in each cursor.
func (f *Auto) Name() string { return NameAuto }

// Head returns the head of the feed that the primary serves. That choice holds
// until the cursor is lost.
func (f *Auto) Head(ctx context.Context) (object.Cursor, error) {
	return f.head(ctx, f.Listing.Head)
}

// Baseline is Head with contents, if the feed that the primary serves does not know
// them. See [Baseliner].
func (f *Auto) Baseline(ctx context.Context) (object.Cursor, error) {
	if b, ok := f.Listing.(Baseliner); ok {
		return f.head(ctx, b.Baseline)
	}
	return f.Head(ctx)
}

func (f *Auto) head(ctx context.Context, list func(context.Context) (object.Cursor, error)) (object.Cursor, error) {
	c, err := f.Sequence.Head(ctx)
	if errors.Is(err, ErrUnsupported) {
		f.deny()
		return list(ctx)
	}
	return c, err
}

// Next continues on the cursor's own feed. See [Feed.Next].
func (f *Auto) Next(ctx context.Context, cursor object.Cursor, o NextOptions) (Page, error) {
	if cursor.Feed == f.Listing.Name() {
		if f.due() {
			_, err := f.Sequence.Head(ctx)
			if err == nil {
				return Page{}, lost(cursor, "the primary now serves %s", f.Sequence.Name())
			}
			f.deny() // also on a passing error: listing does not depend on it
		}
		return f.Listing.Next(ctx, cursor, o)
	}
	p, err := f.Sequence.Next(ctx, cursor, o)
	if errors.Is(err, ErrUnsupported) {
		f.deny()
		return Page{}, lost(cursor, "the primary no longer serves %s", f.Sequence.Name())
	}
	return p, err
}

// Saw tells the feed of the cursor what a follower listed. See [Witness].
func (f *Auto) Saw(ctx context.Context, c object.Cursor, refs []object.Ref) (next object.Cursor, gone []object.Ref, err error) {
	of := f.Sequence
	if c.Feed == f.Listing.Name() {
		of = f.Listing
	}
	if w, ok := of.(Witness); ok {
		return w.Saw(ctx, c, refs)
	}
	return c, nil, nil
}

func (f *Auto) deny() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.denied = f.clock()
}

func (f *Auto) due() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since := f.clock().Sub(f.denied)
	return since > reprobe || since < 0 // the clock was put back
}

func (f *Auto) clock() time.Time {
	if f.now != nil {
		return f.now()
	}
	return time.Now()
}
