package chefserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry is one change as a client reads it.
type entry struct {
	Action string
	ID     int64
	Path   string
}

func (e entry) String() string { return e.Action + " " + e.Path }

// feed reads the feed and checks that its ids rise above the cursor.
func (f *fixture) feed(seq int64, params string) []entry {
	f.t.Helper()
	got := f.acme(f.joe, "GET", fmt.Sprintf("/updated_since?seq=%d%s", seq, params), "").want(200, "")
	var es []entry
	if err := json.Unmarshal([]byte(got.body), &es); err != nil || es == nil {
		f.t.Fatalf("feed %q: %v", got.body, err)
	}
	last := seq
	for _, e := range es {
		if e.ID <= last {
			f.t.Fatalf("ids do not rise above %d: %s", seq, got.body)
		}
		last = e.ID
	}
	return es
}

func (f *fixture) wantFeed(seq int64, params string, want ...string) int64 {
	f.t.Helper()
	es := f.feed(seq, params)
	var got []string
	for _, e := range es {
		got = append(got, e.String())
	}
	if !slices.Equal(got, want) {
		f.t.Fatalf("feed after %d\n got %q\nwant %q", seq, got, want)
	}
	if len(es) == 0 {
		return seq
	}
	return es[len(es)-1].ID
}

func TestFeedIsOffByDefault(t *testing.T) {
	f := newFixture(t, Options{})
	for _, path := range []string{"/updated_since?seq=0", "/objects_since?seq=0"} {
		got := f.acme(f.root, "GET", path, "").want(404, "<html>")
		if ct := got.header.Get("Content-Type"); ct != "text/html" {
			t.Errorf("%s: content type %q", path, ct)
		}
	}
}

func TestFeed(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	ok := func(method, path, body string) {
		t.Helper()
		if got := f.acme(f.root, method, path, body); got.status/100 != 2 {
			t.Fatalf("%s %s = %d %s", method, path, got.status, got.body)
		}
	}
	f.wantFeed(0, "")
	ok("POST", "/roles", `{"name":"web"}`)
	ok("POST", "/data", `{"name":"b"}`)
	ok("POST", "/data/b", `{"id":"i"}`)
	ok("POST", "/environments", `{"name":"prod"}`)
	ok("PUT", "/cookbooks/a/1.0", manifest("a", "1.0", false))
	all := []string{"create /roles/web", "create /data/b", "create /data/b/i", "create /environments/prod", "create /cookbooks/a/1.0.0"}
	at := f.wantFeed(0, "", all...)
	if head, err := f.s.FeedHead("acme"); head != at || err != nil {
		t.Errorf("FeedHead = %d, %v, want %d", head, err, at)
	}

	// Unchanged writes are no changes, in whatever order the keys come.
	ok("PUT", "/roles/web", webDefaults)
	ok("PUT", "/data/b/i", `{"id":"i"}`)
	ok("PUT", "/environments/prod", `{"name":"prod"}`)
	ok("PUT", "/cookbooks/a/1.0", manifest("a", "1.0", false))
	f.acme(f.root, "PUT", "/roles/web", `{"name":"db"}`).want(400, "")
	f.wantFeed(at, "")

	// One entry per path: the last one.
	ok("PUT", "/roles/web", `{"description":"1"}`)
	ok("PUT", "/cookbooks/a/1.0", manifest("a", "1.0", true))
	ok("PUT", "/roles/web", `{"description":"2"}`)
	at = f.wantFeed(at, "", "update /cookbooks/a/1.0.0", "update /roles/web")
	f.wantFeed(0, "", "create /data/b", "create /data/b/i", "create /environments/prod", "create /cookbooks/a/1.0.0", "create /roles/web")
	f.wantFeed(0, "&limit=2", "create /data/b", "create /data/b/i")

	// A rename is a delete and a create; a bag takes its items with it.
	ok("PUT", "/environments/prod", `{"name":"live"}`)
	ok("DELETE", "/data/b", "")
	ok("DELETE", "/cookbooks/a/1.0.0", "")
	at = f.wantFeed(at, "", "delete /environments/prod", "create /environments/live", "delete /data/b", "delete /data/b/i", "delete /cookbooks/a/1.0.0")

	// Deleted and created again since the cursor: a create.
	ok("DELETE", "/roles/web", "")
	ok("POST", "/roles", `{"name":"web"}`)
	f.wantFeed(at, "", "create /roles/web")

	// A phantom is a row, and so a change; a failed update is none.
	f.acme(f.root, "PUT", "/cookbooks/p/1.0.0", manifest("p", "1.0.0", false, "files/f="+zeroSum)).want(400, "")
	at = f.wantFeed(at, "", "create /roles/web", "create /cookbooks/p/1.0.0")
	f.acme(f.root, "PUT", "/cookbooks/p/1.0.0", manifest("p", "1.0.0", false, "files/g="+zeroSum)).want(400, "")
	f.wantFeed(at, "")
	got := f.acme(f.joe, "GET", "/objects_since?seq=0", "").want(200, "/roles/web")
	if got.body != f.acme(f.joe, "GET", "/updated_since?seq=0", "").body {
		t.Error("the alias answers something else")
	}
}

