package feed_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
)

// fakeFeed is a feed with nothing in it that can be made to fail.
type fakeFeed struct {
	name         string
	err          error
	heads, nexts int
}

func (f *fakeFeed) Name() string { return f.name }

func (f *fakeFeed) Head(context.Context) (object.Cursor, error) {
	f.heads++
	if f.err != nil {
		return object.Cursor{}, f.err
	}
	return object.Cursor{Feed: f.name, Position: "1"}, nil
}

func (f *fakeFeed) Next(_ context.Context, c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
	f.nexts++
	if f.err != nil {
		return feed.Page{}, f.err
	}
	return feed.Page{Next: c}, nil
}

// autoRig is an Auto over two fakes and a clock.
type autoRig struct {
	*testing.T
	*feed.Auto
	sequence, listing *fakeFeed
	now               time.Time
}

func newAutoRig(t *testing.T) *autoRig {
	r := &autoRig{
		T: t, sequence: &fakeFeed{name: feed.NameUpdatedSince}, listing: &fakeFeed{name: feed.NameListing},
		now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	r.Auto = &feed.Auto{Sequence: r.sequence, Listing: r.listing}
	r.SetClock(func() time.Time { return r.now })
	return r
}

func (r *autoRig) head(want string) object.Cursor {
	r.Helper()
	c, err := r.Head(r.Context())
	if err != nil || c.Feed != want {
		r.Fatalf("Head = %s, %v; want one of %s", c, err, want)
	}
	return c
}

func (r *autoRig) wantNext(c object.Cursor, want error) {
	r.Helper()
	if p, err := r.Next(r.Context(), c, feed.NextOptions{}); !errors.Is(err, want) || err == nil && p.Next != c {
		r.Errorf("Next(%s) = %+v, %v; want %v", c, p, err, want)
	}
}

var errHiccup = errors.New("hiccup")

func TestAutoMovesToTheSequenceWhenItAppears(t *testing.T) {
	r := newAutoRig(t)
	r.sequence.err = feed.ErrUnsupported
	c := r.head(feed.NameListing)
	for range 3 {
		r.wantNext(c, nil)
	}
	if r.sequence.heads != 1 {
		t.Errorf("asked %d times within an hour; want 1", r.sequence.heads)
	}
	r.now = r.now.Add(feed.Reprobe + 1)
	r.wantNext(c, nil) // asked, and not there yet
	r.sequence.err = nil
	r.wantNext(c, nil) // not asked
	if r.sequence.heads != 2 {
		t.Errorf("asked %d times; want 2", r.sequence.heads)
	}
	r.now = r.now.Add(feed.Reprobe + 1)
	r.wantNext(c, feed.ErrCursorLost)
	r.wantNext(c, feed.ErrCursorLost) // and again, if the answer got lost
	c = r.head(feed.NameUpdatedSince)
	r.wantNext(c, nil)
	if r.sequence.nexts != 1 || r.listing.heads != 1 {
		t.Errorf("sequence.Next was called %d times, listing.Head %d; want 1, 1", r.sequence.nexts, r.listing.heads)
	}
}

func TestAutoMovesBackWhenTheSequenceIsGone(t *testing.T) {
	r := newAutoRig(t)
	c := r.head(feed.NameUpdatedSince)
	r.sequence.err = feed.ErrUnsupported
	_, err := r.Next(t.Context(), c, feed.NextOptions{})
	if !errors.Is(err, feed.ErrCursorLost) || !strings.Contains(err.Error(), "no longer serves") {
		t.Errorf("Next = %v; want ErrCursorLost and why", err)
	}
	r.wantNext(r.head(feed.NameListing), nil)
}

func TestAutoStaysWithTheSequenceOverTrouble(t *testing.T) {
	r := newAutoRig(t)
	c := r.head(feed.NameUpdatedSince)
	for _, trouble := range []error{errHiccup, chef.ErrOrgNotFound, chef.ErrCredentials, feed.ErrCursorLost} {
		r.sequence.err = trouble
		r.wantNext(c, trouble)
		if _, err := r.Head(t.Context()); !errors.Is(err, trouble) {
			t.Errorf("Head = %v; want %v", err, trouble)
		}
	}
	if r.listing.heads+r.listing.nexts != 0 {
		t.Error("the listing was asked")
	}
}

func TestAutoListsOverTroubleWithTheSequence(t *testing.T) {
	r := newAutoRig(t)
	r.sequence.err = errHiccup
	c := object.Cursor{Feed: feed.NameListing, Position: "1"} // of an earlier process
	r.wantNext(c, nil)
	r.wantNext(c, nil)
	if r.sequence.heads != 1 {
		t.Errorf("asked %d times; want 1", r.sequence.heads)
	}
	r.listing.err = errHiccup
	r.wantNext(c, errHiccup)
}

// TestAutoAfterTheClockWasPutBack: an hour must not become a day.
func TestAutoAfterTheClockWasPutBack(t *testing.T) {
	r := newAutoRig(t)
	r.sequence.err = feed.ErrUnsupported
	c := r.head(feed.NameListing)
	r.now = r.now.Add(-24 * time.Hour)
	r.wantNext(c, nil)
	if r.sequence.heads != 2 {
		t.Errorf("asked %d times; want 2", r.sequence.heads)
	}
}

func TestAutoName(t *testing.T) {
	if got := newAutoRig(t).Auto.Name(); got != feed.NameAuto {
		t.Errorf("Name = %q; want %q", got, feed.NameAuto)
	}
}

func TestAutoSawWithoutAWitness(t *testing.T) {
	r := newAutoRig(t)
	for _, name := range []string{feed.NameListing, feed.NameUpdatedSince} {
		c := object.Cursor{Feed: name, Position: "1"}
		if got, _, err := r.Saw(t.Context(), c, []object.Ref{object.MustRef("/roles/r")}); got != c || err != nil {
			t.Errorf("Saw(%s) = %s, %v; want it back", c, got, err)
		}
	}
}
