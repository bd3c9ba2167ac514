package integration

import (
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// With bootstrap false a new pair writes nothing but what changes from then on,
// with either feed, also when contents are read again, until somebody asks for a
// comparison.
func TestBootstrapFalse(t *testing.T) {
	t.Parallel()
	for _, feed := range []string{"updated_since", "listing"} {
		t.Run(feed, func(t *testing.T) {
			d := newDuo(t, "bootstrap false\nfeed :"+feed+"\n")
			d.write.Small()
			before := len(harness.Diff(t, d.primary, d.replica))
			d.replica.ResetStats()
			d.start()
			d.is("state", "following")
			if s := d.syncd.Status(t); s["feed"] != feed || !strings.Contains(s["reason"].(string), "bootstrap is false") {
				t.Errorf("status %v; want following by %s, and that bootstrap is false", s, feed)
			}
			if n := d.replica.Stats().WriteTotal(); n != 0 {
				t.Errorf("%d writes before anything changed; want none", n)
			}

			d.syncd.MustCtl(t, "sync-now", harness.Organization)
			d.write.Role("late", "1")
			harness.Until(t, "the new role is on the replica", func() bool {
				_, err := d.replica.Client.GetRole(t.Context(), "late")
				return err == nil
			}, func() string { return d.syncd.Log(t) })
			if diff := harness.Diff(t, d.primary, d.replica); len(diff) != before {
				t.Errorf("%d differences; want the %d that there were: %v", len(diff), before, diff)
			}

			d.syncd.MustCtl(t, "forget-cursor", harness.Organization)
			d.equal("after a comparison")
			d.is("reason", nil)
		})
	}
}
