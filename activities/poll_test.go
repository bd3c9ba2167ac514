package activities

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
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/tests/harness"
)

func change(a object.Action, path string) object.Change {
	return object.Change{Action: a, Ref: object.MustRef(path)}
}

func TestIdlePollCostsNoHistory(t *testing.T) {
	b := newBench(t)
	_, err := b.poll(PollInput{Cursor: at("7"), Identities: b.ids()}, nil)
	app := wantAgain(t, err, TypeUpToDate, DefaultPollInterval)
	if !strings.HasPrefix(app.Message(), "up to date at fake 7; next poll in ") {
		t.Errorf("text %q", app.Message())
	}
	first := b.beat()
	if first.Polls != 1 || first.LastPoll.IsZero() || first.Fails != 0 {
		t.Errorf("beat %+v", first)
	}
	b.acts.Settings.PollInterval = time.Hour
	_, err = b.poll(PollInput{Cursor: at("7"), Identities: b.ids()}, &Beat{Polls: 41, Fails: 2, Problem: "x"})
	wantAgain(t, err, TypeUpToDate, time.Hour)
	if got := b.beat(); got.Polls != 42 || got.Fails != 0 || got.Problem != "" {
		t.Errorf("beat %+v, want 42 polls and the problem gone", got)
	}
}

// A cancelled poll learns of it late; it must not go on beside the next one.
func TestPollHoldEndsWhenAnotherPollBegins(t *testing.T) {
	b := newBench(t)
	b.acts.Settings = Settings{PollInterval: time.Millisecond, PollHold: time.Minute}
	n := 0
	b.feed.next = func(c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
		if n++; n == 3 {
			was, _ := b.acts.polls.Load(pair)
			was.(*poll).release(errSucceeded)
		}
		return feed.Page{Next: c}, nil
	}
	_, err := b.poll(PollInput{Pair: pair, Cursor: at("7")}, &Beat{Polls: 1})
	wantAgain(t, err, TypeUpToDate, time.Millisecond)
	if n != 3 {
		t.Errorf("%d polls; want none after another one began", n)
	}
}

func TestPollHoldPollsOnInOneAttempt(t *testing.T) {
	b := newBench(t)
	b.acts.Settings = Settings{PollInterval: time.Millisecond, PollHold: time.Minute}
	n := 0
	b.feed.next = func(c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
		if n++; n < 5 {
			return feed.Page{Next: c}, nil
		}
		return feed.Page{Next: at("8"), Changes: []object.Change{change(object.ActionUpdate, "/roles/r")}}, nil
	}
	if got, err := b.poll(PollInput{Cursor: at("7")}, &Beat{Polls: 1}); err != nil || got.Cursor != at("8") || n != 5 {
		t.Errorf("%+v after %d polls", got, n)
	}
	n = -1000000
	b.acts.Settings.PollHold = time.Second
	_, err := b.poll(PollInput{Cursor: at("7")}, &Beat{Polls: 1})
	wantAgain(t, err, TypeUpToDate, time.Millisecond)
	if b.beat().Polls < 3 {
		t.Errorf("%d polls in one attempt", b.beat().Polls)
	}
}

