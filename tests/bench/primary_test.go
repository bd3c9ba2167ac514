package bench

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// BenchmarkPrimary measures how soon a change arrives from a primary with a feed
// server of its own: a row in PostgreSQL, the change log, a held request, the
// replica. What the change log itself costs is measured beside its code.
func BenchmarkPrimary(b *testing.B) {
	s := chosen()
	s.roles = max(s.roles/4, 10)
	singles := 100
	if *quick {
		singles = 5
	}
	t := &table{}
	for _, capture := range []string{":triggers", ":snapshot"} {
		f := newFed(b, s, capture)
		f.latency(t, "capture "+capture, singles)
		f.Stop()
	}
	t.print(fmt.Sprintf("a primary with a feed server on PostgreSQL; poll_hold 60\n%s", s))
}

// newFed copies everything from a primary with a feed server.
func newFed(t testing.TB, s size, capture string) *follower {
	t.Helper()
	f := &follower{
		primary: harness.Chef(t, chefserver.Options{Feed: true}), // which the rows follow
		replica: harness.Chef(t, chefserver.Options{Feed: true}),
	}
	s.load(t, f.primary.Client)
	f.rows = harness.NewMirror(t, f.primary)
	feed := harness.NewFeedd(t, f.rows, "ec_sync_server['capture'] = "+capture)
	nginx := httptest.NewServer(harness.AsNginx(feed.URL)(f.primary.Server))
	t.Cleanup(nginx.Close)
	side := f.primary.Side()
	side.URL = nginx.URL
	f.pair = newPair(t, side, f.replica.Side(), "poll_hold 60\nfeed :updated_since\n")
	f.start()
	f.following(1)
	return f
}
