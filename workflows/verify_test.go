package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/workflows"
)

// checked is a stand-in for the verifying activities: a list of objects, in pages
// of two, and what is wrong with some of them.
type checked struct {
	*world
	refs    []object.Ref
	cases   map[object.Ref]replicate.Case
	absent  map[object.Ref]string // which side has none
	extras  bool                  // the pair deletes what only the replica has
	lists   int
	looks   []activities.VerifyInput
	onList  func(n int) error
	onPage  func(in activities.VerifyInput) error
	written []report.Report
	signals []workflows.Signal // to the pair
}

func newChecked(t *testing.T, n int) *checked {
	c := &checked{world: newWorld(t), cases: map[object.Ref]replicate.Case{}}
	for i := range n {
		c.refs = append(c.refs, object.MustRef(fmt.Sprintf("/roles/r%d", i)))
	}
	c.env.RegisterActivityWithOptions(c.list, activity.RegisterOptions{Name: activities.NameVerifyList})
	c.env.RegisterActivityWithOptions(c.check, activity.RegisterOptions{Name: activities.NameVerify})
	c.env.RegisterActivityWithOptions(c.write, activity.RegisterOptions{Name: activities.NameVerifyReport})
	return c
}

// pairRuns takes the signals to the pair; act is called with each, and err is what
// sending it comes to.
func (c *checked) pairRuns(err error, act func(workflows.Signal)) {
	const anything = "mock.Anything" // that of testify, which the SDK's mocks are made of
	c.env.OnSignalExternalWorkflow(anything, pair.WorkflowID(), "", anything, anything).
		Return(func(_, _, _, _ string, arg any) error {
			s := arg.(workflows.Signal)
			c.signals = append(c.signals, s)
			if act != nil {
				act(s)
			}
			return err
		})
}

func (c *checked) list(context.Context, activities.VerifyListInput) (activities.VerifyPlace, error) {
	c.lists++
	if c.onList != nil {
		if err := c.onList(c.lists); err != nil {
			return activities.VerifyPlace{}, err
		}
	}
	place := activities.VerifyPlace{ID: fmt.Sprint("list", c.lists), Total: len(c.refs), DeleteExtras: c.extras}
	if c.lists == 1 {
		place.Lacking = []report.Lacking{{Side: "replica", Kind: object.KindPolicy, Objects: 1}}
	}
	return place, nil
}

func (c *checked) check(_ context.Context, in activities.VerifyInput) (activities.VerifyResult, error) {
	c.looks = append(c.looks, in)
	if c.onPage != nil {
		if err := c.onPage(in); err != nil {
			return activities.VerifyResult{}, err
		}
	}
	refs, next := in.Again, in.Offset
	if len(refs) == 0 {
		next = min(in.Offset+2, len(c.refs))
		refs = c.refs[in.Offset:next]
	}
	out := activities.VerifyResult{Next: next}
	n := replicate.KindCount{Kind: object.KindRole}
	for _, ref := range refs {
		n.Primary, n.Replica = n.Primary+1, n.Replica+1
		if is, bad := c.cases[ref]; bad {
			out.Found.Differences = append(out.Found.Differences, replicate.Difference{Ref: ref, Case: is, What: string(is), Absent: c.absent[ref]})
		} else {
			n.Equal++
		}
	}
	out.Found.Counts = []replicate.KindCount{n}
	return out, nil
}

func (c *checked) write(_ context.Context, r report.Report) (string, error) {
	c.written = append(c.written, r)
	return "/reports/r1", nil
}

