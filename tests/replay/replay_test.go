package replay

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

var record = flag.String("record", "", "record a history under this name")

func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded history: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := replayer(t, worker.WorkflowReplayerOptions{})
			if err := r.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), file); err != nil {
				t.Errorf("this history no longer replays: put the change behind a version (workflows/version.go): %v", err)
			}
		})
	}
}

// TestFreshHistoryReplays lives through everything that a workflow does (bootstrap,
// changes of every kind, an unsynced object, a comparison while a delete waits, a
// write that breaks off, stop, start, sync_now, a halt, approval, a halt that is told
// to go on without, a full comparison, a verification with repair, removal, and a pair
// that runs once) and replays what was recorded: what the workflow does must not
// depend on anything but its history. With -record it keeps the history.
func TestFreshHistoryReplays(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	primary := harness.Chef(t, chefserver.Options{Feed: true})
	replica := harness.Chef(t, chefserver.Options{})
	write := harness.Write(t, primary.Client)
	write.Small()
	for i := range 30 {
		write.Item("many", "item"+string(rune('a'+i%26))+string(rune('a'+i/26)), "1")
	}
	d := harness.NewSyncd(t, primary.Side(), replica.Side(), "poll_interval 1\ndelete_limit({ 'percent' => 10, 'objects' => 5 })\n")
	synced := func() {
		t.Helper()
		harness.Until(t, "both servers equal", func() bool { return len(harness.Diff(t, primary, replica)) == 0 },
			func() string { return d.Log(t) })
	}
	d.MustCtl(t, "sync-start", harness.Organization)
	synced()

	refused := replica.Faults().Add(chefserver.Fault{Method: "PUT", Path: harness.Path("/roles/role1$"), Effect: chefserver.Status(413, `{"error":["too large"]}`)})
	d.MustCtl(t, "sync-stop", harness.Organization) // so that one page has it all
	write.Role("role1", "2")
	write.Role("role2", "2")
	if err := primary.Client.DeleteRole(t.Context(), "role3"); err != nil { // waits for role1
		t.Fatal(err)
	}
	d.MustCtl(t, "sync-start", harness.Organization)
	harness.Until(t, "role1 and role3 are unsynced", func() bool { return d.Status(t)["unsynced"] == float64(2) }, func() string { return d.Log(t) })
	d.MustCtl(t, "forget-cursor", harness.Organization) // while a delete waits
	compared(t, d, 2)
	refused.Remove()
	d.MustCtl(t, "sync-now", harness.Organization)
	synced()

	broken := replica.Faults().Add(chefserver.Fault{Method: "PUT", Path: harness.Path("/cookbooks/"), Effect: chefserver.LicenceInvalid()})
	write.Cookbook("app", "2.0.0", false, map[string]string{"recipes/default.rb": "new"})
	harness.Until(t, "the pair waits", func() bool { return d.Status(t)["state"] == "waiting" }, func() string { return d.Log(t) })
	d.MustCtl(t, "sync-stop", harness.Organization, "--reason", "recording")
	broken.Remove()
	d.MustCtl(t, "sync-start", harness.Organization)
	synced()

	if err := primary.Client.DeleteDataBag(t.Context(), "many"); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, "halted or equal", func() bool {
		return d.Status(t)["state"] == "halted" || len(harness.Diff(t, primary, replica)) == 0
	}, func() string { return d.Log(t) })
	if d.Status(t)["state"] == "halted" {
		d.MustCtl(t, "approve-deletes", harness.Organization, "--yes")
	}
	synced()
	dropDeletes(t, d, primary, replica)
	d.MustCtl(t, "forget-cursor", harness.Organization)
	compared(t, d, 3)
	c, pair := d.Temporal(t), object.Pair{Replica: "sync", Source: harness.Organization, Destination: harness.Organization}
	if err := replica.Client.DeleteRole(t.Context(), "role4"); err != nil { // to be repaired
		t.Fatal(err)
	}
	run(t, c, workflows.VerifyStartOptions(pair), workflows.VerifyName, workflows.VerifyInput{Pair: pair, Repair: true, Settle: time.Second})
	d.MustCtl(t, "remove", harness.Organization, "--yes")
	keep(t, history(t, c, pair.WorkflowID()), "")
	keep(t, history(t, c, workflows.VerifyWorkflowID(pair)), "-verify")
	run(t, c, workflows.StartOptions(pair, false), workflows.Name, workflows.SyncInput{Pair: pair, Options: workflows.Options{Once: true}})
	keep(t, history(t, c, pair.WorkflowID()), "-once")
	if diff := harness.Diff(t, primary, replica); len(diff) > 0 {
		t.Errorf("after all of that: %v", diff)
	}
}

