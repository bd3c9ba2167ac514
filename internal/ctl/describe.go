package ctl

import (
	"slices"
	"time"

	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/chef-sync/chef-sync/activities"
)

// execution reads what DescribeWorkflowExecution returned.
func execution(d *workflowservice.DescribeWorkflowExecutionResponse) Execution {
	info := d.GetWorkflowExecutionInfo()
	e := Execution{
		Status:      info.GetStatus(),
		Started:     when(info.GetStartTime()),
		Closed:      when(info.GetCloseTime()),
		TaskAttempt: int(d.GetPendingWorkflowTask().GetAttempt()),
	}
	for _, a := range d.GetPendingActivities() {
		e.slowed(a)
		if a.GetActivityType().GetName() == activities.NamePoll {
			e.Poll = pendingPoll(a)
			continue
		}
		e.Copying = append(e.Copying, a.GetActivityType().GetName())
		if text := a.GetLastFailure().GetMessage(); text != "" {
			e.Problem = a.GetActivityType().GetName() + ": " + text
		}
	}
	slices.Sort(e.Copying)
	return e
}

// slowed reads the second part of an activity's heartbeat.
func (e *Execution) slowed(a *workflow.PendingActivityInfo) {
	var first any
	var slow []activities.Slow
	if converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &first, &slow) != nil {
		return // of another release, or encrypted
	}
	for _, s := range slow {
		if !slices.ContainsFunc(e.Slowed, func(have activities.Slow) bool { return have.Side == s.Side }) {
			e.Slowed = append(e.Slowed, s)
		}
	}
}

func pendingPoll(a *workflow.PendingActivityInfo) *PendingPoll {
	p := &PendingPoll{
		ID:      a.GetActivityId(),
		Next:    when(a.GetNextAttemptScheduleTime()),
		Ended:   a.GetLastFailure().GetApplicationFailureInfo().GetType(),
		Message: a.GetLastFailure().GetMessage(),
	}
	// A heartbeat that cannot be read, of another release or encrypted, is as none.
	if err := converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &p.Beat); err != nil {
		p.Beat = activities.Beat{}
	}
	return p
}

// when is a time in UTC; zero for none.
func when(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