const webDefaults = `{"env_run_lists":{},"run_list":[],"override_attributes":{},"default_attributes":{},` +
	`"chef_type":"role","json_class":"Chef::Role","description":"","name":"web"}`

// The organization itself has no name in its path.
func TestFeedOfOrganization(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	f.acme(f.root, "PUT", "", `{"name":"acme","full_name":"Acme & Co."}`).want(200, "")
	f.wantFeed(0, "", "update /organization")
}

func TestFeedParameters(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	for _, q := range []string{"", "?seq=", "?seq=-1", "?seq=x", "?seq=0&limit=0", "?seq=0&limit=x", "?seq=0&wait=x", "?seq=0&wait=-1"} {
		f.acme(f.joe, "GET", "/updated_since"+q, "").want(400, "invalid")
	}
	f.acme(f.eve, "GET", "/updated_since?seq=0", "").want(403, "not associated")
}

func TestFeedPruned(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	for _, n := range []string{"a", "b", "c"} {
		f.acme(f.root, "POST", "/roles", `{"name":"`+n+`"}`).want(201, "")
	}
	f.acme(f.root, "DELETE", "/roles/a", "").want(200, "") // 4
	f.acme(f.root, "DELETE", "/roles/b", "").want(200, "") // 5
	f.wantFeed(1, "", "create /roles/c", "delete /roles/a", "delete /roles/b")
	if n, err := f.s.PruneFeed("acme"); n != 2 || err != nil {
		t.Fatalf("PruneFeed = %d, %v", n, err)
	}
	f.wantFeed(0, "", "create /roles/c")
	f.wantFeed(5, "")
	for _, seq := range []string{"1", "4", "6"} {
		got := f.acme(f.joe, "GET", "/updated_since?seq="+seq, "").want(410, `{"error":["`)
		if got.header.Get("X-Chef-Sync-Head") != "5" {
			t.Errorf("a 410 has no head: %v", got.header)
		}
	}
}

