package activities

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
)

// The activity types; they never change.
const (
	NamePoll  = "Poll"
	NameFetch = "Fetch"
	NameApply = "Apply"
)

// Register registers all activities.
func Register(r worker.ActivityRegistry, a *Activities) {
	r.RegisterActivityWithOptions(a.Poll, activity.RegisterOptions{Name: NamePoll})
	r.RegisterActivityWithOptions(a.Fetch, activity.RegisterOptions{Name: NameFetch})
	r.RegisterActivityWithOptions(a.Apply, activity.RegisterOptions{Name: NameApply})
}
