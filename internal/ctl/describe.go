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
