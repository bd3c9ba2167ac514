package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// Whatever a server answers that is not the truth about an object, the pair says
// what it is, changes nothing on the replica, and goes on by itself when the
// cause is gone.
func TestTroubleIsSaidAndPasses(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")

	all := harness.Path("^/organizations/")
	fault := func(s *harness.ChefServer, e chefserver.Effect) func() func() {
		return func() func() { return s.Faults().Add(chefserver.Fault{Path: all, Effect: e}).Remove }
	}
	for _, c := range []struct {
		name   string
		begin  func() (end func())
		reason string
	}{
		{"HTML instead of JSON", fault(d.primary, chefserver.HTMLPage()), "web page"},
		{"empty 200", fault(d.primary, chefserver.EmptyOK()), "empty"},
		{"license", fault(d.primary, chefserver.LicenceInvalid()), "license"},
		{"wrong clock", func() func() {
			d.primary.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
			return func() { d.primary.SetClock(time.Now) }
		}, "clock"},
		{"wrong key", func() func() {
			good, err := os.ReadFile(d.primary.KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			write := func(data []byte) {
				if err := os.WriteFile(d.primary.KeyFile, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(otherKey(t))
			return func() { write(good) }
		}, "signature"},
		{"unknown organization", fault(d.primary, chefserver.Status(404, `{"error":["organization 'acme' does not exist."]}`)), "organization"},
		{"replica refuses", fault(d.replica, chefserver.Status(403, `{"error":["'ec_sync_user' not associated with organization 'acme'"]}`)), "not associated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.t, d.write = t, harness.Write(t, d.primary.Client)
			// The change is made first, since the primary may refuse it afterwards.
			d.syncd.MustCtl(t, "sync-stop", harness.Organization)
			d.write.Role("role0", c.name)
			end := c.begin()
			d.start()
			var got harness.PairStatus
			harness.Until(t, "status says what is wrong", func() bool {
				got = d.syncd.Status(t)
				return got["state"] == "waiting" && strings.Contains(strings.ToLower(fmt.Sprint(got["reason"])), strings.ToLower(c.reason))
			}, func() string { return fmt.Sprint(got) })
			if diff := harness.Diff(t, d.primary, d.replica); len(diff) != 1 {
				t.Errorf("%d differences while the pair waited; want only the change that was made: %v", len(diff), diff)
			}
			end()
			d.syncd.MustCtl(t, "sync-now", harness.Organization) // or wait for the next try
			d.equal("when the cause is gone")
			d.is("state", "following")
		})
	}
}

func otherKey(t *testing.T) []byte {
	t.Helper()
	other := harness.Chef(t, chefserver.Options{})
	return other.PivotalKeyPEM()
}

// A primary that is gone, that was emptied or made anew, and one whose
// organization is another, never empty the replica.
func TestNothingIsDeletedOnDoubt(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	d.write.Small()
	for i := range 40 {
		d.write.Item("many", fmt.Sprintf("item%02d", i), "1")
	}
	d.start()
	d.equal("bootstrap")
	d.is("state", "following")
	held := len(harness.Dump(t, d.replica.Client))

	if _, err := d.primary.RecreateOrganization(harness.Organization); err != nil {
		t.Fatal(err)
	}
	d.write.Role("first", "1")
	harness.Until(t, "the new organization's role", func() bool {
		_, err := d.replica.Client.GetRole(t.Context(), "first")
		return err == nil
	}, func() string { return fmt.Sprint(d.syncd.Status(t)) })
	d.is("state", "following")
	if n := len(harness.Dump(t, d.replica.Client)); n != held+1 {
		t.Errorf("the replica holds %d objects after the organization was made anew; want %d and the new one", n, held)
	}
	if extras := d.syncd.Status(t)["extras"]; fmt.Sprint(extras) == "0" {
		t.Error("status does not say that the replica has objects of its own")
	}
}

// More deletes than the limit halt the pair until an operator approves them.
func TestMassDeleteAsks(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	for i := range 30 {
		d.write.Item("many", fmt.Sprintf("item%02d", i), "1")
	}
	d.start()
	d.equal("bootstrap")
	for i := range 30 {
		if err := d.primary.Client.DeleteDataBagItem(t.Context(), "many", fmt.Sprintf("item%02d", i)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			d.syncd.MustCtl(t, "sync-stop", harness.Organization) // so that they come in one page
		}
	}
	d.start()
	d.is("state", "halted")
	if diff := harness.Diff(t, d.primary, d.replica); len(diff) < 29 {
		t.Errorf("only %d objects are left to delete; want none deleted before an operator's word", len(diff))
	}
	_, stderr, code := d.syncd.Ctl(t, "sync-status")
	if code != 1 {
		t.Errorf("sync-status ends with %d (%s); want 1: it needs a person", code, stderr)
	}
	d.syncd.MustCtl(t, "approve-deletes", harness.Organization, "--yes")
	d.equal("after the approval")
	d.is("state", "following")
}

// One object that the replica refuses is parked and stops nobody.
func TestUnsyncedObject(t *testing.T) {
	t.Parallel()
	d := newDuo(t, "")
	// It is tried again by itself, after a while.
	refuse := d.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/data/large"), Method: "POST",
		Effect: chefserver.Status(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)})
	d.write.Small()
	d.write.Item("large", "one", "1")
	d.start()
	d.is("unsynced", 1)
	d.is("state", "following")
	if refuse.Hits() == 0 {
		t.Fatal("the fault was not met")
	}
	stdout, _, code := d.syncd.Ctl(t, "unsynced-objects", harness.Organization)
	if code != 1 || !strings.Contains(stdout, "/data/large/one") || !strings.Contains(stdout, "413") {
		t.Errorf("unsynced-objects ends with %d:\n%s\nwant 1, the item and why", code, stdout)
	}
	refuse.Remove()
	d.syncd.MustCtl(t, "sync-now", harness.Organization)
	d.equal("when it is no longer refused")
	d.is("unsynced", 0)
}
