package activities

import (
	"testing"

	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
)

// TestPollSaysWhereItsListIs: a list in staging can be read by its host alone.
func TestPollSaysWhereItsListIs(t *testing.T) {
	b := newBench(t)
	next := object.Cursor{Feed: feed.NameUpdatedSince, Position: "8"}
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) { return feed.Page{Next: next}, nil }
	in := PollInput{Cursor: at("7"), Identities: b.ids()}
	if got := b.page(in); got.Queue != "" || got.Cursor != next {
		t.Errorf("a page of updated_since is to be asked for at %q: %+v", got.Queue, got)
	}
	next.Feed = feed.NameListing
	if got := b.page(in); got.Queue != "host" {
		t.Errorf("a listing feed is to be asked at %q", got.Queue)
	}
	in.Once, next = true, in.Cursor
	if got := b.page(in); got.Queue != "" || !got.UpToDate {
		t.Errorf("up to date at %q: %+v", got.Queue, got)
	}
	if got := b.page(PollInput{}); got.Queue != "host" || got.From == nil {
		t.Errorf("a full comparison is to go on at %q", got.Queue)
	}
	b.acts.HostQueue = "" // a store that all share
	if got := b.page(PollInput{}); got.Queue != "" {
		t.Errorf("with shared staging a full comparison is to go on at %q", got.Queue)
	}
}