// compared waits until the pair has compared everything so many times.
func compared(t *testing.T, d *harness.Syncd, times float64) {
	t.Helper()
	harness.Until(t, "compared again", func() bool {
		c, _ := d.Status(t)["counters"].(map[string]any)
		return c != nil && c["surveys"] == times
	}, func() string { return d.Log(t) })
}

// dropDeletes has the pair ask about the deletes of a bag, and go on without.
func dropDeletes(t *testing.T, d *harness.Syncd, primary, replica *harness.ChefServer) {
	t.Helper()
	write := harness.Write(t, primary.Client)
	for i := range 10 {
		write.Item("kept", "item"+string(rune('a'+i)), "1")
	}
	say := func() string { return d.Log(t) }
	harness.Until(t, "both servers equal", func() bool { return len(harness.Diff(t, primary, replica)) == 0 }, say)
	if err := primary.Client.DeleteDataBag(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, "halted", func() bool { return d.Status(t)["state"] == "halted" }, say)
	if err := d.Temporal(t).SignalWorkflow(t.Context(), "chef-sync/sync/"+harness.Organization, "", workflows.SignalDropDeletes, nil); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, "following", func() bool { return d.Status(t)["state"] == "following" }, say)
	if err := replica.Client.DeleteDataBag(t.Context(), "kept"); err != nil {
		t.Errorf("delete what was to stay: %v", err)
	}
}

// run runs a workflow to its end.
func run(t *testing.T, c client.Client, o client.StartWorkflowOptions, name string, in any) {
	t.Helper()
	w, err := c.ExecuteWorkflow(t.Context(), o, name, in)
	if err == nil {
		err = w.Get(t.Context(), nil)
	}
	if err != nil {
		t.Fatalf("%s: %v", o.ID, err)
	}
}

// replayer replays our workflows. A busy machine may stand still for longer than the
// SDK takes for a deadlock.
func replayer(t *testing.T, o worker.WorkflowReplayerOptions) worker.WorkflowReplayer {
	t.Helper()
	o.DisableDeadlockDetection = true
	r, err := worker.NewWorkflowReplayerWithOptions(o)
	if err != nil {
		t.Fatal(err)
	}
	workflows.Register(r)
	return r
}

// keep replays a history, and with -record saves it under that name and suffix.
func keep(t *testing.T, h *historypb.History, suffix string) {
	t.Helper()
	r := replayer(t, worker.WorkflowReplayerOptions{})
	if err := r.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h); err != nil {
		t.Errorf("a history of this very code does not replay (%s): %v", suffix, err)
	}
	if *record != "" {
		save(t, h, *record+suffix)
	}
}

// history returns the history of a workflow that is about to close.
func history(t *testing.T, c client.Client, id string) *historypb.History {
	t.Helper()
	harness.Until(t, "workflow is closed", func() bool {
		got, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && got.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}, func() string { return id })
	it := c.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var h historypb.History
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	return &h
}

// save writes a history as the temporal CLI would.
func save(t *testing.T, h *historypb.History, name string) {
	t.Helper()
	data, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	// The name of this host is in identities and in the host's task queue.
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte(host), []byte("host"))
	file := filepath.Join("testdata", name+".json")
	if err := os.WriteFile(file, data, 0o644); err != nil { //nolint:gosec // not a secret
		t.Fatal(err)
	}
	t.Logf("%s: %d events, recorded %s", file, len(h.Events), time.Now().Format(time.DateOnly))
}
