package property

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// TestConvergence lets the real workflow, activities, feeds and engine work
// between two in-process servers, in the SDK's test environment, while the primary
// is changed, both servers fail, activities die and operators speak, all at random.
// After every single write a [shadow] looks at the replica; and when the failures
// have ended, it becomes equal by itself.
//
// It takes a few seconds, always with the same histories; CHEF_SYNC_PROPERTY=5m
// takes new ones for so long. What fails is shrunk, and its seed printed.
func TestConvergence(t *testing.T) {
	last, checks, seed := time.Duration(0), "30", "5"
	if testing.Short() {
		checks = "6"
	}
	if text := os.Getenv("CHEF_SYNC_PROPERTY"); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		checks, seed = "1000000", "0"
	}
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.seed": seed, "rapid.nofailfile": "true"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() == f.DefValue { // or else somebody repeats a run
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = flag.Set(name, f.DefValue) })
		}
	}
	w := newWorld(t)
	end, failed, n := time.Now().Add(last), false, 0
	rapid.Check(t, func(rt *rapid.T) {
		if last > 0 && !failed && time.Now().After(end) {
			return
		}
		n++
		in := drawHistory(rt)
		if why := w.live(in); len(why) > 0 {
			failed = true
			for i, s := range in.Steps {
				rt.Logf("step %d, after %s: %s", i, s.gap(), s)
			}
			rt.Logf("what was done:\n%s", strings.Join(w.log, "\n"))
			rt.Fatalf("%s", strings.Join(why, "\n"))
		}
	})
	t.Logf("%d histories", n)
}

// life is one history on its way.
type life struct {
	*world
	env     *testsuite.TestWorkflowEnvironment
	next    int // step
	ended   bool
	asked   bool // for everything to be compared, at the end
	dropped bool
	why     []string
}

// patience is how long a pair may need, by its own clock, when all is well again.
// An object that failed often is tried every hour.
const patience = 8 * time.Hour

var pair = object.Pair{Replica: "sync", Source: harness.Organization, Destination: harness.Organization}

// live takes the pair through a history and returns what was wrong.
func (w *world) live(in history) []string {
	if err := w.begin(in); err != nil {
		return []string{err.Error()}
	}
	l := &life{world: w}
	input := workflows.SyncInput{Pair: pair}
	for {
		l.start()
		l.env.ExecuteWorkflow(workflows.Name, input)
		err := l.env.GetWorkflowError()
		var again *workflow.ContinueAsNewError
		if !errors.As(err, &again) {
			if err != nil {
				l.why = append(l.why, "the workflow ended: "+err.Error())
			}
			return append(w.shadow.wrongs(), l.why...)
		}
		input = workflows.SyncInput{}
		if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &input); err != nil {
			return []string{err.Error()}
		}
	}
}

// start makes the environment of one run of the workflow.
func (l *life) start() {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	l.env = s.NewTestWorkflowEnvironment()
	harness.Patient(l.env, harness.Endless)
	workflows.Register(l.env)
	l.env.RegisterActivityWithOptions(l.poll, activity.RegisterOptions{Name: activities.NamePoll})
	l.env.RegisterActivityWithOptions(l.fetch, activity.RegisterOptions{Name: activities.NameFetch})
	l.env.RegisterActivityWithOptions(l.apply, activity.RegisterOptions{Name: activities.NameApply})
	l.schedule()
}

// schedule waits for the next step, or for the end.
func (l *life) schedule() {
	switch {
	case l.ended:
		l.env.RegisterDelayedCallback(func() { l.wait(patience) }, time.Second)
	case l.next < len(l.in.Steps):
		l.env.RegisterDelayedCallback(l.step, l.in.Steps[l.next].gap()+time.Millisecond)
	default:
		l.env.RegisterDelayedCallback(l.end, time.Second)
	}
}

func (l *life) signal(name string) { l.env.SignalWorkflow(name, nil) }

// step lets the next thing happen.
func (l *life) step() {
	s := l.in.Steps[l.next]
	l.next++
	l.note("-- %s", s)
	switch s.What {
	case doOps:
		for _, o := range s.Ops {
			o.do(l.world)
		}
	case doMiddle:
		l.mu.Lock()
		for i, o := range s.Ops {
			l.hooks = append(l.hooks, hook{at: l.requests + s.A*3 + 1 + i*s.B, op: o})
		}
		l.mu.Unlock()
	case doFault:
		f, _ := s.fault()
		[]*harness.ChefServer{l.primary, l.replica}[s.side()].Faults().Add(f)
	case doCrash:
		l.mu.Lock()
		l.crashes = append(l.crashes, crash{at: l.started + s.A%4 + 1, how: s.B})
		l.mu.Unlock()
	case doRestart:
		if err := l.restart(s.A%2 == 0); err != nil {
			l.fail(err.Error())
		}
	case doSignal:
		name := signals[s.A%len(signals)]
		if l.in.Calm && name == workflows.SignalStop {
			name = workflows.SignalSyncNow
		}
		l.dropped = l.dropped || name == workflows.SignalDropDeletes
		l.signal(name)
	case doRenew:
		l.env.SetContinueAsNewSuggested(true)
		l.signal(workflows.SignalSyncNow)
	}
	l.schedule()
}

// end lets all failures end.
func (l *life) end() {
	l.note("-- all is well again")
	l.ended = true
	l.mu.Lock()
	hooks := l.hooks
	l.hooks, l.crashes, l.worker.kill = nil, nil, nil
	l.mu.Unlock()
	l.primary.Faults().Clear()
	l.replica.Faults().Clear()
	for _, h := range hooks {
		h.op.do(l.world)
	}
	l.heal()
	l.signal(workflows.SignalStart)
	l.wait(patience)
}

// wait looks every few minutes whether the pair is done.
func (l *life) wait(left time.Duration) {
	var s workflows.Status
	v, err := l.env.QueryWorkflow(workflows.QueryStatus)
	if err == nil {
		err = v.Get(&s)
	}
	if err != nil {
		l.fail(err.Error())
		return
	}
	const every = 3 * time.Minute
	switch diff := l.differences(l.dropped || s.Counters.Surveys > 1); {
	case s.Mode == workflows.ModeHalted:
		name := workflows.SignalApproveDeletes
		if l.in.Drop && !l.asked {
			name, l.dropped = workflows.SignalDropDeletes, true
		}
		l.signal(name)
	case len(diff) == 0 && s.Unsynced == 0 && s.Mode == workflows.ModeFollowing:
		l.signal(workflows.SignalRemove)
		return
	case len(diff) > 0 && l.dropped && l.in.DeleteExtras && !l.asked && s.Mode == workflows.ModeFollowing:
		l.asked = true // what was dropped is found by comparing everything, and by nothing else
		l.signal(workflows.SignalForgetCursor)
	case left <= 0:
		l.fail("not equal: " + strings.Join(diff, "\n"))
		if u, err := l.env.QueryWorkflow(workflows.QueryUnsynced); err == nil {
			var list []workflows.Unsynced
			_ = u.Get(&list)
			l.note("status %+v\nunsynced %+v", s, list)
		}
		return
	}
	l.env.RegisterDelayedCallback(func() { l.wait(left - every) }, every)
}

func (l *life) fail(why string) {
	l.why = append(l.why, why)
	l.signal(workflows.SignalRemove)
}
