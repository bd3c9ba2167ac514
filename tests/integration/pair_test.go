package integration

import (
	"fmt"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

const workflowID = "chef-sync/sync/" + harness.Organization

// duo is two in-process Chef servers, which can be made to fail, and the
// ec-syncd between them.
type duo struct {
	t                *testing.T
	primary, replica *harness.ChefServer
	write            *harness.Content // to the primary
	syncd            *harness.Syncd
}

func newDuo(t *testing.T, settings string) *duo {
	t.Helper()
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{ConcurrentUploadFails: true})}
	d.write = harness.Write(t, d.primary.Client)
	d.syncd = harness.NewSyncd(t, d.primary.Side(), d.replica.Side(), "poll_interval 1\n"+settings)
	return d
}

func (d *duo) start() {
	d.t.Helper()
	d.syncd.MustCtl(d.t, "sync-start", harness.Organization)
}

// equal waits until both servers hold the same, as read past their APIs.
func (d *duo) equal(when string) {
	d.t.Helper()
	var diff []string
	harness.Until(d.t, when+": both servers equal", func() bool {
		diff = harness.Diff(d.t, d.primary, d.replica)
		return len(diff) == 0
	}, func() string {
		return fmt.Sprintf("%d differences, the first: %v\nstatus: %v", len(diff), diff[:min(3, len(diff))], d.syncd.Status(d.t))
	})
}

// is waits until sync-status says that a field has a value.
func (d *duo) is(field string, want any) {
	d.t.Helper()
	var got harness.PairStatus
	harness.Until(d.t, fmt.Sprintf("status %s = %v", field, want), func() bool {
		got = d.syncd.Status(d.t)
		return got != nil && fmt.Sprint(got[field]) == fmt.Sprint(want)
	}, func() string { return fmt.Sprint(got) })
}

func (d *duo) signal(name string, input any) {
	d.t.Helper()
	if err := d.syncd.Temporal(d.t).SignalWorkflow(d.t.Context(), workflowID, "", name, input); err != nil {
		d.t.Fatalf("signal %s: %v", name, err)
	}
}

// A pair is stopped and started by every means that an operator has, and goes
// on from its cursor: what has not changed is not even read again.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")

	for i, way := range []struct {
		name        string
		stop, start func()
	}{
		{"chef-sync-ctl", func() { d.syncd.MustCtl(t, "sync-stop", harness.Organization) }, d.start},
		{"a bare signal, as temporal workflow signal --name stop sends it", func() { d.signal("stop", nil) }, func() { d.signal("start", nil) }},
		{"a signal with words, as the Web UI's button may send it", func() { d.signal("stop", "because") }, func() { d.signal("start", map[string]int{"x": 1}) }},
	} {
		way.stop()
		d.is("state", "stopped")
		d.write.Role("role0", fmt.Sprint("changed ", i))
		d.write.Role(fmt.Sprint("new", i), "1")
		if diff := harness.Diff(t, d.primary, d.replica); len(diff) != 2 {
			t.Errorf("%s: a stopped pair left %d differences; want 2: %v", way.name, len(diff), diff)
		}
		d.replica.ResetStats()
		way.start()
		d.equal(way.name)
		if n := d.replica.Stats().WriteTotal(); n != 2 {
			t.Errorf("%s: %d writes after the start; want 2, it resumes from its cursor", way.name, n)
		}
	}
	d.is("feed", "updated_since")
}

// Whatever the process was doing when it was killed, the end is right, and no
// object is written that was equal already.
func TestKillInTheMiddleOfBootstrap(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	for i := range 60 {
		d.write.Item("many", fmt.Sprintf("item%02d", i), "1")
	}
	slow := d.replica.Faults().Add(chefserver.Fault{Method: "POST", Path: harness.Path("/data/many$"), Skip: 20, Effect: chefserver.Delay(200e6)})
	d.start()
	harness.Until(t, "half of the items are written", func() bool { return slow.Hits() > 10 }, func() string { return d.syncd.Log(t) })
	d.syncd.Kill()
	slow.Remove()
	held := d.replica.Stats().Writes
	d.replica.ResetStats()
	d.syncd.Start(t)
	d.equal("after kill -9")
	d.is("state", "following")
	again := 0
	for path, n := range d.replica.Stats().Writes {
		if held[path] > 0 && n > 0 {
			again++
		}
	}
	// Only what was in flight when the process died may be asked for again, and
	// then it is refused as existing and found equal.
	if again > 8 {
		t.Errorf("%d objects that were on the replica were written again; want at most those in flight", again)
	}
}

// An idle pair adds nothing to its history, however often it polls.
func TestIdlePairAddsNoHistory(t *testing.T) {
	d := newDuo(t, "poll_hold 0\n") // so that there are polls to count
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")
	events := func() int64 {
		got, err := d.syncd.Temporal(t).DescribeWorkflowExecution(t.Context(), workflowID, "")
		if err != nil {
			t.Fatal(err)
		}
		return got.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	polls := func() int { return d.primary.Stats().Requests["GET /organizations/ORG/updated_since"] }
	before, asked := events(), polls()
	harness.Until(t, "five more polls", func() bool { return polls() >= asked+5 }, func() string { return fmt.Sprint(d.primary.Stats().Requests) })
	if after := events(); after != before {
		t.Errorf("%d polls added %d events to the history; want none", polls()-asked, after-before)
	}
}
