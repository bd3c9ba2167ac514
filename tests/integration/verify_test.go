package integration

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

const verifyID = "chef-sync-verify/sync/" + harness.Organization

// ctl runs chef-sync-ctl and fails the test unless it ends with a code.
func (d *duo) ctl(want int, args ...string) (stdout, stderr string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 3*time.Minute) // it looks again, and again
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.BuildBinary(d.t, "./starter"), append([]string{"--config", d.syncd.Config}, args...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != want {
		d.t.Fatalf("chef-sync-ctl %v ends with %d (%v); want %d\n%s%s", args, code, err, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func (d *duo) says(where, text string, want ...string) {
	d.t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			d.t.Errorf("%s does not say %q:\n%s", where, w, text)
		}
	}
}

// A verification proves that the servers are equal and writes nothing; it names
// every damage that somebody did behind the pair's back, and brings back what can
// be.
func TestVerifyAndRepair(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")

	d.replica.ResetStats()
	file := filepath.Join(t.TempDir(), "report")
	stdout, stderr := d.ctl(0, "verify", "--settle", "1s", harness.Organization, "--report", file)
	d.says("the report", stdout, "EQUAL", "cookbook", "data_bag_item")
	d.says("stderr", stderr, "wrote "+file, "data/reports/verify-acme-")
	if n := d.replica.Stats().WriteTotal(); n != 0 {
		t.Errorf("a verification wrote %d times; want none", n)
	}
	if text, err := os.ReadFile(file + ".txt"); err != nil || string(text) != stdout {
		t.Errorf("%s.txt is not what was printed (%v)", file, err)
	}
	kept, err := filepath.Glob(filepath.Join(d.syncd.Dir, "data", "reports", "verify-acme-*.json"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the worker keeps %v (%v); want one report", kept, err)
	}
	harness.Until(t, "the pair heard of it", func() bool { return verifiedAt(d) != nil }, func() string { return d.syncd.Log(t) })
	if v := fmt.Sprint(d.syncd.Status(t)["verified"]); !strings.Contains(v, "verdict:equal workflow:"+verifyID) ||
		!strings.Contains(v, "report:"+strings.TrimSuffix(first(kept), ".json")) {
		t.Errorf("status says of it %s", v)
	}

	d.damage()
	stdout, _ = d.ctl(1, "verify", "--settle", "1s", harness.Organization)
	d.says("the report", stdout, "DIFFERS", "~ /roles/role0", "+ /data/users/user1", "- /roles/extra", "! /cookbooks/app/1.0.0")

	stdout, _ = d.ctl(1, "verify", "--settle", "1s", harness.Organization, "--repair", "--output", "json")
	var got struct {
		Repaired    int
		Differences []struct{ Ref, Case string }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	left := map[string]string{}
	for _, one := range got.Differences {
		left[one.Ref] = one.Case
	}
	if want := map[string]string{"/roles/extra": "extra", "/cookbooks/app/1.0.0": "damaged"}; fmt.Sprint(left) != fmt.Sprint(want) {
		t.Errorf("after a repair these differ: %v; want %v: extras stay, and a file under its right name cannot be replaced", left, want)
	}
	if got.Repaired != 2 {
		t.Errorf("%d repaired; want the role and the item", got.Repaired)
	}
	d.is("state", "following")
}

func verifiedAt(d *duo) any {
	v, _ := d.syncd.Status(d.t)["verified"].(map[string]any)
	return v["at"]
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// damage changes the replica behind the pair's back.
func (d *duo) damage() {
	d.t.Helper()
	there := harness.Write(d.t, d.replica.Client)
	there.Role("role0", "not the primary's")
	there.Role("extra", "1")
	if err := d.replica.Client.DeleteDataBagItem(d.t.Context(), "users", "user1"); err != nil {
		d.t.Fatal(err)
	}
	sum := md5.Sum([]byte("a")) //nolint:gosec // see the import; recipes/default.rb of app 1.0.0
	if err := d.replica.CorruptBlob(harness.Organization, hex.EncodeToString(sum[:])); err != nil {
		d.t.Fatal(err)
	}
}

// For migrations: one command copies, proves and ends; a pair that runs is proved
// and goes on.
func TestSyncOnce(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	stdout, _ := d.ctl(0, "sync-once", "--settle", "1s", harness.Organization, "--timeout", "2m")
	d.says("the report", stdout, "EQUAL")
	harness.CheckInSync(t, d.primary, d.replica)
	d.is("state", "synced once")
	d.is("attention", false)

	// Again, with an object that the replica refuses.
	d.write.Role("bad", "1")
	d.write.Item("users", "good", "1")
	refuse := d.replica.Faults().Add(chefserver.Fault{Method: "POST", Path: harness.Path("/roles/?$"),
		Effect: chefserver.Status(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)})
	d.replica.ResetStats()
	stdout, _ = d.ctl(1, "sync-once", "--settle", "1s", harness.Organization)
	d.says("the report", stdout, "DIFFERS", "+ /roles/bad", "UNSYNCED: 1", "413")
	if n := d.replica.Stats().WriteTotal(); n != 1 {
		t.Errorf("%d writes; want the one item", n)
	}
	refuse.Remove()
	d.is("state", "synced once")
	d.is("attention", true)

	// While the pair runs continuously.
	d.start()
	d.is("state", "following")
	d.write.Role("role0", "new")
	_, stderr := d.ctl(0, "sync-once", "--settle", "1s", harness.Organization)
	d.says("stderr", stderr, "runs already")
	harness.CheckInSync(t, d.primary, d.replica)
	d.is("state", "following")
}

// Deletes that are dropped are not made, and the pair goes on.
func TestDropDeletes(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	for i := range 30 {
		d.write.Item("many", fmt.Sprintf("item%02d", i), "1")
	}
	d.start()
	d.equal("bootstrap")
	d.syncd.MustCtl(t, "sync-stop", harness.Organization)
	for i := range 30 {
		if err := d.primary.Client.DeleteDataBagItem(t.Context(), "many", fmt.Sprintf("item%02d", i)); err != nil {
			t.Fatal(err)
		}
	}
	d.start()
	d.is("state", "halted")
	stdout, stderr := d.ctl(0, "drop-deletes", harness.Organization, "--yes")
	d.says("stderr", stderr, "data_bag_item: 30")
	d.says("stdout", stdout, "the objects stay")
	d.is("state", "following")
	d.is("extras", 30)
	d.write.Role("later", "1")
	harness.Until(t, "the pair goes on", func() bool {
		_, err := d.replica.Client.GetRole(t.Context(), "later")
		return err == nil
	}, func() string { return fmt.Sprint(d.syncd.Status(t)) })
	stdout, _ = d.ctl(1, "verify", "--settle", "1s", harness.Organization)
	d.says("the report", stdout, "- /data/many/item00", "NOT EQUAL: 30")
}

// ec-syncd schedules what verify_at says when it starts, and no more.
func TestNightlyVerification(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "verify_at '03:30'\n")
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	schedules := d.syncd.Temporal(t).ScheduleClient()
	nightly := func() client.ScheduleHandle { return schedules.GetHandle(t.Context(), verifyID) }
	what, err := nightly().Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := what.Schedule.Policy; p.Overlap != enums.SCHEDULE_OVERLAP_POLICY_SKIP || p.CatchupWindow != time.Hour {
		t.Errorf("policy %+v", p)
	}
	if next := what.Info.NextActionTimes; len(next) == 0 || next[0].UTC().Format("15:04") != "03:30" {
		t.Errorf("it runs next at %v; want 03:30 UTC", next)
	}
	if err := nightly().Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, "the pair heard of a verification", func() bool { return verifiedAt(d) != nil },
		func() string { return fmt.Sprint(d.syncd.Status(t)) + d.syncd.Log(t) })
	v := d.syncd.Status(t)["verified"].(map[string]any)
	if id := fmt.Sprint(v["workflow"]); v["verdict"] != "equal" || !strings.HasPrefix(id, verifyID+"-20") {
		t.Errorf("the pair heard %v; want equal, of a workflow with the time behind its ID", v)
	}

	// Another time, and paused by somebody.
	if err := nightly().Pause(t.Context(), client.SchedulePauseOptions{Note: "holidays"}); err != nil {
		t.Fatal(err)
	}
	d.syncd.Stop()
	d.syncd.Configure(t, d.primary.Side(), d.replica.Side(), "poll_interval 1\nverify_at '04:45'\n")
	d.syncd.Start(t)
	schedules = d.syncd.Temporal(t).ScheduleClient()
	harness.Until(t, "the schedule has the new time", func() bool {
		what, err := nightly().Describe(t.Context())
		return err == nil && what.Schedule.State.Paused && len(what.Schedule.Spec.Calendars) == 1 &&
			what.Schedule.Spec.Calendars[0].Hour[0].Start == 4 && what.Schedule.Spec.Calendars[0].Minute[0].Start == 45
	}, func() string { return d.syncd.Log(t) })

	d.syncd.Stop()
	d.syncd.Configure(t, d.primary.Side(), d.replica.Side(), "poll_interval 1\n")
	d.syncd.Start(t)
	schedules = d.syncd.Temporal(t).ScheduleClient()
	harness.Until(t, "the schedule is gone", func() bool {
		_, err := nightly().Describe(t.Context())
		return err != nil && strings.Contains(err.Error(), "not found")
	}, func() string { return d.syncd.Log(t) })
	if log := d.syncd.Log(t); strings.Contains(log, "not scheduled") || strings.Contains(log, "may be left") {
		t.Errorf("a schedule made trouble:\n%s", log)
	}
}
