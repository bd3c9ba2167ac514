package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// Temporal is as patient with a Poll as the last one said that it has to be, and
// never more than a minute.
func TestHeartbeatTimeoutOfPolls(t *testing.T) {
	for _, c := range []struct{ beat, want time.Duration }{
		{0, 15 * time.Second}, {10 * time.Second, 30 * time.Second}, {time.Hour, time.Minute},
	} {
		w := newWorld(t)
		var got []time.Duration
		w.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
			if info.ActivityType.Name == activities.NamePoll {
				got = append(got, info.HeartbeatTimeout)
			}
		})
		n := 0
		w.onPoll = func(in activities.PollInput) (*activities.PollResult, error) {
			if n++; n > 2 {
				return nil, nil // as ever
			}
			return &activities.PollResult{Cursor: in.Cursor, Identities: in.Identities, Beat: c.beat}, nil
		}
		w.run(workflows.State{Cursor: object.Cursor{Feed: "fake", Position: "0"}}, time.Minute)
		if want := []time.Duration{15 * time.Second, c.want, c.want}; len(got) < 3 || !slices.Equal(got[:3], want) {
			t.Errorf("beat %v: heartbeat timeouts %v, want %v", c.beat, got, want)
		}
	}
}