func TestPage(t *testing.T) {
	b := newBench(t)
	b.conn.Engine.Wanted.Kinds = []object.Kind{object.KindRole}
	b.acts.Settings = Settings{PageLimit: 5}
	b.conn.DeleteLimit = plan.DeleteLimit{Objects: 1}
	for i := range 3 {
		harness.Write(t, b.replica.Client).Role(fmt.Sprint("r", i), "1")
	}
	var asked feed.NextOptions
	b.feed.next = func(_ object.Cursor, o feed.NextOptions) (feed.Page, error) {
		asked = o
		return feed.Page{Next: at("9"), Behind: 4, Ignored: 2, Changes: []object.Change{
			change(object.ActionDelete, "/roles/r0"), change(object.ActionUpdate, "/data/b"),
			change(object.ActionDelete, "/roles/r1"), change(object.ActionDelete, "/roles/r1"),
		}}, nil
	}
	got := b.page(PollInput{Cursor: at("7"), Deep: true, Identities: b.ids()})
	want := PollResult{
		Changes: []object.Change{change(object.ActionDelete, "/roles/r0"), change(object.ActionDelete, "/roles/r1"), change(object.ActionDelete, "/roles/r1")},
		Cursor:  at("9"), Behind: 4, Ignored: 3, Identities: b.ids(), DeleteLimit: plan.DeleteLimit{Objects: 1},
		Deletes: map[object.Kind]int{object.KindRole: 2}, Totals: map[object.Kind]int{object.KindRole: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if asked != (feed.NextOptions{Limit: 5, Deep: true}) {
		t.Errorf("the feed was asked for %+v", asked)
	}
	b.conn.DeleteLimit.Objects = 2
	b.replica.ResetStats()
	if got := b.page(PollInput{Cursor: at("7")}); got.Totals != nil || b.replica.Stats().Requests["GET /organizations/ORG/roles"] != 0 {
		t.Errorf("totals %v were counted, which nobody needs", got.Totals)
	}
}

func TestReset(t *testing.T) {
	b := newBench(t)
	known := b.ids()
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{}, fmt.Errorf("%w: because", feed.ErrCursorLost)
	}
	if got := b.page(PollInput{Cursor: at("7"), Identities: known}); !strings.Contains(got.Reset, "because") || got.Trouble != nil {
		t.Errorf("cursor lost: %+v", got)
	}
	b.feed.next = nil
	changes := func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{Next: at("8"), Changes: []object.Change{change(object.ActionDelete, "/roles/r")}}, nil
	}
	for name, c := range map[string]struct {
		spoil func(*object.Identities)
		word  string
	}{
		"other primary":            {func(i *object.Identities) { i.Primary.URL = "https://old" }, "the primary was https://old and is now"},
		"other replica":            {func(i *object.Identities) { i.Replica.URL = "https://old" }, "the replica was https://old"},
		"recreated on the replica": {func(i *object.Identities) { i.Replica.OrgGUID = "0" }, "the organization on the replica"},
		"recreated on the primary": {func(i *object.Identities) { i.Primary.OrgGUID = "0" }, "the organization on the primary"},
	} {
		t.Run(name, func(t *testing.T) {
			ids := known
			c.spoil(&ids)
			b.feed.next = changes
			if got := b.page(PollInput{Cursor: at("7"), Identities: ids}); !strings.Contains(got.Reset, c.word) || len(got.Changes) > 0 || got.Identities != known {
				t.Errorf("with changes: %+v", got)
			}
			b.feed.next = nil // also while the primary rests
			if got := b.page(PollInput{Cursor: at("7"), Identities: ids}); !strings.Contains(got.Reset, c.word) {
				t.Errorf("idle: %+v", got)
			}
			if got := b.page(PollInput{Survey: &SurveyPlace{ID: "x"}, Identities: ids}); !strings.Contains(got.Reset, c.word) {
				t.Errorf("comparing: %+v", got)
			}
			_, err := b.poll(PollInput{Cursor: at("7"), Identities: ids}, &Beat{Checked: time.Now()})
			wantAgain(t, err, TypeUpToDate, DefaultPollInterval) // asked a moment ago
			if got, err := b.poll(PollInput{Cursor: at("7"), Identities: ids}, &Beat{Checked: time.Now().Add(-2 * time.Minute)}); err != nil || got.Reset == "" {
				t.Errorf("asked long ago: %+v, %v", got, err)
			}
		})
	}
	b.feed.next = changes
	ids := known
	ids.Primary.OrgGUID = "" // proves nothing
	if got := b.page(PollInput{Cursor: at("7"), Identities: ids}); got.Reset != "" {
		t.Errorf("GUID not known before: %+v", got)
	}
}

