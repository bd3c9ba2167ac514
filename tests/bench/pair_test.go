package bench

import (
	"fmt"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// patience bounds every wait; reaching it is an error.
const patience = 15 * time.Minute

// pair is an ec-syncd with one pair, reached through Temporal.
type pair struct {
	*harness.Syncd
	t        testing.TB
	temporal temporal.Client
}

// newPair starts an ec-syncd and waits until its workers ask for work.
func newPair(t testing.TB, primary, replica harness.Side, more string) *pair {
	t.Helper()
	d := harness.NewSyncd(t, primary, replica, settings(more))
	p := &pair{Syncd: d, t: t, temporal: d.Temporal(t)}
	p.awake()
	return p
}

// settings are those of every ec-syncd here, and more.
func settings(more string) string {
	return fmt.Sprintf("parallel %d\npoll_interval 1\n%s", *parallel, more)
}

// awake waits until the workers ask for work.
func (p *pair) awake() {
	p.t.Helper()
	queue := workflows.TaskQueue(thePair.Replica)
	p.until("the workers ask for work", 10*time.Millisecond, func() bool {
		for _, kind := range []enums.TaskQueueType{enums.TASK_QUEUE_TYPE_WORKFLOW, enums.TASK_QUEUE_TYPE_ACTIVITY} {
			got, err := p.temporal.DescribeTaskQueue(p.t.Context(), queue, kind)
			if err != nil || len(got.GetPollers()) == 0 {
				return false
			}
		}
		return true
	})
}

// until asks at intervals until the answer is yes.
func (p *pair) until(what string, every time.Duration, yes func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !yes(); time.Sleep(every) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not in time: %s; status %+v", what, p.status())
		}
	}
}

// start starts the pair's workflow.
func (p *pair) start() {
	p.t.Helper()
	in := workflows.SyncInput{Pair: thePair, Options: workflows.Options{SearchAttributes: true}}
	_, err := p.temporal.ExecuteWorkflow(p.t.Context(), workflows.StartOptions(thePair, true), workflows.Name, in)
	if err != nil {
		p.t.Fatalf("start the pair: %v", err)
	}
}

// status is the zero Status if nobody answers.
func (p *pair) status() workflows.Status {
	p.t.Helper()
	var s workflows.Status
	got, err := p.temporal.QueryWorkflow(p.t.Context(), thePair.WorkflowID(), "", workflows.QueryStatus)
	if err == nil {
		err = got.Get(&s)
	}
	if err != nil {
		return workflows.Status{}
	}
	return s
}

// following waits until so many full comparisons are complete. Each question
// costs ec-syncd some milliseconds, so not many are asked.
func (p *pair) following(surveys int64) {
	p.t.Helper()
	p.until("the pair follows", 100*time.Millisecond, func() bool {
		s := p.status()
		if s.Mode == workflows.ModeWaiting || s.Mode == workflows.ModeHalted || s.Unsynced > 0 {
			p.t.Fatalf("the pair has trouble: %+v", s)
		}
		return s.Counters.Surveys >= surveys && s.Mode == workflows.ModeFollowing
	})
}

func (p *pair) signal(name string) {
	p.t.Helper()
	err := p.temporal.SignalWorkflow(p.t.Context(), thePair.WorkflowID(), "", name, workflows.Signal{Reason: "bench"})
	if err != nil {
		p.t.Fatalf("signal %s: %v", name, err)
	}
}

// events is the length of the workflow's history. It fails the test if a new run
// has begun, which counts anew.
func (p *pair) events() int64 {
	p.t.Helper()
	got, err := p.temporal.DescribeWorkflowExecution(p.t.Context(), thePair.WorkflowID(), "")
	if err != nil {
		p.t.Fatal(err)
	}
	info := got.GetWorkflowExecutionInfo()
	if first := info.GetFirstRunId(); first != info.GetExecution().GetRunId() {
		p.t.Fatalf("the workflow has continued as new: its history counts anew")
	}
	return info.GetHistoryLength()
}
