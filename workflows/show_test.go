package workflows_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// attributed is a world whose namespace has search attributes. It returns what is set
// of them, one line for each event.
func attributed(t *testing.T, names ...string) (w *world, upserts *[]string) {
	w, upserts = newWorld(t), &[]string{}
	w.attributes = names
	// The type that Run takes is one of testify, which the SDK's mocks are made of.
	onCall(w.env.OnUpsertTypedSearchAttributes("mock.Anything").Run, func(args []any) {
		var line []string
		for key, value := range args[0].(temporal.SearchAttributes).GetUntypedValues() {
			line = append(line, fmt.Sprintf("%s=%v", strings.TrimPrefix(key.GetName(), "ChefSync"), value))
		}
		slices.Sort(line)
		*upserts = append(*upserts, strings.Join(line, " "))
	}).Return(nil)
	return w, upserts
}

func onCall[A ~[]any, R any](run func(func(A)) R, f func([]any)) R {
	return run(func(args A) { f(args) })
}

func allAttributes() []string { return slices.Sorted(maps.Keys(workflows.SearchAttributes())) }

// What the list page shows changes when a pair does, and the lag only by powers of ten.
func TestSearchAttributes(t *testing.T) {
	w, upserts := attributed(t, allAttributes()...)
	w.pageLimit = 1
	bad := true
	w.refuse(&bad, "bad")
	for i := range 12 {
		w.change(object.ActionUpdate, fmt.Sprintf("/roles/r%d", i))
	}
	w.applyOp = func(activities.ApplyInput) error {
		if n := len(*upserts); n < 2 || !strings.HasPrefix((*upserts)[1], "Lag=10 ") {
			t.Errorf("the first page is applied while the lag is not shown: %q", *upserts)
		}
		w.applyOp = nil
		return nil
	}
	w.at(time.Minute, func() { w.change(object.ActionUpdate, "/roles/bad") })
	w.at(2*time.Minute, func() { bad = false })
	w.signal(2*time.Minute, workflows.SignalStop)
	w.signal(3*time.Minute, workflows.SignalStart)
	w.run(following(0), 5*time.Hour)
	const who = " Organization=acme Replica=sync "
	want := []string{
		"Mode=following" + who + "Unsynced=0",        // it has not looked yet
		"Lag=10 Mode=following" + who + "Unsynced=0", // and no event for 10
		"Lag=1 Mode=following" + who + "Unsynced=0",  // nor for 9 to 1
		"Lag=0 Mode=following" + who + "Unsynced=0",
		"Lag=0 Mode=following" + who + "Unsynced=1",
		"Lag=0 Mode=stopped" + who + "Unsynced=1",
		"Lag=0 Mode=following" + who + "Unsynced=1",
		"Lag=0 Mode=following" + who + "Unsynced=0",
	}
	if !slices.Equal(*upserts, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(*upserts, "\n"), strings.Join(want, "\n"))
	}
}

// A pair that has compared nothing yet has no lag.
func TestLagIsNotKnown(t *testing.T) {
	w, upserts := attributed(t, "ChefSyncLag", "ChefSyncMode")
	w.onPoll = func(activities.PollInput) (*activities.PollResult, error) {
		return &activities.PollResult{Trouble: &activities.Trouble{Key: "pair/401", Message: "no"}}, nil
	}
	w.run(workflows.State{}, time.Minute)
	if want := []string{"Mode=bootstrapping", "Mode=waiting"}; !slices.Equal(*upserts, want) {
		t.Errorf("got %q, want %q", *upserts, want)
	}
}

// A pair sets what its namespace has: nothing, then, while it runs, some, and then
// one less.
func TestSearchAttributesComeAndGo(t *testing.T) {
	w, upserts := attributed(t)
	w.at(time.Minute, func() { w.attributes = []string{"ChefSyncUnsynced", "ChefSyncMode"} })
	w.signal(2*time.Minute, workflows.SignalSyncNow)
	w.signal(3*time.Minute, workflows.SignalSyncNow)
	w.at(4*time.Minute, func() { w.attributes = []string{"ChefSyncMode"} })
	w.signal(5*time.Minute, workflows.SignalStop)
	w.run(following(0), time.Hour)
	if want := []string{"Mode=following Unsynced=0", "Mode=stopped"}; !slices.Equal(*upserts, want) {
		t.Errorf("got %q, want %q", *upserts, want)
	}
}

// A pair that an older release began goes on as that did, until it continues as new.
func TestSearchAttributesOfAnOlderRelease(t *testing.T) {
	for _, has := range []bool{true, false} {
		w, upserts := attributed(t, allAttributes()...)
		w.env.OnGetVersion("search-attributes", workflow.DefaultVersion, 1).Return(workflow.DefaultVersion)
		w.runWith(workflows.SyncInput{Pair: pair, State: following(0), Options: workflows.Options{SearchAttributes: has}}, time.Hour)
		want := []string{"Mode=following Organization=acme Replica=sync Unsynced=0"}
		if !has {
			want = nil
		}
		if !slices.Equal(*upserts, want) {
			t.Errorf("started with %t: got %q, want %q", has, *upserts, want)
		}
	}
}

// The current details are tables, whatever a server answers.
func TestDetails(t *testing.T) {
	w := newWorld(t)
	well := false
	w.onPoll = func(activities.PollInput) (*activities.PollResult, error) {
		if well {
			return nil, nil
		}
		return &activities.PollResult{Trouble: &activities.Trouble{
			Key: "pair/502", Message: "GET /organizations/acme: 502\nBad | Gateway " + strings.Repeat("x", 2000), Hint: "curl -I https://chef",
		}}, nil
	}
	w.change(object.ActionUpdate, "/roles/a")
	details := func() string {
		t.Helper()
		var m sdkpb.WorkflowMetadata
		v, err := w.env.QueryWorkflow("__temporal_workflow_metadata")
		if err == nil {
			err = v.Get(&m)
		}
		if err != nil {
			t.Fatal(err)
		}
		return m.GetCurrentDetails()
	}
	var waiting, followed string
	w.at(time.Minute, func() { waiting = details(); well = true })
	w.signal(2*time.Minute, workflows.SignalSyncNow)
	w.at(3*time.Hour, func() { followed = details() })
	w.run(following(0), 4*time.Hour)

	holds(t, "waiting", waiting, "| Mode | waiting since ", "| Feed | updated_since |", "| Lag | not known |", "| Last error | ",
		`: GET /organizations/acme: 502 Bad \| Gateway xxx`, " … |", "What helps: `curl -I https://chef`")
	holds(t, "following", followed, "| Mode | following since ", "| Lag | 0 changes, when it last looked |", "| Last error | ", "502 Bad")
	for line := range strings.Lines(followed) {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 3 || len(line) > 600 {
			t.Errorf("no row of two cells: %s", line)
		}
	}
}

func holds(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", what, want, text)
		}
	}
}
