package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// clock is a time that passes when it is told to.
type clock struct {
	at    time.Time
	folds *folds
}

func (c *clock) pass(d time.Duration) {
	for end := c.at.Add(d); c.at.Before(end); {
		c.at = c.at.Add(sweepInterval)
		c.folds.sweep()
	}
}

// folding returns a logger that folds, its clock, and what lines it has written.
func folding(t *testing.T) (*slog.Logger, *clock, func() []string) {
	t.Helper()
	var out bytes.Buffer
	c := &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	c.folds = newFolds(func() time.Time { return c.at })
	text := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	lines := func() []string {
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		out.Reset()
		if got[0] == "" {
			return nil
		}
		return got
	}
	return slog.New(&folded{folds: c.folds, next: text}), c, lines
}

// A server that is down for an hour gives a handful of lines of each kind, and one
// when it is back.
func TestAnHourWithoutServer(t *testing.T) {
	log, c, lines := folding(t)
	log = log.With("org", "acme", "side", "replica")
	for i := range 1200 { // every 3 s
		log.Warn("request to the Chef server will be retried", "attempt", i%3+1, "wait", time.Duration(i)*time.Millisecond,
			"err", fmt.Errorf("GET /roles: dial tcp 127.0.0.1:443: read 127.0.0.1:%d: connection reset", 40000+i))
		log.Debug("not folded")
		c.pass(3 * time.Second)
	}
	log.Info("the pair goes on", AttrRecovered, "the servers answer")
	got := lines()
	if len(got) < 5 || len(got) > 12 {
		t.Fatalf("an hour gives %d lines; want a handful:\n%s", len(got), strings.Join(got, "\n"))
	}
	for _, l := range got {
		if strings.Count(l, "org=acme") != 1 {
			t.Errorf("%q does not name the organization, once", l)
		}
	}
	told := 1 // the first line stands for itself
	for _, l := range got {
		var n int
		if _, after, ok := strings.Cut(l, "repeated="); ok {
			_, _ = fmt.Sscan(after, &n)
		}
		told += n
	}
	if told != 1200 {
		t.Errorf("the lines tell of %d warnings; want 1200:\n%s", told, strings.Join(got, "\n"))
	}
	if last := got[len(got)-1]; !strings.Contains(last, "goes on") || strings.Count(strings.Join(got, "\n"), "goes on") != 1 {
		t.Errorf("the last line is %q; want the recovery, once", last)
	}
	// What comes after a recovery is news.
	log.Warn("request to the Chef server will be retried", "attempt", 1, "wait", time.Second, "err", errors.New("read 127.0.0.1:1: connection reset"))
	if got := lines(); len(got) != 1 {
		t.Errorf("the first warning after a recovery gives %q; want it at once", got)
	}
	c.pass(time.Hour)
	if got := lines(); got != nil {
		t.Errorf("a warning that came once gives %q later; want nothing", got)
	}
}

// What nobody says the end of ends by itself.
func TestNoLongerRepeated(t *testing.T) {
	log, c, lines := folding(t)
	for range 20 {
		log.Warn("Failed to poll for task.", "Error", "connection refused")
		c.pass(6 * time.Second)
	}
	c.pass(time.Hour)
	got := lines()
	last := got[len(got)-1]
	if n := strings.Count(strings.Join(got, "\n"), "no longer repeated"); n != 1 || !strings.Contains(last, `what="Failed to poll for task."`) || !strings.Contains(last, "repeated=19") {
		t.Errorf("wrote\n%s\nwant, last and once, that there are no more of 19", strings.Join(got, "\n"))
	}
}

// Different troubles are not one.
func TestWhatIsFolded(t *testing.T) {
	log, c, lines := folding(t)
	acme, eu := log.With("org", "acme"), log.With("org", "eu")
	for _, f := range []func(){
		func() { acme.Warn("waits", "err", "503 after 2s") },
		func() { acme.Error("waits", "err", "503 after 2s") },
		func() { eu.Warn("waits", "err", "503 after 2s") },
		func() { acme.Warn("waits", "err", "certificate has expired") },
		func() { acme.Warn("other", "err", "503 after 2s") },
		func() { log.WithGroup("g").Warn("waits", "org", "acme", "err", "503 after 2s") },
	} {
		f()
		f()
		if got := lines(); len(got) != 1 {
			t.Errorf("twice the same wrote %q; want one line", got)
		}
	}
	acme.Info("started")
	acme.Info("started")
	if got := lines(); len(got) != 2 {
		t.Errorf("what is no warning was folded: %q", got)
	}
	eu.Info("goes on", AttrRecovered, "waits")
	if got := lines(); len(got) != 2 || !strings.Contains(got[0], "org=eu") || !strings.Contains(got[0], "repeated=1") {
		t.Errorf("a recovery of eu wrote %q; want what was held back of eu, and itself", got)
	}
	c.folds.flush()
	if got := lines(); len(got) != 5 {
		t.Errorf("the end wrote %q; want what was held back of the other five", got)
	}
}

