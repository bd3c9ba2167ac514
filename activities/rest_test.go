package activities

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/maintenance"
	"github.com/chef-sync/chef-sync/internal/object"
)

// resting is a bench whose pair rests from 22:00 to 05:00, and a clock to set.
func resting(t *testing.T) (*bench, *time.Time) {
	t.Helper()
	b := newBench(t)
	w, err := maintenance.Parse("22:00-05:00")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 21, 59, 59, 0, time.UTC)
	b.conn.Maintenance = maintenance.Windows{w}
	b.acts.Now = func() time.Time { return now }
	b.acts.Settings.PollInterval = time.Second
	return b, &now
}

// requests is how many requests both servers got.
func (b *bench) requests() int { return b.primary.Stats().Total + b.replica.Stats().Total }

func TestPollRests(t *testing.T) {
	b, now := resting(t)
	polls := 0
	b.feed.next = func(c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
		polls++
		return feed.Page{Next: c}, nil
	}
	in := PollInput{Cursor: at("7"), Identities: b.ids()}
	_, err := b.poll(in, nil)
	wantAgain(t, err, TypeUpToDate, time.Second)
	before := b.requests()
	for _, tt := range []struct {
		in    PollInput
		at    time.Time
		delay time.Duration
		until string
	}{
		{in, time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC), lookEvery, "maintenance until Tue 05:00 UTC; next look in 1"},
		{in, time.Date(2026, 3, 3, 4, 55, 0, 0, time.UTC), 5 * time.Minute, "maintenance until 05:00 UTC; next look in 5m"},
		{PollInput{Cursor: at("7"), Once: true}, time.Date(2026, 3, 3, 4, 55, 0, 0, time.UTC), 5 * time.Minute, "maintenance until 05:00 UTC"},
		{PollInput{}, time.Date(2026, 3, 3, 4, 55, 0, 0, time.UTC), 5 * time.Minute, "maintenance until 05:00 UTC"},
		{PollInput{Cursor: at("7"), Trouble: TroubleMaintenance}, time.Date(2026, 3, 3, 4, 55, 0, 0, time.UTC), 5 * time.Minute, "maintenance until 05:00 UTC"},
		{PollInput{Cursor: at("7"), Trouble: "retry"}, time.Date(2026, 3, 3, 4, 55, 0, 0, time.UTC), 5 * time.Minute, "maintenance until 05:00 UTC"},
	} {
		*now = tt.at
		_, err := b.poll(tt.in, nil)
		if app := wantAgain(t, err, TypeMaintenance, tt.delay); !strings.HasPrefix(app.Message(), tt.until) {
			t.Errorf("%+v at %v: %q", tt.in, tt.at, app.Message())
		}
		if beat := b.beat(); !beat.Maintenance.Equal(time.Date(2026, 3, 3, 5, 0, 0, 0, time.UTC)) || beat.Fails != 0 {
			t.Errorf("beat %+v", beat)
		}
	}
	if polls != 1 || b.requests() != before {
		t.Errorf("%d polls and %d requests while the pair rests", polls-1, b.requests()-before)
	}
	*now = time.Date(2026, 3, 3, 5, 0, 0, 0, time.UTC)
	_, err = b.poll(in, &Beat{Maintenance: *now})
	wantAgain(t, err, TypeUpToDate, time.Second)
	if beat := b.beat(); polls != 2 || !beat.Maintenance.IsZero() {
		t.Errorf("after the window: %d polls, beat %+v", polls, beat)
	}
}

// A window that opens during a hold ends it with the next look.
func TestHoldEndsWithMaintenance(t *testing.T) {
	b, now := resting(t)
	b.acts.Settings = Settings{PollInterval: time.Millisecond, PollHold: time.Minute}
	polls := 0
	b.feed.next = func(c object.Cursor, _ feed.NextOptions) (feed.Page, error) {
		if polls++; polls == 3 {
			*now = now.Add(time.Minute)
		}
		return feed.Page{Next: c}, nil
	}
	_, err := b.poll(PollInput{Cursor: at("7")}, &Beat{Polls: 1})
	wantAgain(t, err, TypeMaintenance, lookEvery)
	if polls != 3 {
		t.Errorf("%d polls", polls)
	}
}

