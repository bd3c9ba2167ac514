package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// openWindow is a window of maintenance that is open for an hour to come.
func openWindow() string {
	now := time.Now().UTC()
	return fmt.Sprintf("maintenance '%s-%s'\n", now.Add(-time.Minute).Format("15:04"), now.Add(time.Hour).Format("15:04"))
}

// reconfigure has ec-syncd start anew with other settings.
func (d *duo) reconfigure(settings string) {
	d.t.Helper()
	d.syncd.Stop()
	d.syncd.Configure(d.t, d.primary.Side(), d.replica.Side(), "poll_interval 1\n"+settings)
	d.syncd.Start(d.t)
}

func (d *duo) events() int64 {
	d.t.Helper()
	got, err := d.syncd.Temporal(d.t).DescribeWorkflowExecution(d.t.Context(), workflowID, "")
	if err != nil {
		d.t.Fatal(err)
	}
	return got.GetWorkflowExecutionInfo().GetHistoryLength()
}

// In a window of maintenance neither server is asked for anything and nothing is
// added to the history, whatever changes meanwhile; an operator is obeyed all the
// same. Without the window the pair goes on from its cursor.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")
	d.reconfigure(openWindow())
	d.is("state", "waiting")
	d.write.Role("late", "1")
	if s := d.syncd.Status(t); !strings.HasPrefix(fmt.Sprint(s["reason"]), "maintenance until ") || s["maintenance_until"] == nil || s["attention"] != false {
		t.Errorf("status %v", s)
	}
	if out, stderr, code := d.syncd.Ctl(t, "sync-status"); code != 0 || !strings.Contains(out, "waiting (maintenance until ") {
		t.Errorf("sync-status ends with %d: %s%s", code, out, stderr)
	}

	d.primary.ResetStats()
	d.replica.ResetStats()
	before := d.events()
	if out := d.syncd.MustCtl(t, "sync-now", harness.Organization); !strings.Contains(out, "no longer rests: maintenance until ") {
		t.Errorf("sync-now: %s", out)
	}
	d.is("state", "waiting")
	if n := d.events() - before; n > 15 {
		t.Errorf("sync-now added %d events", n)
	}
	d.syncd.MustCtl(t, "sync-stop", harness.Organization)
	d.is("state", "stopped")
	d.syncd.MustCtl(t, "sync-start", harness.Organization)
	d.is("state", "waiting")
	// A batch that was to be tried again is given up, too.
	d.signal("repair", map[string]any{"repair": []map[string]any{{"action": "update", "path": "/roles/late"}}})
	d.is("unsynced", 1)
	harness.Until(t, "the page is given up", func() bool {
		return strings.Contains(d.syncd.Log(t), "pair waits")
	}, func() string { return fmt.Sprint(d.syncd.Status(t)) })
	d.is("state", "waiting")
	if n := d.primary.Stats().Total + d.replica.Stats().Total; n != 0 {
		t.Errorf("%d requests in a window of maintenance: %v %v", n, d.primary.Stats().Requests, d.replica.Stats().Requests)
	}

	d.reconfigure("")
	d.syncd.MustCtl(t, "sync-now", harness.Organization)
	d.equal("after the window")
	d.is("state", "following")
	d.is("unsynced", 0)
	d.is("reason", nil)
	if n := d.replica.Stats().WriteTotal(); n > 2 {
		t.Errorf("%d writes for one role", n)
	}
}

// What slows a server is shown while it does.
func TestLimitIsShown(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "replica_limit['requests_per_second'] = 8\n")
	d.write.Small()
	d.start()
	harness.Until(t, "sync-status says that the replica is limited", func() bool {
		return strings.Contains(fmt.Sprint(d.syncd.Status(t)["slowed"]), "limited to 8 requests/s")
	}, func() string { return fmt.Sprint(d.syncd.Status(t)) })
	d.equal("bootstrap")
	if s := fmt.Sprint(d.syncd.Status(t)["slowed"]); strings.Contains(s, "primary") {
		t.Errorf("slowed: %s; the primary has no limit", s)
	}
}