func TestSurveyPages(t *testing.T) {
	b := newBench(t)
	b.acts.Settings = Settings{PageLimit: 4}
	b.conn.DeleteExtras = true
	for i := range 6 {
		b.write.Role(fmt.Sprint("r", i), "1")
	}
	b.write.Bag("b")
	onReplica := harness.Write(t, b.replica.Client)
	onReplica.Role("r1", "old")
	onReplica.Item("x", "i", "1")

	var all []object.Change
	in := PollInput{}
	for page := 1; ; page++ {
		got := b.page(in)
		all = append(all, got.Changes...)
		if diff := cmp.Diff(map[object.Kind]int{object.KindDataBag: 1, object.KindDataBagItem: 1}, got.Deletes); diff != "" || got.Totals[object.KindRole] != 1 {
			t.Errorf("page %d: deletes of all pages: %s; totals %v", page, diff, got.Totals)
		}
		if int(got.Behind) != 9-len(all) {
			t.Errorf("page %d: %d behind after %d changes", page, got.Behind, len(all))
		}
		if again := b.page(in); in.Survey != nil && !cmp.Equal(again, got) { // a result may be lost
			t.Errorf("page %d again:\n%s", page, cmp.Diff(got, again))
		} else if in.Survey == nil {
			got = again // a new list
		}
		if again := b.page(PollInput{Survey: got.From, Identities: got.Identities}); !cmp.Equal(again, got) { // was interrupted
			t.Errorf("page %d from where it began:\n%s", page, cmp.Diff(got, again))
		}
		if got.Survey == nil {
			if got.Cursor != at("head") || page != 3 {
				t.Errorf("ends on page %d at %v", page, got.Cursor)
			}
			break
		}
		if !got.Cursor.IsZero() {
			t.Errorf("page %d: cursor %v before the comparison is complete", page, got.Cursor)
		}
		in = PollInput{Survey: got.Survey, Identities: got.Identities}
	}
	var paths []string
	for _, c := range all {
		paths = append(paths, string(c.Action)+" "+c.Ref.String())
	}
	want := []string{
		"create /data/b", "create /roles/r0", "update /roles/r1", "create /roles/r2", "create /roles/r3",
		"create /roles/r4", "create /roles/r5", "delete /data/x/i", "delete /data/x",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}

	if err := b.conn.Engine.Staging.KeepSnapshots(t.Context(), surveyOwner(pair)); err != nil {
		t.Fatal(err)
	}
	for feedName, lost := range map[string]bool{in.Survey.Head.Feed: false, feed.NameListing: true} { // whose lists are in the same store
		in.Survey.Head.Feed = feedName
		if got := b.page(in); !strings.Contains(got.Reset, "no longer in the staging store") || got.CursorLost != lost {
			t.Errorf("list lost: %+v; want the cursor lost: %t", got, lost)
		}
	}
	if err := b.conn.Engine.Staging.PutSnapshot(t.Context(), surveyOwner(pair), in.Survey.ID, []byte(`[{"ac`)); err != nil {
		t.Fatal(err)
	}
	if got := b.page(in); got.Reset == "" {
		t.Errorf("list damaged: %+v", got)
	}
}

func TestSurveyKeepsExtras(t *testing.T) {
	b := newBench(t)
	harness.Write(t, b.replica.Client).Role("extra", "1")
	got := b.page(PollInput{})
	if got.Extras != 1 || len(got.Changes) != 0 || len(got.Deletes) != 0 || got.Survey != nil || got.Cursor != at("head") {
		t.Errorf("%+v", got)
	}
}