// A batch that begins in a window gives its page up; what began before is finished.
func TestBatchesRest(t *testing.T) {
	b, now := resting(t)
	b.write.Role("a", "1")
	fetch := FetchInput{Pair: pair, Changes: roles(object.ActionUpdate, "a")}
	got, err := run[FetchResult](b, b.acts.Fetch, fetch, nil)
	if err != nil {
		t.Fatal(err)
	}
	*now = now.Add(time.Second)
	before := b.requests()
	_, err = run[FetchResult](b, b.acts.Fetch, fetch, nil)
	wantError(t, err, TypePair, false)
	for name, in := range map[string]ApplyInput{
		"write": {Batch: got.Batch}, "delete": {Deletes: []object.Ref{object.MustRef("/roles/a")}},
	} {
		_, err = b.apply(in, nil)
		wantError(t, err, TypePair, false)
		if trouble := TroubleOf(err); trouble.Key != TroubleMaintenance || trouble.Message != "maintenance until Tue 05:00 UTC" {
			t.Errorf("%s: %+v", name, trouble)
		}
	}
	if n := b.requests() - before; n != 0 {
		t.Errorf("%d requests while the pair rests", n)
	}
	*now = now.Add(7 * time.Hour)
	if done, err := b.apply(ApplyInput{Batch: got.Batch}, nil); err != nil || done.Created != 1 {
		t.Errorf("after the window: %+v, %v", done, err)
	}
}

// A window that is taken out of the configuration does not hide that the servers fail.
func TestNoRestNoExcuse(t *testing.T) {
	b := newBench(t)
	b.connectErr = ErrNotConfigured
	until := time.Now().Add(time.Hour)
	_, err := b.poll(PollInput{Cursor: at("7"), Trouble: "pair/configuration"}, &Beat{Maintenance: until})
	wantError(t, err, TypeWaiting, true)
	if got := b.beat().Maintenance; !got.Before(until) {
		t.Errorf("rests until %v, says the heartbeat", got)
	}
}

// A trouble that lasts is in the log again and again, and not at each try.
func TestATroubleThatLastsIsLogged(t *testing.T) {
	b := newBench(t)
	b.connectErr = ErrNotConfigured
	for ago, want := range map[time.Duration]bool{30 * time.Minute: false, 61 * time.Minute: true, -time.Hour: false} {
		b.log.Reset()
		_, err := b.poll(PollInput{Cursor: at("7"), Trouble: "pair/configuration"}, &Beat{Logged: time.Now().Add(-ago), Fails: 20})
		wantError(t, err, TypeWaiting, true)
		if got := strings.Contains(b.log.String(), "still cannot be replicated"); got != want {
			t.Errorf("logged %v ago: logged again %t", ago, got)
		}
	}
	_, _ = b.poll(PollInput{Cursor: at("7"), Trouble: "pair/configuration"}, &Beat{})
	if b.beat().Logged.IsZero() {
		t.Error("the heartbeat does not say when it was logged")
	}
}

// A verification comes to its turn afterwards.
func TestVerificationRests(t *testing.T) {
	b, now := resting(t)
	*now = time.Date(2026, 3, 3, 1, 0, 0, 0, time.UTC)
	before := b.requests()
	env := b.env(nil)
	env.RegisterActivity(b.acts.VerifyList)
	env.RegisterActivity(b.acts.Verify)
	_, err := env.ExecuteActivity(b.acts.VerifyList, VerifyListInput{Pair: pair})
	wantAgain(t, err, TypeMaintenance, 4*time.Hour)
	_, err = env.ExecuteActivity(b.acts.Verify, VerifyInput{Pair: pair})
	wantAgain(t, err, TypeMaintenance, 4*time.Hour)
	if n := b.requests() - before; n != 0 {
		t.Errorf("%d requests while the pair rests", n)
	}
}

// What slows a server is the second part of a heartbeat.
func TestSlowedIsShown(t *testing.T) {
	b := newBench(t)
	if got := slowed(b.conn); got != nil {
		t.Fatalf("%+v", got)
	}
	fault(b.primary, "GET", "/roles$", chefserver.RetryAfter(503, 60))
	if _, err := b.primary.Client.ListRoles(t.Context()); err == nil {
		t.Fatal("no error")
	}
	var first Beat
	var second []Slow
	env := b.env(nil)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		if err := details.Get(&first, &second); err != nil {
			t.Error(err)
		}
	})
	w, err := maintenance.Parse("00:00-24:00") // so that the poll itself need not wait
	if err != nil {
		t.Fatal(err)
	}
	b.conn.Maintenance = maintenance.Windows{w}
	_, err = env.ExecuteActivity(b.acts.Poll, PollInput{Pair: pair, Cursor: at("7")})
	wantError(t, err, TypeMaintenance, true)
	if len(second) != 1 || second[0].Side != "primary" || second[0].AloneUntil == nil || second[0].Parallel != 4 || second[0].Most != 8 ||
		!strings.Contains(strings.Join(second[0].Reasons, "; "), "503, Retry-After") || first.Maintenance.IsZero() {
		text, _ := json.Marshal(second)
		t.Errorf("heartbeat %+v, %s", first, text)
	}
}
