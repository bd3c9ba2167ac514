package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/report"
)

// VerifyName is the workflow type of [VerifyWorkflow]; it never changes.
const VerifyName = "VerifyWorkflow"

// QueryProgress returns a [VerifyProgress]; of a VerifyWorkflow.
const QueryProgress = "progress"

// VerifyWorkflowID is the ID of a pair's VerifyWorkflow: one runs at a time.
func VerifyWorkflowID(p object.Pair) string {
	return "chef-sync-verify/" + p.Replica + "/" + p.Destination
}

// VerifyInput is the input of a VerifyWorkflow. Only Pair has to be set.
type VerifyInput struct {
	Pair object.Pair `json:"pair"`

	// Repair has what differs brought back by the pair's SyncWorkflow, through its
	// plan and its guards, and looks at it again.
	Repair bool `json:"repair,omitempty"`

	// Settle is how long to wait before a second look at what differs: a change
	// may have been on its way. 0 = 15 s.
	Settle time.Duration `json:"settle,omitempty"`
}

// VerifyProgress is how far a verification is.
type VerifyProgress struct {
	Phase  string `json:"phase"` // listing, comparing, looking again, repairing, done
	Done   int    `json:"done"`
	Total  int    `json:"total"`
	Differ int    `json:"differ"`
}

const (
	defaultSettle = 15 * time.Second

	// lookAgain is how many second looks there are, repairs how many after a
	// repair was asked for.
	lookAgain, repairs = 2, 8

	// looksAtDamage is how many of these a damaged file is worth.
	looksAtDamage = 2

	// relists is how often a verification begins anew because its list is gone.
	relists = 3
)

// VerifyStartOptions are those to start a pair's VerifyWorkflow with. One that
// runs already is left running.
func VerifyStartOptions(p object.Pair) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: VerifyWorkflowID(p), TaskQueue: TaskQueue(p.Replica),
		StaticSummary:            "proves that " + p.String() + " on replica " + p.Replica + " is equal to the primary",
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
}

// VerifyWorkflow re-reads a pair's organizations on both sides completely and
// reports whether they are equal. It writes nothing itself; with Repair the
// pair's SyncWorkflow is told what differs. What goes wrong is part of the
// report; an error is returned only if the workflow was cancelled.
func VerifyWorkflow(ctx workflow.Context, in VerifyInput) (report.Report, error) {
	v := &verification{in: in, now: func() time.Time { return workflow.Now(ctx).UTC() }}
	v.report = report.Report{Pair: in.Pair, Started: v.now()}
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryProgress,
		func() (VerifyProgress, error) { return v.progress, nil },
		workflow.QueryHandlerOptions{Description: "How far the verification is."})
	if err != nil {
		return v.report, err
	}
	if err := v.run(ctx); err != nil {
		if ctx.Err() != nil || temporal.IsCanceledError(err) {
			return v.report, err
		}
		v.report.Problem = activities.TroubleOf(err).Message
	}
	return v.finish(ctx)
}

// verification is one run of a VerifyWorkflow.
type verification struct {
	in       VerifyInput
	now      func() time.Time
	place    activities.VerifyPlace
	report   report.Report
	progress VerifyProgress
}

func (v *verification) run(ctx workflow.Context) error {
	for try := 1; ; try++ {
		err := v.compare(ctx)
		if err == nil {
			break
		}
		switch {
		case !stagingLost(err):
			return err
		case try == relists:
			return fmt.Errorf("the list of what to verify was lost %d times; is ec-syncd restarted again and again, or its staging purged? %w", try, err)
		}
	}
	return v.lookAgain(ctx)
}

// compare lists both sides and compares everything once.
func (v *verification) compare(ctx workflow.Context) error {
	v.show(ctx, "listing", 0)
	lctx := workflow.WithActivityOptions(ctx, batchOptions("list both organizations", ""))
	var place activities.VerifyPlace // a new one: what JSON leaves out would stay from the last try
	err := workflow.ExecuteActivity(lctx, activities.NameVerifyList, activities.VerifyListInput{Pair: v.in.Pair}).Get(ctx, &place)
	if err != nil {
		return err
	}
	v.place = place
	ids := v.place.Identities
	v.report = report.Report{
		Pair: v.in.Pair, Started: v.report.Started, Version: v.place.Version, Scope: ids.Scope, Lacking: v.place.Lacking,
		Primary: report.Side{URL: ids.Primary.URL, OrgGUID: ids.Primary.OrgGUID},
		Replica: report.Side{URL: ids.Replica.URL, OrgGUID: ids.Replica.OrgGUID},
	}
	for at := 0; at < v.place.Total; {
		v.show(ctx, "comparing", at)
		got, err := v.verify(ctx, fmt.Sprintf("compare from %d of %d", at, v.place.Total), activities.VerifyInput{
			Offset: at, Named: len(v.report.Differences),
		})
		if err != nil {
			return err
		}
		v.report.Add(got.Found, got.More)
		at = got.Next
	}
	v.show(ctx, "comparing", v.place.Total)
	return nil
}

func (v *verification) verify(ctx workflow.Context, summary string, in activities.VerifyInput) (activities.VerifyResult, error) {
	in.Pair, in.Place = v.in.Pair, v.place
	var got activities.VerifyResult
	actx := workflow.WithActivityOptions(ctx, batchOptions(summary, v.place.Queue))
	err := workflow.ExecuteActivity(actx, activities.NameVerify, in).Get(ctx, &got)
	return got, err
}