// verify runs a VerifyWorkflow to its end.
func (c *checked) verify(in workflows.VerifyInput) report.Report {
	c.t.Helper()
	in.Pair = pair
	c.env.ExecuteWorkflow(workflows.VerifyName, in)
	var r report.Report
	if err := c.env.GetWorkflowResult(&r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// bad makes objects differ.
func (c *checked) bad(is replicate.Case, paths ...string) {
	for _, p := range paths {
		c.cases[object.MustRef(p)] = is
	}
}

// verifiedSignal is what the pair was told at the end.
func (c *checked) verifiedSignal() workflows.Verified {
	c.t.Helper()
	i := slices.IndexFunc(c.signals, func(s workflows.Signal) bool { return s.Verified != nil })
	if i < 0 {
		c.t.Fatalf("the pair was told %v, and not how the verification ended", c.signals)
	}
	return *c.signals[i].Verified
}

// Everything is compared page by page; the report, the pair and queries say so.
func TestVerifyComparesEveryPage(t *testing.T) {
	c := newChecked(t, 5)
	c.pairRuns(nil, nil)
	r := c.verify(workflows.VerifyInput{})
	if r.Verdict != report.Equal || r.Counts[0] != (replicate.KindCount{Kind: object.KindRole, Primary: 5, Replica: 5, Equal: 5}) {
		t.Errorf("report %+v; want 5 equal roles", r)
	}
	var offsets []int
	for _, in := range c.looks {
		offsets = append(offsets, in.Offset)
	}
	if want := []int{0, 2, 4}; !slices.Equal(offsets, want) {
		t.Errorf("pages from %v; want %v and no second look", offsets, want)
	}
	if len(c.written) != 1 || c.written[0].Verdict != report.Equal || r.File != "/reports/r1" {
		t.Errorf("written %+v, returned %q", c.written, r.File)
	}
	if v := c.verifiedSignal(); v.Verdict != report.Equal || v.Report != "/reports/r1" || v.Workflow == "" || v.At.IsZero() {
		t.Errorf("the pair was told %+v", v)
	}
	var p workflows.VerifyProgress
	if v, err := c.env.QueryWorkflow(workflows.QueryProgress); err != nil || v.Get(&p) != nil || p.Phase != "done" || p.Total != 5 {
		t.Errorf("progress %+v, %v", p, err)
	}
}

// What differs is looked at again: a change may have been on its way.
func TestVerifyLooksAgain(t *testing.T) {
	c := newChecked(t, 5)
	c.bad(replicate.CaseDifferent, "/roles/r1", "/roles/r3")
	c.onPage = func(in activities.VerifyInput) error {
		if len(in.Again) > 0 {
			delete(c.cases, object.MustRef("/roles/r1"))
		}
		return nil
	}
	c.pairRuns(nil, nil)
	r := c.verify(workflows.VerifyInput{Settle: time.Second})
	if r.Verdict != report.Differs || r.Differ != 1 || r.Differences[0].Ref != object.MustRef("/roles/r3") || r.Counts[0].Equal != 4 {
		t.Errorf("report %+v; want r3 alone", r)
	}
	last := c.looks[len(c.looks)-1]
	if len(c.looks) != 3+2 || !slices.Equal(last.Again, []object.Ref{object.MustRef("/roles/r3")}) {
		t.Errorf("%d looks, the last at %v; want two more, the last at r3", len(c.looks), last.Again)
	}
	if len(c.signals) != 1 {
		t.Errorf("the pair was told %v; want nothing to repair", c.signals)
	}
}

// A list that is gone is made anew, and nothing of the first try is left; not for
// ever.
func TestVerifyBeginsAnewWhenItsListIsLost(t *testing.T) {
	lost := temporal.NewNonRetryableApplicationError("gone", activities.TypeStagingLost, nil)
	c := newChecked(t, 5)
	c.onPage = func(in activities.VerifyInput) error {
		if in.Place.ID == "list1" && in.Offset == 2 {
			return lost
		}
		return nil
	}
	c.pairRuns(nil, nil)
	if r := c.verify(workflows.VerifyInput{}); r.Verdict != report.Equal || r.Counts[0].Primary != 5 || len(r.Lacking) != 0 || c.lists != 2 {
		t.Errorf("report %+v after %d lists; want 5 equal, once", r, c.lists)
	}

	c = newChecked(t, 5)
	c.onPage = func(activities.VerifyInput) error { return lost }
	c.pairRuns(nil, nil)
	if r := c.verify(workflows.VerifyInput{}); r.Verdict != report.Unknown || !strings.Contains(r.Problem, "lost 3 times") || c.lists != 3 {
		t.Errorf("report %+v after %d lists; want could not tell after 3", r, c.lists)
	}
}

// A trouble ends the verification with what is known, and no error.
func TestVerifyTrouble(t *testing.T) {
	trouble := temporal.NewNonRetryableApplicationError("x", activities.TypePair, nil,
		activities.Trouble{Key: "pair", Message: "GET https://chef-1: 401 wrong key"})
	for _, known := range []bool{false, true} {
		c := newChecked(t, 5)
		want := report.Unknown
		if known {
			c.bad(replicate.CaseMissing, "/roles/r0")
			want = report.Differs
		}
		c.onPage = func(in activities.VerifyInput) error {
			if in.Offset == 2 {
				return trouble
			}
			return nil
		}
		c.pairRuns(nil, nil)
		r := c.verify(workflows.VerifyInput{})
		if r.Verdict != want || r.Problem != "GET https://chef-1: 401 wrong key" || len(c.written) != 1 {
			t.Errorf("report %+v; want %s, with the problem, written", r, want)
		}
		if v := c.verifiedSignal(); v.Verdict != want {
			t.Errorf("the pair was told %+v", v)
		}
	}

	c := newChecked(t, 5)
	c.onList = func(int) error { return trouble }
	c.pairRuns(temporal.NewApplicationError("no such workflow", ""), nil) // and the pair does not run
	if r := c.verify(workflows.VerifyInput{}); r.Verdict != report.Unknown || r.Problem == "" {
		t.Errorf("report %+v; want could not tell", r)
	}
}

// A repair tells the pair what it can do something about, and looks until that is
// done.
func TestVerifyRepairs(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		c := newChecked(t, 6)
		c.extras = deletes
		c.bad(replicate.CaseDifferent, "/roles/r0")
		c.bad(replicate.CaseMissing, "/roles/r1")
		c.bad(replicate.CaseExtra, "/roles/r2")
		c.bad(replicate.CaseDamaged, "/roles/r3")
		var told []string
		c.pairRuns(nil, func(s workflows.Signal) {
			for _, one := range s.Repair {
				told = append(told, fmt.Sprint(one.Action, " ", one.Ref))
				if c.cases[one.Ref] != replicate.CaseDamaged {
					delete(c.cases, one.Ref)
				}
			}
		})
		r := c.verify(workflows.VerifyInput{Repair: true})
		want, left := "update /roles/r0 update /roles/r1 update /roles/r3", 2
		if deletes {
			want, left = "update /roles/r0 update /roles/r1 update /roles/r2 update /roles/r3", 1
		}
		if got := strings.Join(told, " "); got != want {
			t.Errorf("the pair was told %s; want %s", got, want)
		}
		if r.Verdict != report.Differs || r.Differ != left || r.Repaired != 4-left {
			t.Errorf("report %+v; want %d left, %d repaired", r, left, 4-left)
		}
		if n := len(c.looks); n != 3+2+2 {
			t.Errorf("%d looks; want 3 pages, 2 more, and two at the damage after the repair", n)
		}
	}
}

// An object that only the replica has and that could not be read there is still
// one that only the replica has: to have it tried again would delete it.
func TestVerifyRepairLeavesUnreadableExtras(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		c := newChecked(t, 3)
		c.extras = deletes
		c.bad(replicate.CaseUnknown, "/roles/r0", "/roles/r1")
		c.absent = map[object.Ref]string{object.MustRef("/roles/r1"): "primary"}
		var told []object.Change
		c.pairRuns(nil, func(s workflows.Signal) { told = append(told, s.Repair...) })
		c.verify(workflows.VerifyInput{Repair: true})
		want := 1
		if deletes {
			want = 2
		}
		if len(told) != want || told[0].Ref.Name != "r0" {
			t.Errorf("deleting extras %t: the pair was told %v; want %d", deletes, told, want)
		}
	}
}

