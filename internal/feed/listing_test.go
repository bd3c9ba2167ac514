package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// listingRig is a listing with a clock that stands still.
type listingRig struct {
	*testing.T
	*feed.Listing
	server *harness.ChefServer
	write  *harness.Content
	now    time.Time
	cursor object.Cursor
}

// newListingRig returns a listing that has read the contents of a few objects.
func newListingRig(t *testing.T) *listingRig {
	t.Helper()
	s := feedtest.Server(t, chefserver.Options{})
	r := &listingRig{
		T: t, Listing: newListing(t, s), server: s, write: harness.Write(t, s.Client),
		now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	r.Now = func() time.Time { return r.now }
	r.write.Role("r", "1")
	r.write.Environment("e", "1")
	r.write.Item("b", "i", "1")
	r.write.Cookbook("c", "1.0.0", true, map[string]string{"a": "1"})
	r.write.Cookbook("c", "2.0.0", false, nil)
	var err error
	if r.cursor, err = r.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.take(feed.NextOptions{Deep: true})
	r.take(feed.NextOptions{})
	return r
}

// take asks for a page and goes on behind it.
func (r *listingRig) take(o feed.NextOptions) feed.Page {
	r.Helper()
	p, err := r.Next(r.Context(), r.cursor, o)
	if err != nil {
		r.Fatal(err)
	}
	r.cursor = p.Next
	return p
}

func (r *listingRig) want(p feed.Page, want ...string) {
	r.Helper()
	var got []string
	for _, c := range p.Changes {
		got = append(got, fmt.Sprintf("%s %s", c.Action, c.Ref))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("changes (-want +got):\n%s", diff)
	}
}

func (r *listingRig) wantLost(c object.Cursor) {
	r.Helper()
	if p, err := r.Next(r.Context(), c, feed.NextOptions{}); !errors.Is(err, feed.ErrCursorLost) {
		r.Errorf("Next(%s) = %+v, %v; want ErrCursorLost", c, p, err)
	}
}

// reads counts the objects that were read since the last call, by kind.
func (r *listingRig) reads() map[string]int {
	out := map[string]int{}
	for route, n := range r.server.Stats().Requests {
		for suffix, kind := range map[string]string{
			"/roles/NAME": "role", "/environments/NAME": "environment", "/data/BAG/ITEM": "item", "/cookbooks/NAME/VERSION": "cookbook",
		} {
			if strings.HasPrefix(route, "GET ") && strings.HasSuffix(route, suffix) {
				out[kind] += n
			}
		}
	}
	r.server.ResetStats()
	return out
}

func (r *listingRig) wantReads(want map[string]int) {
	r.Helper()
	if diff := cmp.Diff(want, r.reads()); diff != "" {
		r.Errorf("objects read (-want +got):\n%s", diff)
	}
}

func TestListingReadsContentsOnlyWhenDue(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.reads()
	all := map[string]int{"role": 1, "environment": 1, "item": 1, "cookbook": 1} // not the frozen cookbook

	r.now = r.now.Add(feed.DefaultDeepInterval - 1)
	r.write.Role("r", "2")
	r.want(r.take(feed.NextOptions{}))
	r.wantReads(map[string]int{})

	r.now = r.now.Add(1)
	r.want(r.take(feed.NextOptions{}), "update /roles/r")
	r.wantReads(all)

	r.want(r.take(feed.NextOptions{})) // what was told is read once more, and then no more
	r.wantReads(map[string]int{"role": 1})
	r.want(r.take(feed.NextOptions{}))
	r.wantReads(map[string]int{})

	r.write.Role("r", "3")
	r.want(r.take(feed.NextOptions{Deep: true}), "update /roles/r")
	r.wantReads(all)

	r.take(feed.NextOptions{})
	r.reads()
	r.now = r.now.Add(-24 * time.Hour) // the clock was put back
	r.want(r.take(feed.NextOptions{}))
	r.wantReads(all)

	other := &feed.Listing{Primary: r.Primary, Store: r.Store, Owner: r.Owner, Now: r.Now}
	if _, err := other.Next(t.Context(), r.cursor, feed.NextOptions{}); err != nil {
		t.Fatal(err)
	}
	r.wantReads(all) // another process knows nothing
}

func TestListingSeesNewAndDeletedNamesAtOnce(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.reads()
	r.write.Role("a", "1")
	r.write.Item("b", "j", "1")
	if err := r.Primary.DeleteEnvironment(t.Context(), "e"); err != nil {
		t.Fatal(err)
	}
	r.want(r.take(feed.NextOptions{}), "create /data/b/j", "create /roles/a", "delete /environments/e")
	r.wantReads(map[string]int{"role": 1, "item": 1})
}

func TestListingReadsAFrozenVersionAgainOnceItIsNot(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.write.Cookbook("c", "2.0.0", true, nil)
	r.want(r.take(feed.NextOptions{Deep: true}), "update /cookbooks/c/2.0.0")
	r.take(feed.NextOptions{})
	r.reads()
	r.want(r.take(feed.NextOptions{Deep: true}))
	r.wantReads(map[string]int{"role": 1, "environment": 1, "item": 1})
}

// TestListingRepeatsWhatDidNotArrive is about updates that were seen by reading
// contents, told in an answer that got lost, and asked for again too soon for
// contents to be due.
func TestListingRepeatsWhatDidNotArrive(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.write.Role("r", "2")
	from := r.cursor
	for range 3 {
		r.cursor = from
		r.want(r.take(feed.NextOptions{Deep: from == r.cursor}), "update /roles/r")
		r.cursor = from
		r.want(r.take(feed.NextOptions{}), "update /roles/r")
	}
	r.write.Role("r", "3") // seen by the second look at what was told
	told := r.cursor
	r.want(r.take(feed.NextOptions{}), "update /roles/r")
	r.cursor = told
	r.want(r.take(feed.NextOptions{}), "update /roles/r")
	r.want(r.take(feed.NextOptions{}))
}

// TestListingTellsOfWhatChangedBack is a follower that reads an object later
// than the feed did, when it was something else for a moment.
func TestListingTellsOfWhatChangedBack(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.write.Role("r", "2")
	r.want(r.take(feed.NextOptions{Deep: true}), "update /roles/r")
	r.write.Role("r", "3") // read by the follower
	r.want(r.take(feed.NextOptions{}), "update /roles/r")
	r.write.Role("r", "2")
	r.want(r.take(feed.NextOptions{}), "update /roles/r")
	r.want(r.take(feed.NextOptions{Deep: true}))
}

func TestListingPagesOverOneDifference(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	for i := range 5 {
		r.write.Role(fmt.Sprintf("n%d", i), "1")
	}
	if err := r.Primary.DeleteDataBag(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	p := r.take(feed.NextOptions{Limit: 3})
	r.want(p, "create /roles/n0", "create /roles/n1", "create /roles/n2")
	if !p.More || p.Behind != 4 {
		t.Errorf("More, Behind = %v, %d; want true, 4", p.More, p.Behind)
	}
	second := r.cursor
	r.server.ResetStats()
	r.write.Role("late", "1") // of the next difference
	for range 2 {
		r.cursor = second
		r.want(r.take(feed.NextOptions{Limit: 3}), "create /roles/n3", "create /roles/n4", "delete /data/b/i")
	}
	p = r.take(feed.NextOptions{Limit: 3, Deep: true})
	r.want(p, "delete /data/b")
	if p.More || p.Behind != 0 {
		t.Errorf("last page: More, Behind = %v, %d; want false, 0", p.More, p.Behind)
	}
	if n := r.server.Stats().Requests["GET /organizations/ORG/roles"]; n != 0 {
		t.Errorf("pages of one difference listed the roles %d times", n)
	}
	r.write.Role("r", "2")
	r.want(r.take(feed.NextOptions{}), "create /roles/late", "update /roles/r") // the wish for contents was kept
}

// The list that was decoded last is remembered, and never taken for the one that
// is stored: a list that is gone or damaged is a lost cursor at once. A scope that
// leaves objects out does not forget them.
func TestListingRemembersTheListItDecoded(t *testing.T) {
	r := newListingRig(t)
	r.take(feed.NextOptions{})
	scope := object.Scope{Exclude: []string{"/roles"}}
	all := r.Scope
	r.Scope = func(context.Context) (object.Scope, error) { return scope, nil }
	if p := r.take(feed.NextOptions{}); len(p.Changes) != 0 {
		t.Errorf("another scope changed %v", p.Changes)
	}
	r.Scope = all
	if p := r.take(feed.NextOptions{}); len(p.Changes) != 0 {
		t.Errorf("the old scope changed %v", p.Changes)
	}
	for name, spoil := range map[string]func() error{
		"damaged": func() error {
			return r.Store.PutSnapshot(t.Context(), r.Owner, r.cursor.Position, []byte("x"))
		},
		"gone": func() error { return r.Store.KeepSnapshots(t.Context(), r.Owner) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(t.Context(), r.cursor, feed.NextOptions{}); !errors.Is(err, feed.ErrCursorLost) {
			t.Errorf("a list that is %s: %v, want a lost cursor", name, err)
		}
	}
}

// TestBaseline: a follower that compares nothing is told of what changes from then on,
// and of nothing else, also by a process that has not seen the baseline.
func TestBaseline(t *testing.T) {
	r := newListingRig(t)
	var err error
	if r.cursor, err = (&feed.Auto{Sequence: &feed.UpdatedSince{Primary: r.server.Client}, Listing: r.Listing}).Baseline(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Listing = &feed.Listing{Primary: r.server.Client, Store: r.Store, Owner: r.Owner, Now: r.Now}
	if p := r.take(feed.NextOptions{Deep: true}); len(p.Changes) != 0 {
		t.Errorf("nothing has changed, and the feed tells of %v", p.Changes)
	}
	r.write.Role("r", "2")
	if p := r.take(feed.NextOptions{Deep: true}); len(p.Changes) != 1 || p.Changes[0].Ref != object.MustRef("/roles/r") {
		t.Errorf("one role has changed, and the feed tells of %v", p.Changes)
	}
}
