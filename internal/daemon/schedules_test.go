package daemon

import (
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/object"
)

// A schedule is left alone if it verifies the same pair at the same time.
func TestIsSchedule(t *testing.T) {
	p := object.Pair{Replica: "sync", Source: "uk", Destination: "eu"}
	entry := func(p object.Pair, at string) *client.ScheduleListEntry {
		o, err := scheduleOptions(p, at)
		if err != nil {
			t.Fatal(err)
		}
		return &client.ScheduleListEntry{ID: o.ID, Spec: &o.Spec, Note: o.Note}
	}
	twice := entry(p, "03:30")
	twice.Spec.Calendars = append(twice.Spec.Calendars, twice.Spec.Calendars[0])
	ranged := entry(p, "03:30")
	ranged.Spec.Calendars[0].Hour = []client.ScheduleRange{{Start: 3, End: 5}}
	paused := entry(p, "03:30")
	paused.Note = "not tonight"
	for name, c := range map[string]struct {
		is   *client.ScheduleListEntry
		want bool
	}{
		"none":           {nil, false},
		"no spec":        {&client.ScheduleListEntry{Note: twice.Note}, false},
		"the same":       {entry(p, "03:30"), true},
		"another hour":   {entry(p, "04:30"), false},
		"another minute": {entry(p, "03:31"), false},
		"another source": {entry(object.Pair{Replica: "sync", Source: "fr", Destination: "eu"}, "03:30"), false},
		"twice":          {twice, false},
		"several hours":  {ranged, false},
		"paused":         {paused, false},
	} {
		if got := isSchedule(c.is, p, "03:30"); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