// What a verification saw is old when the pair hears of it: an object that is on
// the primary by then is never deleted.
func TestRepairReadsThePrimaryBeforeItDeletes(t *testing.T) {
	w := newWorld(t)
	w.change(object.ActionCreate, "/roles/back")
	w.replica[object.MustRef("/roles/back")], w.replica[object.MustRef("/roles/extra")] = true, true
	w.at(time.Minute, func() {
		w.env.SignalWorkflow(workflows.SignalRepair, workflows.Signal{Repair: []object.Change{
			{Action: object.ActionDelete, Ref: object.MustRef("/roles/back")},
			{Action: object.ActionDelete, Ref: object.MustRef("/roles/extra")},
		}})
	})
	w.run(following(1), 2*time.Minute)
	if h := w.history(); slices.Contains(h, "delete /roles/back") || !slices.Contains(h, "delete /roles/extra") {
		t.Errorf("history %q; want that extra is deleted, and that back stays", h)
	}
}

// Where nobody can repair, the report says so, and still what differs.
func TestVerifyRepairNeedsThePair(t *testing.T) {
	c := newChecked(t, 2)
	c.bad(replicate.CaseDifferent, "/roles/r0")
	c.pairRuns(temporal.NewApplicationError("no such workflow", ""), nil)
	r := c.verify(workflows.VerifyInput{Repair: true})
	if r.Verdict != report.Differs || !strings.Contains(r.Problem, "sync-start") || r.Repaired != 0 {
		t.Errorf("report %+v; want that nothing was repaired, and why", r)
	}
}

// The pair shows how its last verification ended.
func TestPairShowsVerification(t *testing.T) {
	w := newWorld(t)
	w.at(time.Minute, func() {
		w.env.SignalWorkflow(workflows.SignalVerified, workflows.Signal{Verified: &workflows.Verified{Verdict: report.Differs, Differ: 3}})
	})
	s := w.run(following(0), 2*time.Minute)
	if s.Verified == nil || s.Verified.Differ != 3 {
		t.Errorf("status %+v", s.Verified)
	}
	if got := s.Verified.String(); got != "never: differs, 3 objects" {
		t.Errorf("in words: %s", got)
	}
	if got := (*workflows.Verified)(nil).String(); got != "never" {
		t.Errorf("none in words: %s", got)
	}
}

// Each page is told how many differences are named already: a report names only so
// many, and what Temporal keeps of a page has to stay small.
func TestVerifySaysHowManyAreNamed(t *testing.T) {
	c := newChecked(t, 6)
	c.bad(replicate.CaseDifferent, "/roles/r0", "/roles/r2", "/roles/r3", "/roles/r5")
	c.pairRuns(nil, nil)
	c.verify(workflows.VerifyInput{})
	var named []int
	for _, in := range c.looks {
		if len(in.Again) == 0 {
			named = append(named, in.Named)
		}
	}
	if want := []int{0, 1, 3}; !slices.Equal(named, want) {
		t.Errorf("named before each page: %v; want %v", named, want)
	}
}
