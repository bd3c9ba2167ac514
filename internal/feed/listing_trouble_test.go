package feed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
)

func TestListingWithoutItsList(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	for i := range 4 {
		r.write.Role(fmt.Sprintf("n%d", i), "1")
	}
	from := r.cursor
	r.take(feed.NextOptions{Limit: 2})
	base, target, ok := strings.Cut(r.cursor.Position, ">")
	if !ok {
		t.Fatalf("position %q; want one in the middle of a difference", r.cursor.Position)
	}
	good, err := r.Store.Snapshot(t.Context(), r.Owner, target)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"damaged": append([]byte("x"), good...), "half": good[:len(good)/2], "empty": {}, "cut": good[:len(good)-1],
	} {
		if err := r.Store.PutSnapshot(t.Context(), r.Owner, target, data); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		r.wantLost(r.cursor)
	}
	other, err := r.Store.Snapshot(t.Context(), r.Owner, base)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Store.PutSnapshot(t.Context(), r.Owner, target, other); err != nil { // a good list, of another name
		t.Fatal(err)
	}
	r.wantLost(r.cursor)
	if err := r.Store.KeepSnapshots(t.Context(), r.Owner, base); err != nil {
		t.Fatal(err)
	}
	r.wantLost(r.cursor)
	if err := r.Store.KeepSnapshots(t.Context(), r.Owner); err != nil {
		t.Fatal(err)
	}
	r.wantLost(r.cursor)
	r.wantLost(from)
	if _, _, err := r.Saw(t.Context(), from, nil); !errors.Is(err, feed.ErrCursorLost) {
		t.Errorf("Saw = %v; want ErrCursorLost", err)
	}
}

// TestListingSparesYoungLists follows for a while; what the cursor needs may be
// left, and what is so young that another worker may need it.
func TestListingSparesYoungLists(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	first := r.cursor
	for i := range 3 {
		r.write.Role(fmt.Sprintf("young%d", i), "1")
		r.take(feed.NextOptions{})
	}
	if _, err := r.Next(t.Context(), first, feed.NextOptions{}); err != nil {
		t.Errorf("a poll that is late finds its list gone: %v", err)
	}
	r.SetListAge(1)
	r.take(feed.NextOptions{})
	r.wantLost(first)
}

// TestListingDoesNotPileUpLists is the same, a while later.
func TestListingDoesNotPileUpLists(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.SetListAge(1)
	first := r.cursor
	for i := range 3 {
		r.write.Role(fmt.Sprintf("n%d", i), "1")
		r.take(feed.NextOptions{})
	}
	r.take(feed.NextOptions{})
	r.wantLost(first)
}

var rolePath = regexp.MustCompile(`/roles/[a-z0-9]+$`)

// TestListingDoesNotBelieveA404 has the server list objects that it says it does
// not have.
func TestListingDoesNotBelieveA404(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.write.Role("new", "1")
	rule := r.server.Faults().Add(chefserver.Fault{
		Method: http.MethodGet, Path: rolePath, Effect: chefserver.Status(http.StatusNotFound, `{"error":["Cannot load role"]}`),
	})
	r.want(r.take(feed.NextOptions{Deep: true}))
	if rule.Hits() != 2 {
		t.Errorf("%d reads of roles were answered 404; want 2", rule.Hits())
	}
	rule.Remove()
	r.want(r.take(feed.NextOptions{}), "create /roles/new")

	rule = r.server.Faults().Add(chefserver.Fault{
		Method: http.MethodGet, Path: regexp.MustCompile(`/data/b$`), Effect: chefserver.Status(http.StatusNotFound, `{"error":["Cannot load data bag b"]}`),
	})
	if p, err := r.Next(t.Context(), r.cursor, feed.NextOptions{}); err == nil {
		t.Errorf("a listed bag answered 404: Next = %+v; want an error", p)
	}
	rule.Remove()
	r.want(r.take(feed.NextOptions{}))
}

func TestListingOfWhatItMayNotRead(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	rule := r.server.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: rolePath, Effect: chefserver.Forbidden("read")})
	r.want(r.take(feed.NextOptions{Deep: true}), "update /roles/r") // for the pair to report
	r.want(r.take(feed.NextOptions{Deep: true}))
	rule.Remove()
	r.want(r.take(feed.NextOptions{Deep: true}), "update /roles/r")
}

