package activities

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// holding is a bench whose primary holds requests for its feed, and the feed's head.
func holding(t *testing.T) (*bench, object.Cursor) {
	t.Helper()
	b := newBench(t)
	b.primary = harness.FastChef(t, chefserver.Options{Feed: true})
	b.write = harness.Write(t, b.primary.Client)
	b.write.Role("first", "1")
	b.conn.Engine.Primary = b.primary.Client
	b.conn.Feed = &feed.UpdatedSince{Primary: b.primary.Client}
	b.acts.Settings = Settings{PollInterval: time.Hour, PollHold: time.Minute}
	head, err := b.conn.Feed.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b, head
}

// begin starts a Poll and waits until the primary holds its request.
func (b *bench) begin(cursor object.Cursor, stop chan struct{}) <-chan error {
	b.t.Helper()
	b.primary.ResetStats()
	env := b.env(nil)
	env.SetWorkerStopChannel(stop)
	ended := make(chan error, 1)
	go func() {
		_, err := env.ExecuteActivity(b.acts.Poll, PollInput{Pair: pair, Cursor: cursor, Identities: object.Identities{}})
		ended <- err
	}()
	harness.Until(b.t, "the primary holds the request", func() bool {
		return b.primary.Stats().Total > 0
	}, func() string { return "" })
	return ended
}

// promptly waits for the end of a Poll that would otherwise last a minute.
func promptly(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(15 * time.Second):
		t.Fatal("the poll goes on waiting")
		return nil
	}
}

// A change ends the wait, although the next poll is an hour away.
func TestHeldPollHearsOfAChange(t *testing.T) {
	b, head := holding(t)
	ended := b.begin(head, nil)
	b.write.Role("second", "1")
	if err := promptly(t, ended); err != nil {
		t.Error(err)
	}
}

func TestHeldPollEndsWhenTheWorkerStops(t *testing.T) {
	b, head := holding(t)
	stop := make(chan struct{})
	ended := b.begin(head, stop)
	close(stop)
	app := wantAgain(t, promptly(t, ended), TypeUpToDate, time.Hour)
	if !strings.Contains(app.Message(), "stopping") {
		t.Errorf("text %q", app.Message())
	}
	if got := b.beat(); got.Fails != 0 {
		t.Errorf("beat %+v: the end of a worker counts as a failure", got)
	}
}

func TestHeldPollEndsWhenAnotherBegins(t *testing.T) {
	b, head := holding(t)
	stop := make(chan struct{})
	first := b.begin(head, nil)
	second := b.begin(head, stop)
	wantAgain(t, promptly(t, first), TypeUpToDate, time.Hour)
	close(stop)
	wantAgain(t, promptly(t, second), TypeUpToDate, time.Hour)
}

// A cancelled activity has its context cancelled by the next heartbeat.
func TestFeedStopsWaitingWhenCancelled(t *testing.T) {
	b, head := holding(t)
	b.primary.ResetStats()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := b.conn.Feed.Next(ctx, head, feed.NextOptions{Wait: time.Minute})
		ended <- err
	}()
	harness.Until(t, "the primary holds the request", func() bool { return b.primary.Stats().Total > 0 }, func() string { return "" })
	cancel()
	if err := promptly(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A feed that answers at once is asked at the poll interval, as ever.
func TestHoldOfAFeedThatDoesNotWait(t *testing.T) {
	b := newBench(t)
	const hold = 19 * time.Second
	b.acts.Settings = Settings{PollInterval: 20 * time.Millisecond, PollHold: hold}
	start, asked := time.Now(), 0
	b.feed.next = func(c object.Cursor, o feed.NextOptions) (feed.Page, error) {
		// The machine may have stood still on the way here.
		if least := max(hold-time.Since(start), 0).Truncate(time.Second); o.Wait >= hold || o.Wait < least || o.Wait%time.Second != 0 {
			t.Errorf("the feed was asked to wait %v, want the rest of the hold in whole seconds, at least %v", o.Wait, least)
		}
		if asked++; asked < 4 {
			return feed.Page{Next: c}, nil
		}
		return feed.Page{Next: at("8"), Changes: []object.Change{change(object.ActionUpdate, "/roles/r")}}, nil
	}
	if _, err := b.poll(PollInput{Cursor: at("7")}, &Beat{Polls: 1}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("four polls took %v: nobody paused between them", took)
	}
}

// Who has something to say anyway does not wait.
func TestNobodyWaits(t *testing.T) {
	for name, in := range map[string]PollInput{
		"once": {Cursor: at("7"), Once: true}, "after a trouble": {Cursor: at("7"), Trouble: "down"},
	} {
		b := newBench(t)
		b.acts.Settings.PollHold = time.Minute
		b.feed.next = func(c object.Cursor, o feed.NextOptions) (feed.Page, error) {
			if o.Wait != 0 {
				t.Errorf("%s: the feed was asked to wait %v", name, o.Wait)
			}
			return feed.Page{Next: c}, nil
		}
		b.page(in)
	}
}

// The heart of the long poll: the rest of the hold, 20 s at most.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ left, want time.Duration }{
			{-time.Second, 0},
			{900 * time.Millisecond, 0},
			{5500 * time.Millisecond, 5 * time.Second},
			{time.Minute, 20 * time.Second},
		} {
			p := &poll{end: time.Now().Add(tt.left)}
			if got := p.wait(); got != tt.want {
				t.Errorf("%v before the end of the hold: wait %v, want %v", tt.left, got, tt.want)
			}
		}
	})
}

// The first attempt after somebody told the pair to look answers at once, so that
// sync-once sees that nothing is new; the one after it waits, and so does a pair that
// has just copied something.
func TestWhoIsToldToLookDoesNotWait(t *testing.T) {
	for name, set := range map[string]Settings{
		"hold": {PollInterval: time.Hour, PollHold: time.Minute}, "wait": {PollInterval: time.Hour, PollWait: 20 * time.Second},
	} {
		b, head := holding(t)
		b.acts.Settings = set
		began := time.Now()
		_, err := b.poll(PollInput{Cursor: head, Deep: true}, nil)
		app := wantAgain(t, err, TypeUpToDate, heldDelay)
		if took := time.Since(began); took > 15*time.Second || b.beat().Polls != 1 {
			t.Errorf("%s: the first attempt took %v and %d polls, text %q", name, took, b.beat().Polls, app.Message())
		}
	}
}
