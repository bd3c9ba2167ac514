package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestDoctor: of a primary that is a goiardi, a replica that is as erchef, and an
// ec-syncd that runs, and then does not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	g := harness.Goiardi(t)
	s := harness.Chef(t, chefserver.Options{})
	d := harness.NewSyncd(t, g.Side(), s.Side(), "")
	want := func(code int, lines ...string) {
		t.Helper()
		var out, errOut string
		var got int
		// It gives each server ten seconds, and ec-syncd's workers may have yet to ask for work.
		harness.Until(t, fmt.Sprint("doctor ends with ", code), func() bool {
			out, errOut, got = d.Ctl(t, "doctor")
			return got == code
		}, func() string { return fmt.Sprintf("%d\n%s%s", got, out, errOut) })
		if errOut != "" {
			t.Errorf("doctor says besides %s", errOut)
		}
		for _, l := range lines {
			if !strings.Contains(out, l) {
				t.Errorf("no %q in\n%s", l, out)
			}
		}
	}
	want(0,
		g.URL+" is goiardi ", s.URL+" is Chef Infra Server 15.10.118, with version 2 of the API",
		"accepts the signature of "+g.User, "has no organizations, its API is at the root",
		"this server cannot hold ", "ok       rights         replica acme     "+harness.SyncUser+" is an admin",
		"ok       temporal ", "ok       attributes ", "ok       worker ", " 0 failed, 0 skipped")
	d.Stop()
	want(1, "FAIL     temporal ", "-> systemctl start ec-syncd", "skipped  worker ", " 1 failed, 2 skipped")
}