// What differs in a digit of a name is not the same; what was counted, measured or
// drawn is.
func TestDigits(t *testing.T) {
	log, _, lines := folding(t)
	for _, c := range []struct {
		key, first, second string
		same               bool
	}{
		{"org", "team1", "team2", false},
		{"org", "1", "2", false},
		{"ref", "/roles/7", "/roles/8", false},
		{"err", "PUT https://chef/organizations/team1/roles/web: 500", "PUT https://chef/organizations/team2/roles/web: 500", false},
		{"err", "put role web1: 500", "put role web2: 500", false},
		{"err", `put role "web1": 500`, `put role "web2": 500`, false},
		{"err", "GET /cookbooks/apache/1.2.3: no answer", "GET /cookbooks/apache/1.2.4: no answer", false},
		{"WorkflowID", "chef-sync/sync/team1", "chef-sync/sync/team2", false},
		{"err", "GET /organizations/acme/updated_since?seq=42: 503", "GET /organizations/acme/updated_since?seq=43: 503", true},
		{"err", "read tcp 10.0.0.1:40123->10.0.0.2:443: reset", "read tcp 10.0.0.1:40124->10.0.0.2:443: reset", true},
		{"err", "read tcp [::1]:40123->[::1]:443: reset", "read tcp [::1]:40124->[::1]:443: reset", true},
		{"err", "503; next try in 12s", "503; next try in 57s", true},
		{"err", "left alone until 15:04:05 UTC", "left alone until 15:05:06 UTC", true},
		{"err", "at 2026-11-23T15:04:05Z", "at 2026-11-23T15:04:06Z", true},
		{"err", "open /var/tmp/list.104729183: no space left", "open /var/tmp/list.982451653: no space left", true},
		{"RunID", "0199c2d1-1111-7222-8333-444455556666", "0199c2d1-1111-7222-8333-444455556667", true},
		{"ActivityID", "42", "43", true},
	} {
		log.Warn("waits", c.key, c.first)
		log.Warn("waits", c.key, c.second)
		if got := len(lines()); got != map[bool]int{true: 1, false: 2}[c.same] {
			t.Errorf("%s %q and %q wrote %d lines", c.key, c.first, c.second, got)
		}
	}
}

// The organization is taken from the workflow's ID where nothing else names it.
func TestOrganizationOfRecords(t *testing.T) {
	for id, want := range map[string]string{
		"chef-sync/sync/acme":                             "acme",
		"chef-sync-verify/sync/acme":                      "acme",
		"chef-sync-verify/sync/acme-2026-11-23T14:00:00Z": "acme",
		"somebody-elses/workflow":                         "",
	} {
		log, _, lines := folding(t)
		log.Error("Activity error.", "WorkflowID", id, "Error", "boom")
		log.With("WorkflowID", id).Error("Workflow panic", "Error", "boom")
		for _, l := range lines() {
			if _, got, _ := strings.Cut(l, " org="); got != want {
				t.Errorf("%s wrote %q; want org=%s", id, l, want)
			}
		}
	}
	log, _, lines := folding(t)
	log.With("WorkflowID", "chef-sync/sync/acme", "org", "acme").Info("x")
	if got := strings.Join(lines(), ""); strings.Count(got, "org=") != 1 {
		t.Errorf("wrote %q; want the organization once", got)
	}
}

// The SDK warns of activities that the workflow itself cancelled.
func TestNormalStopIsNoWarning(t *testing.T) {
	log, _, lines := folding(t)
	log.Warn("RecordActivityHeartbeat with error", "Error", errors.New("canceled"))
	log.Error("Activity error.", "Error", errors.New("context canceled"))
	if got := lines(); got != nil {
		t.Errorf("a cancelled activity wrote %q", got)
	}
	log.Warn("RecordActivityHeartbeat with error", "Error", errors.New("connection refused"))
	log.Error("Activity error.", "Error", errors.New("roles: context canceled by peer"))
	if got := lines(); len(got) != 2 {
		t.Errorf("wrote %q; want what is no cancellation", got)
	}
}
