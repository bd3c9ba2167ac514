package feedserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// TestManyHeldFewConnections: those who wait keep no connection to the database,
// and all of them hear of a change.
func TestManyHeldFewConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a PostgreSQL")
	}
	t.Parallel()
	const callers = 50
	dsn, pool := database(t, newCallers(t))
	log := openLog(t, dsn, changelog.Snapshot) // with a few connections
	r := newRig(t)
	server := feedserver.New(feedserver.Options{Log: log, Auth: &trust{}, Allow: []string{"replica"}})
	r.http.Config.Handler = server
	t.Cleanup(server.Release)
	head := r.get(feedPath+"?seq=0", nil).header.Get("X-Chef-Sync-Head")
	var held []<-chan reply
	for range callers {
		held = append(held, r.later(feedPath+"?wait=60&seq="+head))
	}
	r.holds("50")
	if got := r.get(feedPath+"?seq="+head, nil); got.status != http.StatusOK || got.body != "[]" {
		t.Errorf("one who does not wait: %d %s", got.status, got.body)
	}
	_, err := pool.Exec(t.Context(), `INSERT INTO roles (org_id, authz_id, last_updated_by, id, created_at, updated_at, name, serialized_object)
		SELECT id, md5('authz'), id, md5('id'), now(), now(), 'web', '' FROM orgs WHERE name = 'acme'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range held {
		if got := <-answer; got.status != http.StatusOK || !strings.Contains(got.body, `"path":"/roles/web"`) {
			t.Errorf("one who waits: %d %s", got.status, got.body)
		}
	}
	r.holds("0")
}