// TestTrouble: a trouble that does not pass is told at once and once; after that
// the poll waits, ever longer, until both servers answer.
func TestTrouble(t *testing.T) {
	b := newBench(t)
	b.acts.Settings.Refused = Backoff{First: 10 * time.Second, Most: 30 * time.Second}
	in := PollInput{Cursor: at("7"), Identities: b.ids()}
	b.feed.next = func(c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
		_, err := b.primary.Client.ListRoles(t.Context())
		return feed.Page{Next: c}, err
	}
	rule := fault(b.primary, "", "", chefserver.Status(401, `{"error":["no"]}`))
	got := b.page(in)
	if got.Trouble == nil || got.Trouble.Key != "pair/401" || got.Trouble.Hint == "" || got.Identities != in.Identities {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(b.log.String(), "pair cannot be replicated") {
		t.Errorf("log %q", b.log.String())
	}
	in.Trouble = got.Trouble.Key
	var beat *Beat
	for i, d := range []time.Duration{10, 20, 30, 30} {
		_, err := b.poll(in, beat)
		app := wantAgain(t, err, TypeWaiting, d*time.Second)
		now := b.beat()
		if beat = &now; beat.Fails != i+1 || !strings.Contains(beat.Problem, "401") || !strings.Contains(app.Message(), "401") {
			t.Errorf("attempt %d: %+v, %s", i+1, beat, app.Message())
		}
	}
	rule.Remove()
	rule = fault(b.replica, "GET", "/environments$", chefserver.LicenceInvalid()) // it is another one now
	if got := b.page(in); got.Trouble == nil || got.Trouble.Key == in.Trouble {
		t.Errorf("another trouble: %+v", got)
	}
	rule.Remove()
	if got := b.page(in); got.Trouble != nil || got.Cursor != in.Cursor || len(got.Changes) > 0 {
		t.Errorf("recovered: %+v, want an empty page", got)
	}
}

// TestPassingTrouble: an outage is told when it lasts.
func TestPassingTrouble(t *testing.T) {
	b := newBench(t)
	b.acts.Settings.Outage = Backoff{First: time.Second, Most: time.Minute}
	in := PollInput{Cursor: at("7"), Identities: b.ids()}
	fault(b.primary, "", "", chefserver.Status(503, `{"error":["down"]}`))
	b.feed.next = func(c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
		_, err := b.primary.Client.ListRoles(t.Context())
		return feed.Page{}, err
	}
	var beat *Beat
	for i := range tolerated - 1 {
		_, err := b.poll(in, beat)
		wantAgain(t, err, TypeWaiting, time.Second<<i)
		now := b.beat()
		beat = &now
	}
	got, err := b.poll(in, beat)
	if err != nil || got.Trouble == nil || got.Trouble.Key != "retry" {
		t.Errorf("after %d failures: %+v, %v", tolerated, got, err)
	}
	b.primary.Faults().Clear()
	fault(b.primary, "", "", chefserver.RetryAfter(429, 600))
	if got := b.page(in); got.Trouble == nil || got.Trouble.Key != "retry" { // it will not pass soon
		t.Errorf("told to wait for ten minutes: %+v", got)
	}
	in.Trouble = "retry"
	_, err = b.poll(in, nil)
	app := wantAgain(t, err, TypeWaiting, 10*time.Minute) // as the server asked
	if !strings.Contains(app.Message(), "left alone until") {
		t.Errorf("text %q", app.Message())
	}
}

func TestPairNotConfigured(t *testing.T) {
	b := newBench(t)
	b.connectErr = fmt.Errorf("no such pair: %w", ErrNotConfigured)
	if got := b.page(PollInput{Cursor: at("7")}); got.Trouble == nil || got.Trouble.Key != "pair/configuration" || !strings.Contains(got.Trouble.Message, "organization acme") {
		t.Errorf("%+v", got.Trouble)
	}
	_, err := run[FetchResult](b, b.acts.Fetch, FetchInput{Pair: pair}, nil)
	wantError(t, err, TypePair, false)
	_, err = run[ApplyResult](b, b.acts.Apply, ApplyInput{Pair: pair}, nil)
	wantError(t, err, TypePair, false)
	b.connectErr = errors.New("something else")
	_, err = b.poll(PollInput{Cursor: at("7")}, nil)
	wantAgain(t, err, TypeWaiting, 2*time.Second)
}

// baseliner is a feed whose head knows no contents.
type baseliner struct{ *fakeFeed }

func (baseliner) Baseline(context.Context) (object.Cursor, error) { return at("baseline"), nil }

// With FromHead nothing is listed on either side.
func TestFromHead(t *testing.T) {
	b := newBench(t)
	b.write.Role("r", "1")
	got := b.page(PollInput{FromHead: true})
	if !got.AtHead || got.Cursor != at("head") || got.Survey != nil || len(got.Changes) != 0 || got.Identities != b.ids() {
		t.Errorf("%+v; want the head and no change", got)
	}
	b.conn.Feed = baseliner{b.feed}
	if got := b.page(PollInput{FromHead: true}); got.Cursor != at("baseline") {
		t.Errorf("%v; want a place from which nothing is told that has not changed", got.Cursor)
	}
	if got := b.page(PollInput{}); got.AtHead || len(got.Changes) == 0 {
		t.Errorf("%+v; want a full comparison", got)
	}
}
