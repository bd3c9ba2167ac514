package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// A bag that goes takes its items along: the guard weighs them too.
func TestDeletedBagCountsWithItsItems(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		harness.Write(t, b.replica.Client).Item("b", fmt.Sprint("i", i), "1")
	}
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{Next: at("9"), Changes: []object.Change{
			change(object.ActionDelete, "/data/b/i0"), change(object.ActionDelete, "/data/b/i1"),
			change(object.ActionDelete, "/data/b/i2"), change(object.ActionDelete, "/data/b"),
		}}, nil
	}
	got := b.page(PollInput{Cursor: at("7")})
	if got.Deletes[object.KindDataBagItem] != 3 || got.Deletes[object.KindDataBag] != 1 {
		t.Errorf("deletes %v; want 3 items and their bag", got.Deletes)
	}
}

// Items that the page does not name are lost all the same.
func TestDeletedBagCountsWithItemsOfTheNextPage(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		harness.Write(t, b.replica.Client).Item("b", fmt.Sprint("i", i), "1")
	}
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{Next: at("9"), Changes: []object.Change{
			change(object.ActionDelete, "/data/b"), change(object.ActionDelete, "/data/b/i0"), change(object.ActionDelete, "/data/gone"),
		}}, nil
	}
	if got := b.page(PollInput{Cursor: at("7")}); got.Deletes[object.KindDataBagItem] != 3 {
		t.Errorf("deletes %v; want 3 items", got.Deletes)
	}
}

// So it is with the revisions of a policy and the pointers of a policy group.
func TestDeletedPoliciesCountWithWhatGoesWithThem(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		body := fmt.Sprintf(`{"revision_id":"%d","name":"p%d","run_list":[],"cookbook_locks":{}}`, i, i%2)
		if err := b.replica.Client.PutPointer(t.Context(), "g", fmt.Sprint("p", i%2), json.RawMessage(body)); err != nil {
			t.Fatal(err)
		}
	}
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{Next: at("9"), Changes: []object.Change{
			change(object.ActionDelete, "/policies/p0"), change(object.ActionDelete, "/policies/p0/revisions/0"), change(object.ActionDelete, "/policies/gone"),
			change(object.ActionDelete, "/policy_groups/g"), change(object.ActionDelete, "/policy_groups/g/policies/p1"), change(object.ActionDelete, "/policy_groups/gone"),
		}}, nil
	}
	want := map[object.Kind]int{object.KindPolicy: 2, object.KindPolicyRevision: 2, object.KindPolicyGroup: 2, object.KindPolicyPointer: 2}
	if diff := cmp.Diff(want, b.page(PollInput{Cursor: at("7")}).Deletes); diff != "" {
		t.Errorf("deletes (-want +got):\n%s", diff)
	}
}

// witness is a feed that asks what the comparison saw.
type witness struct {
	feed.Feed
	saw, gone []object.Ref
}

func (w *witness) Saw(_ context.Context, c object.Cursor, refs []object.Ref) (object.Cursor, []object.Ref, error) {
	w.saw = refs
	return object.Cursor{Feed: c.Feed, Position: c.Position + "+seen"}, w.gone, nil
}

func TestSurveyTellsTheFeedWhatItSaw(t *testing.T) {
	b := newBench(t)
	b.write.Role("r", "1")
	w := &witness{Feed: b.conn.Feed}
	b.conn.Feed = w
	b.write.Role("blinked", "1")
	w.gone = []object.Ref{object.MustRef("/roles/blinked")}
	got := b.page(PollInput{})
	if len(got.Changes) != 1 || got.Changes[0].Ref != object.MustRef("/roles/r") {
		t.Errorf("the pair is to copy %v, and one of them is gone", got.Changes)
	}
	if len(w.saw) != 2 || got.Cursor.Position != "head+seen" {
		t.Errorf("the feed was told of %v, and the pair follows from %v", w.saw, got.Cursor)
	}
}

// An object that was gone again before the feed could know of it, and that the replica
// holds from before, is one that only the replica has. The feed will not say so.
func TestSurveyKnowsWhatIsGoneAgainForAnExtra(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		b := newBench(t)
		b.conn.DeleteExtras = deletes
		b.write.Role("blinked", "1")
		b.write.Role("new", "1")
		harness.Write(t, b.replica.Client).Role("blinked", "0")
		b.conn.Feed = &witness{Feed: b.conn.Feed, gone: []object.Ref{object.MustRef("/roles/blinked"), object.MustRef("/roles/new")}}
		got := b.page(PollInput{})
		want := []object.Change{change(object.ActionDelete, "/roles/blinked")}
		if !deletes {
			want = nil
		}
		if diff := cmp.Diff(want, got.Changes, cmpopts.EquateEmpty()); diff != "" || !deletes && got.Extras != 1 || deletes && got.Deletes[object.KindRole] != 1 {
			t.Errorf("deletes extras %t: %d extras, %v to be deleted, changes (-want +got):\n%s", deletes, got.Extras, got.Deletes, diff)
		}
	}
}

// What is tried again is about certain servers. Others are left alone.
func TestNoRetryOnAnotherServer(t *testing.T) {
	b := newBench(t)
	b.write.Role("r", "1")
	harness.Write(t, b.replica.Client).Role("old", "1")
	ids := b.ids()
	got, err := run[FetchResult](b, b.acts.Fetch, FetchInput{Pair: pair, Identities: ids, Changes: roles(object.ActionCreate, "r")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := ids
	other.Replica.OrgGUID = "another"
	for _, in := range []ApplyInput{
		{Identities: other, Batch: got.Batch}, {Identities: other, Deletes: []object.Ref{object.MustRef("/roles/old")}},
	} {
		_, err := b.apply(in, nil)
		wantError(t, err, TypePair, false)
		if key := TroubleOf(err).Key; key != "pair/other-server" {
			t.Errorf("trouble %s", key)
		}
	}
	if n := b.replica.Stats().Writes["acme/roles/r"]; n != 0 {
		t.Errorf("%d writes to another server", n)
	}
	if done, err := b.apply(ApplyInput{Identities: ids, Batch: got.Batch}, nil); err != nil || done.Created != 1 {
		t.Errorf("on the same server: %+v, %v", done, err)
	}
}
