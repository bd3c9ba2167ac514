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

	NameVerifyList   = "VerifyList"
	NameVerify       = "Verify"
	NameVerifyReport = "VerifyReport"

	NameNotify = "Notify"
)

// Register registers all activities.
func Register(r worker.ActivityRegistry, a *Activities) {
	r.RegisterActivityWithOptions(a.Poll, activity.RegisterOptions{Name: NamePoll})
	r.RegisterActivityWithOptions(a.Fetch, activity.RegisterOptions{Name: NameFetch})
	r.RegisterActivityWithOptions(a.Apply, activity.RegisterOptions{Name: NameApply})
	r.RegisterActivityWithOptions(a.VerifyList, activity.RegisterOptions{Name: NameVerifyList})
	r.RegisterActivityWithOptions(a.Verify, activity.RegisterOptions{Name: NameVerify})
	r.RegisterActivityWithOptions(a.VerifyReport, activity.RegisterOptions{Name: NameVerifyReport})
	r.RegisterActivityWithOptions(a.Notify, activity.RegisterOptions{Name: NameNotify})
}
