package activities

import (
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
)

// A feed that can wait is let wait without a hold: the attempt ends with its answer,
// and the next one asks at once.
func TestPollWaitWithoutHold(t *testing.T) {
	b, head := holding(t)
	b.acts.Settings = Settings{PollInterval: time.Hour, PollWait: 2 * time.Second}
	began := time.Now()
	_, err := b.poll(PollInput{Cursor: head}, &Beat{Polls: 1})
	app := wantAgain(t, err, TypeUpToDate, heldDelay)
	if took := time.Since(began); took < time.Second {
		t.Errorf("the primary answered after %v, and was asked to wait 2s", took)
	}
	if !strings.Contains(app.Message(), "up to date at updated_since") || !strings.Contains(app.Message(), "the primary says what comes next") {
		t.Errorf("text %q", app.Message())
	}
	if n := b.beat().Polls; n != 2 {
		t.Errorf("%d polls in an attempt without a hold, want 1", n-1)
	}
}

// One that cannot wait is asked at the interval.
func TestPollWaitOfAFeedThatDoesNotWait(t *testing.T) {
	b := newBench(t)
	b.acts.Settings = Settings{PollInterval: time.Hour, PollWait: 5 * time.Second}
	var asked time.Duration
	b.feed.next = func(c object.Cursor, o feed.NextOptions) (feed.Page, error) {
		asked = o.Wait
		return feed.Page{Next: c}, nil
	}
	_, err := b.poll(PollInput{Cursor: at("7")}, &Beat{Polls: 1})
	wantAgain(t, err, TypeUpToDate, time.Hour)
	if asked != 5*time.Second {
		t.Errorf("the feed was asked to wait %v, want 5s", asked)
	}
}

// The workflow hears how often polls report, where that is not as usual.
func TestPollTellsItsBeat(t *testing.T) {
	b := newBench(t)
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{Next: at("8"), Changes: []object.Change{change(object.ActionUpdate, "/roles/r")}}, nil
	}
	for set, want := range map[time.Duration]time.Duration{0: 0, time.Second: 0, beatEvery: 0, 7 * time.Second: 7 * time.Second} {
		b.acts.Settings.PollBeat = set
		if got := b.page(PollInput{Cursor: at("7")}).Beat; got != want {
			t.Errorf("PollBeat %v: the workflow was told %v, want %v", set, got, want)
		}
	}
}

// An attempt that was scheduled by an impatient workflow reports as often as that
// needs.
func TestPollBeatFitsTheTimeout(t *testing.T) {
	for _, c := range []struct{ timeout, set, want time.Duration }{
		{15 * time.Second, 10 * time.Second, 5 * time.Second},
		{30 * time.Second, 10 * time.Second, 10 * time.Second},
		{15 * time.Second, 2 * time.Second, 2 * time.Second},
		{0, 10 * time.Second, beatEvery},
	} {
		p := &poll{set: Settings{PollBeat: c.set}}
		got := p.beatWithin(c.timeout)
		if got != c.want {
			t.Errorf("heartbeat timeout %v, PollBeat %v: beats every %v, want %v", c.timeout, c.set, got, c.want)
		}
	}
}

// Servers are asked who they are as often as the setting says.
func TestCheckEvery(t *testing.T) {
	b := newBench(t)
	b.acts.Settings.CheckEvery = time.Hour
	ids := b.ids()
	asked := func(since time.Duration) int {
		b.replica.ResetStats()
		_, err := b.poll(PollInput{Cursor: at("7"), Identities: ids}, &Beat{Checked: time.Now().Add(-since)})
		wantAgain(t, err, TypeUpToDate, DefaultPollInterval)
		return b.replica.Stats().Total
	}
	before, after := asked(59*time.Minute), asked(61*time.Minute)
	if before != 0 || after == 0 {
		t.Errorf("the replica was asked %d times after 59 minutes, %d times after 61, want none and some", before, after)
	}
}