// lookAgain looks at what differs until it is equal: a change may have been on
// its way, and a repair takes its time.
func (v *verification) lookAgain(ctx workflow.Context) error {
	settle := v.in.Settle
	if settle <= 0 {
		settle = defaultSettle
	}
	for range lookAgain {
		if done, err := v.again(ctx, "looking again", settle); done || err != nil {
			return err
		}
	}
	if !v.in.Repair {
		return nil
	}
	before := v.report.Differ
	if err := v.repair(ctx); err != nil {
		return err
	}
	defer func() { v.report.Repaired = before - v.report.Differ }()
	for round := range repairs {
		if !v.hopeful(round) {
			break
		}
		if done, err := v.again(ctx, "repairing", settle); done || err != nil {
			return err
		}
	}
	return nil
}

// again waits and compares once more what differs; done if nothing is left to
// look at.
func (v *verification) again(ctx workflow.Context, phase string, settle time.Duration) (done bool, err error) {
	refs := v.differing()
	if len(refs) == 0 {
		return true, nil
	}
	v.show(ctx, phase, v.place.Total)
	if err := workflow.Sleep(ctx, settle); err != nil {
		return false, err
	}
	got, err := v.verify(ctx, fmt.Sprintf("%s at %d objects", phase, len(refs)), activities.VerifyInput{Again: refs})
	if err != nil {
		return false, err
	}
	v.report.Again(refs, got.Found)
	return v.report.Differ == 0, nil
}

func (v *verification) differing() []object.Ref {
	refs := make([]object.Ref, len(v.report.Differences))
	for i, d := range v.report.Differences {
		refs[i] = d.Ref
	}
	return refs
}

// errNoPair says that there is nobody who could repair.
var errNoPair = errors.New("nothing was repaired: the pair does not run (chef-sync-ctl sync-start)")

// repair tells the pair what to try again. Objects that only the replica has are
// left alone unless the pair deletes such.
func (v *verification) repair(ctx workflow.Context) error {
	s := Signal{Reason: "verify --repair", At: v.now(), Repair: v.repairable()}
	if len(s.Repair) == 0 {
		return nil
	}
	if err := workflow.SignalExternalWorkflow(ctx, v.in.Pair.WorkflowID(), "", SignalRepair, s).Get(ctx, nil); err != nil {
		return fmt.Errorf("%w: %w", errNoPair, err)
	}
	return nil
}

// hopeful reports whether it is worth looking another time after a repair. A
// cookbook that lacks a file is mended at once if the server knows that it lacks
// it, and never if it believes that it has the file: it takes no other content.
func (v *verification) hopeful(round int) bool {
	for _, d := range v.report.Differences {
		if extra(d) && v.place.DeleteExtras || !extra(d) && (d.Case != replicate.CaseDamaged || round < looksAtDamage) {
			return true
		}
	}
	return false
}

// repairable is what the pair can do about what differs: each object is to be made
// what the primary's is then, and to be deleted if the primary has none then. So
// what the primary has not is no matter of a repair, whether or not it could be
// read, unless the pair deletes such objects.
func (v *verification) repairable() []object.Change {
	var out []object.Change
	for _, d := range v.report.Differences {
		if !extra(d) || v.place.DeleteExtras {
			out = append(out, object.Change{Action: object.ActionUpdate, Ref: d.Ref})
		}
	}
	return out
}

// extra reports whether only the replica has an object.
func extra(d replicate.Difference) bool {
	return d.Case == replicate.CaseExtra || d.Absent == "primary"
}

// finish judges, writes the report, and tells the pair.
func (v *verification) finish(ctx workflow.Context) (report.Report, error) {
	v.report.Ended = v.now()
	v.report.Judge()
	wctx := workflow.WithActivityOptions(ctx, batchOptions("write the report", v.place.Queue))
	if err := workflow.ExecuteActivity(wctx, activities.NameVerifyReport, v.report).Get(ctx, &v.report.File); err != nil {
		logger(ctx, v.in.Pair).Warn("the report of a verification was not written", "err", err)
	}
	v.show(ctx, "done", v.place.Total)
	news := Signal{At: v.now(), Verified: &Verified{
		At: v.report.Ended, Verdict: v.report.Verdict, Differ: v.report.Differ, Report: v.report.File,
		Workflow: workflow.GetInfo(ctx).WorkflowExecution.ID,
	}}
	// A pair that does not run need not hear of it.
	_ = workflow.SignalExternalWorkflow(ctx, v.in.Pair.WorkflowID(), "", SignalVerified, news).Get(ctx, nil)
	return v.report, nil
}

// show tells queries and the Web UI how far it is.
func (v *verification) show(ctx workflow.Context, phase string, done int) {
	v.progress = VerifyProgress{Phase: phase, Done: done, Total: v.place.Total, Differ: v.report.Differ}
	text := fmt.Sprintf("### Verification of %s: %s\n\n%d of %d objects compared, %d not equal\n", v.in.Pair, phase, done, v.place.Total, v.report.Differ)
	if phase == "done" {
		text += fmt.Sprintf("\n**%s**\n", v.report.Verdict)
	}
	workflow.SetCurrentDetails(ctx, text)
}