func TestFeedIdentity(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	ids := func() (guid, epoch, head string) {
		h := f.acme(f.joe, "GET", "/updated_since?seq=0", "").want(200, "").header
		return h.Get("X-Chef-Sync-Org-Guid"), h.Get("X-Chef-Sync-Epoch"), h.Get("X-Chef-Sync-Head")
	}
	f.acme(f.root, "POST", "/roles", `{"name":"a"}`).want(201, "")
	guid, epoch, head := ids()
	if want, err := f.s.OrganizationGUID("acme"); guid != want || err != nil || epoch == "" || head != "1" {
		t.Fatalf("guid %q, epoch %q, head %q", guid, epoch, head)
	}
	if err := f.s.RenewFeedEpoch("acme"); err != nil {
		t.Fatal(err)
	}
	guid2, epoch2, head2 := ids()
	if guid2 != guid || epoch2 == epoch || head2 != head {
		t.Errorf("after RenewFeedEpoch: guid %q, epoch %q, head %q", guid2, epoch2, head2)
	}
	if _, err := f.s.RecreateOrganization("acme"); err != nil {
		t.Fatal(err)
	}
	guid3, epoch3, head3 := ids()
	if guid3 == guid || epoch3 == epoch2 || head3 != "0" {
		t.Errorf("after RecreateOrganization: guid %q, epoch %q, head %q", guid3, epoch3, head3)
	}
	f.acme(f.joe, "GET", "/roles", "").wantJSON(200, `{}`)
	if _, err := f.s.RecreateOrganization("nope"); err == nil {
		t.Error("an organization was re-created that never was")
	}
}

func TestFeedPlain(t *testing.T) {
	f := newFixture(t, Options{Feed: true, FeedPlain: true})
	for _, n := range []string{"a", "b"} {
		f.acme(f.root, "POST", "/roles", `{"name":"`+n+`"}`).want(201, "")
	}
	got := f.acme(f.joe, "GET", "/updated_since?seq=0&limit=1&wait=30", "").
		wantJSON(200, `[{"action":"create","id":1,"path":"/roles/a"},{"action":"create","id":2,"path":"/roles/b"}]`)
	for k := range got.header {
		if strings.HasPrefix(k, "X-Chef-Sync") {
			t.Errorf("header %s", k)
		}
	}
	f.acme(f.joe, "GET", "/updated_since?seq=9&wait=30", "").wantJSON(200, `[]`)
}

func TestFeedLongPoll(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	done := make(chan *answered, 1)
	r := f.request(f.joe, "GET", "/organizations/acme/updated_since?seq=0&wait=60", "")
	go func() { done <- f.send(r) }()
	for f.s.Stats().MaxInFlight == 0 || f.inFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	select {
	case got := <-done:
		t.Fatalf("answered at once: %d %s", got.status, got.body)
	case <-time.After(50 * time.Millisecond):
	}
	f.acme(f.root, "POST", "/roles", `{"name":"a"}`).want(201, "")
	select {
	case got := <-done:
		got.wantJSON(200, `[{"action":"create","id":1,"path":"/roles/a"}]`)
	case <-time.After(40 * time.Second):
		t.Fatal("the change did not end the wait")
	}
	start := time.Now()
	f.wantFeed(1, "&wait=1")
	if d := time.Since(start); d < 900*time.Millisecond {
		t.Errorf("the wait of 1 s ended after %v", d)
	}
}

func (f *fixture) inFlight() int {
	f.s.stats.mu.Lock()
	defer f.s.stats.mu.Unlock()
	return f.s.stats.inFlight
}

// TestFeedLogSweep: the log stays small, however much is written.
func TestFeedLogSweep(t *testing.T) {
	f := newFeedLog()
	f.created("/roles/first")
	f.created("/roles/busy")
	for range 10_000 {
		f.updated("/roles/busy")
	}
	if len(f.order) > 70 {
		t.Errorf("%d entries for two paths", len(f.order))
	}
	got := string(encode(f.after(0, 0)))
	want := `[{"action":"create","id":1,"path":"/roles/first"},{"action":"create","id":10002,"path":"/roles/busy"}]`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUnknownOrganization(t *testing.T) {
	s := New(Options{PivotalKey: testKeys()[0]})
	_, err1 := s.Snapshot("x")
	_, err2 := s.PruneFeed("x")
	_, err3 := s.FeedHead("x")
	_, err4 := s.OrganizationGUID("x")
	err := errors.Join(err1, err2, err3, err4, s.RenewFeedEpoch("x"), s.DropBlob("x", zeroSum), s.AddMember("x", "pivotal", true))
	if got := strings.Count(err.Error(), `organization "x": no such organization`); got != 7 {
		t.Errorf("%d of 7 errors say so: %v", got, err)
	}
}