func TestListingErrorWhileReadingMovesNothing(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.write.Role("r", "2")
	r.write.Role("new", "1")
	for name, effect := range map[string]chefserver.Effect{
		"web page": chefserver.HTMLPage(), "empty": chefserver.EmptyOK(), "half": chefserver.HalfBody(),
		"500": chefserver.Status(http.StatusInternalServerError, ""), "no answer": chefserver.CutBefore(),
	} {
		rule := r.server.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: rolePath, Effect: effect})
		if p, err := r.Next(t.Context(), r.cursor, feed.NextOptions{Deep: true}); err == nil {
			t.Errorf("%s: Next = %+v; want an error", name, p)
		}
		rule.Remove()
	}
	r.want(r.take(feed.NextOptions{Deep: true}), "create /roles/new", "update /roles/r")
}

// TestListingOfFewerKinds is a pair whose configuration no longer names a kind.
func TestListingOfFewerKinds(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	of := []object.Kind{object.KindRole}
	r.Scope = func(context.Context) (object.Scope, error) { return object.Scope{Kinds: of}, nil }
	r.want(r.take(feed.NextOptions{Deep: true}))
	r.write.Role("r", "2")
	r.want(r.take(feed.NextOptions{Deep: true}), "update /roles/r")
	of = append(of, object.KindDataBag)
	r.want(r.take(feed.NextOptions{}), "create /data/b")
}

// TestListingBagMadeBetweenTheLists has an item listed whose bag is not.
func TestListingBagMadeBetweenTheLists(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	r.Scope = func(context.Context) (object.Scope, error) {
		return object.Scope{Kinds: []object.Kind{object.KindDataBag, object.KindDataBagItem}}, nil
	}
	r.write.Item("z", "i", "1")
	// Both kinds list the bags; one of the two lists has not got the new one.
	for range 6 {
		rule := r.server.Faults().Add(chefserver.Fault{
			Method: http.MethodGet, Path: regexp.MustCompile(`/data$`), Count: 1, Effect: chefserver.KeepEntries(1),
		})
		p, err := r.Next(t.Context(), r.cursor, feed.NextOptions{})
		rule.Remove()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			if c.Ref == object.MustRef("/data/z/i") && p.Changes[0].Ref != object.MustRef("/data/z") {
				r.want(p, "create /data/z", "create /data/z/i")
			}
		}
	}
}

func TestListingObeysParallel(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	for i := range 8 {
		r.write.Role(fmt.Sprintf("n%d", i), "1")
	}
	r.Scope = func(context.Context) (object.Scope, error) {
		return object.Scope{Kinds: []object.Kind{object.KindRole}}, nil
	}
	r.Listing.Parallel = 1
	r.server.ResetStats()
	r.server.Faults().Add(chefserver.Fault{Path: rolePath, Effect: chefserver.Delay(time.Millisecond)})
	r.take(feed.NextOptions{Deep: true})
	if n := r.server.Stats().MaxInFlight; n != 1 {
		t.Errorf("%d requests at a time; want 1", n)
	}
}

func TestListingStorePutsNothingWhenItFails(t *testing.T) {
	t.Parallel()
	r := newListingRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := r.Head(ctx); err == nil || !c.IsZero() {
		t.Errorf("Head = %s, %v; want an error and no cursor", c, err)
	}
	if c, _, err := r.Saw(ctx, r.cursor, nil); chef.Classify(err) != chef.ClassRetry || !c.IsZero() {
		t.Errorf("Saw = %s, %v; want an error that passes and no cursor", c, err)
	}
}

// A page that was taken in half is asked for again from where it begins, however
// much has happened on the primary since, and the next one says what has.
func TestListingGivesAPageAgain(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 2} {
		r := newListingRig(t)
		r.write.Role("brief", "1")
		r.write.Role("edited", "1")
		r.write.Role("third", "1")
		first := r.take(feed.NextOptions{Limit: limit})
		if err := r.server.Client.DeleteRole(t.Context(), "brief"); err != nil {
			t.Fatal(err)
		}
		r.write.Role("edited", "2")
		again, err := r.Next(t.Context(), first.From, feed.NextOptions{Limit: limit})
		if err != nil || !reflect.DeepEqual(again, first) {
			t.Errorf("limit %d: page again: %+v, %v; want %+v", limit, again, err, first)
		}
		r.cursor = again.Next
		if limit > 0 {
			r.want(r.take(feed.NextOptions{}), "create /roles/third")
		}
		r.want(r.take(feed.NextOptions{}), "update /roles/edited", "delete /roles/brief")
	}
}
