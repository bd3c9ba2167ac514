package harness

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// Through serves s once more, behind the handler that wrap makes of it, and
// returns a client that goes there and signs as the one of s. What it uploads and
// downloads goes the same way.
func Through(t testing.TB, s *ChefServer, wrap func(http.Handler) http.Handler) *chef.Client {
	t.Helper()
	h := httptest.NewServer(wrap(s.Server))
	t.Cleanup(h.Close)
	return NewClient(t, h.URL, Organization, s.Client.User(), s.KeyFile)
}
