package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// A trouble of an hour is logged when it begins, and once when it is over.
func TestLogTellsOfTroubleAndRecoveryOnce(t *testing.T) {
	w := newWorld(t)
	down := true
	w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
		switch {
		case down && in.Trouble == "":
			return &activities.PollResult{Trouble: &activities.Trouble{Key: "pair/401", Message: "GET …: 401", Hint: "check the key"}}, nil
		case down:
			return nil, temporal.NewApplicationErrorWithOptions("still 401", activities.TypeWaiting,
				temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute})
		}
		return nil, nil
	}
	w.change(object.ActionCreate, "/roles/r", "/roles/s")
	w.at(time.Hour, func() { down = false })
	w.at(90*time.Minute, func() { w.change(object.ActionDelete, "/roles/r") })
	w.run(following(0), 3*time.Hour)
	log := w.logged.String()
	for words, want := range map[string]int{
		`level=WARN msg="pair waits"`: 1, `msg="pair goes on"`: 1, `recovered="GET …: 401"`: 1,
		`msg="page applied"`: 2, `changes=2 created=2`: 1, `deleted=1`: 1, `mode=following`: 2,
		`msg="pair changed its mode"`: 1,
	} {
		if got := strings.Count(log, words); got != want {
			t.Errorf("the log has %s %d times, want %d:\n%s", words, got, want, log)
		}
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "msg=\"pair") && !strings.Contains(line, "org=acme source=acme") {
			t.Errorf("%q does not name the pair", line)
		}
	}
}

// A pair that asks says so, and one that is stopped says why.
func TestLogTellsOfModes(t *testing.T) {
	w := newWorld(t)
	w.totals = map[object.Kind]int{object.KindRole: 30}
	var paths []string
	for i := range 30 {
		paths = append(paths, fmt.Sprintf("/roles/r%d", i))
	}
	w.change(object.ActionCreate, paths...)
	w.at(time.Minute, func() { w.change(object.ActionDelete, paths...) })
	w.at(time.Hour, func() { w.env.SignalWorkflow(workflows.SignalStop, workflows.Signal{Reason: "backup"}) })
	w.run(following(0), 2*time.Hour)
	log := w.logged.String()
	for _, words := range []string{`level=WARN msg="pair is halted and asks"`, `mode=stopped why=backup`} {
		if strings.Count(log, words) != 1 {
			t.Errorf("the log has not %s, once:\n%s", words, log)
		}
	}
}
