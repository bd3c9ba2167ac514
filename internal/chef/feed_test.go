package chef

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/pace"
)

func TestUpdatedSince(t *testing.T) {
	var seen []wire
	c := testClient(t, recorder(&seen, says(200, `[{"id":7,"action":"create","path":"/roles/web","new_key":1},{"id":9223372036854775807,"action":"delete","path":"/data/b"}]`,
		headerFeedOrgGUID, "g1", headerFeedEpoch, "e1", headerFeedHead, "12")))
	got, err := c.UpdatedSince(t.Context(), 6, UpdatedSinceOptions{Limit: 2, Wait: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	want := &UpdatedSince{
		Changes: []FeedEntry{{7, "create", "/roles/web"}, {9223372036854775807, "delete", "/data/b"}},
		OrgGUID: "g1", Epoch: "e1", Head: 12, HasHead: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if seen[0].URL != "/organizations/acme/updated_since?limit=2&seq=6&wait=30" {
		t.Errorf("asked %s", seen[0].URL)
	}

	plain := testClient(t, recorder(&seen, says(200, `[]`)))
	got, err = plain.UpdatedSince(t.Context(), 0, UpdatedSinceOptions{})
	if diff := cmp.Diff(&UpdatedSince{Changes: []FeedEntry{}}, got); diff != "" || err != nil {
		t.Errorf("empty page: %v (-want +got):\n%s", err, diff)
	}
	if seen[1].URL != "/organizations/acme/updated_since?seq=0" {
		t.Errorf("asked %s", seen[1].URL)
	}
}

func TestUpdatedSinceErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		h     http.HandlerFunc
		is    error
		says  string
		class Class
	}{
		{"stock server", says(404, "<html><title>404</title></html>"), ErrNoFeed, "", ClassPair},
		{"chef-zero", says(404, `{"error":["Object not found: /updated_since"]}`), ErrNoFeed, "", ClassPair},
		{"goiardi", says(200, ""), ErrNoFeed, "", ClassPair},
		{"no organization", says(404, `{"error":["organization 'acme' does not exist."]}`), ErrOrgNotFound, "", ClassPair},
		{"pruned", says(410, `{"error":["changes before 90 were forgotten"]}`), ErrGone, "changes before 90 were forgotten", ClassPair},
		{"web page", says(200, "<html>"), ErrNotChef, "", ClassPair},
		{"object", says(200, `{}`), ErrNotChef, "", ClassPair},
		{"null", says(200, `null`), ErrNotChef, "", ClassPair},
		{"no content", says(204, ``), ErrNotChef, "", ClassPair},
		{"no id", says(200, `[{"action":"create","path":"/roles/a"}]`), ErrNotChef, "", ClassPair},
		{"id is no integer", says(200, `[{"id":1.5,"action":"create","path":"/roles/a"}]`), ErrNotChef, "", ClassPair},
		{"no path", says(200, `[{"id":1,"action":"create"}]`), ErrNotChef, "", ClassPair},
		{"null entry", says(200, `[null]`), ErrNotChef, "", ClassPair},
		{"down", says(503, ""), nil, "503", ClassRetry},
	} {
		got, err := testClient(t, tt.h).UpdatedSince(t.Context(), 1, UpdatedSinceOptions{})
		if err == nil || Classify(err) != tt.class || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, %v of class %s; want %v with %q", tt.name, got, err, Classify(err), tt.is, tt.says)
		}
		if tt.is != ErrNoFeed && errors.Is(err, ErrNoFeed) {
			t.Errorf("%s: %v passes for a server without feed", tt.name, err)
		}
	}
}

// A long poll neither takes a slot nor counts against the time-out.
func TestUpdatedSinceWaits(t *testing.T) {
	polling, release := make(chan struct{}), make(chan struct{})
	p := pace.New(pace.Limits{Parallel: 1}, pace.Clock{})
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("wait") {
			close(polling)
			<-release
			says(200, "[]")(w, r)
			return
		}
		says(200, "{}")(w, r)
	}
	c := testClient(t, serve, func(o *Options) { o.Pace, o.Timeout = p, 50*time.Millisecond })
	beside := testClient(t, serve, func(o *Options) { o.Pace = p })
	done := make(chan error)
	go func() {
		_, err := c.UpdatedSince(t.Context(), 1, UpdatedSinceOptions{Wait: 30 * time.Second})
		done <- err
	}()
	<-polling
	if _, err := beside.ListRoles(t.Context()); err != nil {
		t.Errorf("beside a long poll: %v", err)
	}
	time.Sleep(60 * time.Millisecond)
	close(release)
	if err := <-done; err != nil {
		t.Errorf("long poll: %v", err)
	}
}
