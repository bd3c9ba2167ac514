package feed_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// script is a server that gives one answer, and notes what it was asked.
type script struct {
	status int // 0 = 200
	header map[string]string
	body   string
	asked  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/updated_since") {
		http.NotFound(w, r)
		return
	}
	s.asked = append(s.asked, r.URL.Query().Encode())
	for k, v := range s.header {
		w.Header().Set(k, v)
	}
	w.Header().Set("Content-Type", "application/json")
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = io.WriteString(w, s.body)
}

// scripted returns a feed that is answered by s.
func scripted(t *testing.T, s *script) *feed.UpdatedSince {
	t.Helper()
	return scriptedFor(t, s.ServeHTTP)
}

func scriptedFor(t *testing.T, serve http.HandlerFunc) *feed.UpdatedSince {
	t.Helper()
	chefServer := feedtest.Server(t, chefserver.Options{}) // for its key
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return &feed.UpdatedSince{Primary: harness.NewClient(t, server.URL, harness.Organization, harness.SyncUser, chefServer.KeyFile)}
}

// entries prints feed entries: "7 create /roles/web".
func entries(lines ...string) string {
	var out []string
	for _, l := range lines {
		f := strings.Fields(l)
		out = append(out, fmt.Sprintf(`{"id":%s,"action":%q,"path":%q}`, f[0], f[1], f[2]))
	}
	return "[" + strings.Join(out, ",") + "]"
}

func ours(head string) map[string]string {
	return map[string]string{"X-Chef-Sync-Org-Guid": "g", "X-Chef-Sync-Epoch": "e", "X-Chef-Sync-Head": head}
}

func at(position, epoch string) object.Cursor {
	return object.Cursor{Feed: feed.NameUpdatedSince, Position: position, Epoch: epoch}
}

func change(id int64, action object.Action, path string) object.Change {
	return object.Change{ID: id, Action: action, Ref: object.MustRef(path)}
}

func TestUpdatedSinceNext(t *testing.T) {
	t.Parallel()
	const del, create, update = object.ActionDelete, object.ActionCreate, object.ActionUpdate
	for _, tt := range []struct {
		name   string
		cursor object.Cursor
		limit  int
		header map[string]string
		body   string
		want   feed.Page
		lost   string // part of the reason
		asked  []string
	}{
		{name: "nothing new", cursor: at("5", "g/e"), header: ours("5"), body: "[]",
			want: feed.Page{Next: at("5", "g/e")}, asked: []string{"seq=5"}},
		{name: "new", cursor: at("5", "g/e"), header: ours("9"), body: entries("7 create /roles/a", "9 delete /data/b"),
			want: feed.Page{Next: at("9", "g/e"), Changes: []object.Change{change(7, create, "/roles/a"), change(9, del, "/data/b")}}},
		{name: "out of order", cursor: at("5", "g/e"), header: ours("9"), body: entries("9 delete /roles/a", "7 create /roles/a"),
			want: feed.Page{Next: at("9", "g/e"), Changes: []object.Change{change(7, create, "/roles/a"), change(9, del, "/roles/a")}}},
		{name: "unknown action", cursor: at("5", "g/e"), header: ours("6"), body: entries("6 rename /roles/a"),
			want: feed.Page{Next: at("6", "g/e"), Changes: []object.Change{change(6, update, "/roles/a")}}},
		{name: "others' paths", cursor: at("5", "g/e"), header: ours("12"),
			body: entries("6 create /nodes/n", "7 create /roles/..", "8 update /environments/_default", "9 update /cookbooks/c",
				"10 create /cookbooks/c/_latest", "11 create nonsense", "12 delete /roles/a/b"),
			want: feed.Page{Next: at("12", "g/e"), Ignored: 7}},
		{name: "others' paths do not fill a page", cursor: at("5", "g/e"), limit: 1, header: ours("8"),
			body: entries("6 create /nodes/n", "7 create /roles/a", "8 create /roles/b"),
			want: feed.Page{Next: at("7", "g/e"), Ignored: 1, More: true, Behind: 1, Changes: []object.Change{change(7, create, "/roles/a")}}},
		{name: "what was seen already", cursor: at("5", "g/e"), header: ours("6"), body: entries("4 create /roles/a", "6 create /roles/b"),
			want: feed.Page{Next: at("6", "g/e"), Changes: []object.Change{change(6, create, "/roles/b")}}},
		{name: "more by the head", cursor: at("5", "g/e"), limit: 1, header: ours("9"), body: entries("7 create /roles/a"),
			want: feed.Page{Next: at("7", "g/e"), More: true, Behind: 2, Changes: []object.Change{change(7, create, "/roles/a")}}},
		{name: "a head that is older than the answer", cursor: at("5", "g/e"), header: ours("5"), body: entries("7 create /roles/a"),
			want: feed.Page{Next: at("7", "g/e"), Changes: []object.Change{change(7, create, "/roles/a")}}},
		{name: "a head that nothing leads to", cursor: at("5", "g/e"), header: ours("9"), body: "[]",
			want: feed.Page{Next: at("5", "g/e"), Behind: 4}},
		{name: "another epoch", cursor: at("5", "g/d"), header: ours("9"), body: "[]", lost: "numbers its changes anew"},
		{name: "another organization", cursor: at("5", "f/e"), header: ours("9"), body: "[]", lost: "numbers its changes anew"},
		{name: "headers gone", cursor: at("5", "g/e"), body: entries("9 create /roles/a"), lost: "numbers its changes anew"},
		{name: "headers appeared", cursor: at("5", ""), header: ours("9"), body: entries("5 create /roles/a"), lost: "numbers its changes anew"},
		{name: "head before the cursor", cursor: at("5", "g/e"), header: ours("4"), body: "[]", lost: "backup"},
		{name: "an epoch and no head", cursor: at("5", "g/e"), header: map[string]string{"X-Chef-Sync-Org-Guid": "g", "X-Chef-Sync-Epoch": "e"},
			body: "[]", want: feed.Page{Next: at("5", "g/e")}},
		{name: "documented: nothing new", cursor: at("5", ""), body: entries("5 create /roles/a"),
			want: feed.Page{Next: at("5", "")}, asked: []string{"seq=4"}},
		{name: "documented: the last one changed again", cursor: at("5", ""), body: entries("8 update /roles/a"),
			want: feed.Page{Next: at("8", ""), Changes: []object.Change{change(8, update, "/roles/a")}}},
		{name: "documented: went backwards", cursor: at("5", ""), body: "[]", lost: "backup"},
		{name: "documented: the beginning", cursor: at("0", ""), body: "[]", want: feed.Page{Next: at("0", "")}, asked: []string{"seq=0"}},
		{name: "documented: pages", cursor: at("5", ""), limit: 1, body: entries("5 create /roles/x", "6 create /roles/a", "7 create /roles/b", "8 create /roles/c"),
			want:  feed.Page{Next: at("6", ""), More: true, Behind: 2, Changes: []object.Change{change(6, create, "/roles/a")}},
			asked: []string{"limit=2&seq=4"}},
		{name: "0, all there", cursor: at("0", "g/e"), header: ours("2"), body: entries("2 create /roles/a"),
			want: feed.Page{Next: at("2", "g/e"), Changes: []object.Change{change(2, create, "/roles/a")}}, asked: []string{"seq=0", "limit=1&seq=1"}},
		{name: "0, all forgotten", cursor: at("0", "g/e"), header: ours("2"), body: "[]", lost: "forgotten"},
		{name: "0, nothing yet", cursor: at("0", "g/e"), header: ours("0"), body: "[]", want: feed.Page{Next: at("0", "g/e")}, asked: []string{"seq=0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{header: tt.header, body: tt.body}
			got, err := scripted(t, s).Next(t.Context(), tt.cursor, feed.NextOptions{Limit: tt.limit})
			if tt.lost != "" {
				if !errors.Is(err, feed.ErrCursorLost) || !strings.Contains(err.Error(), tt.lost) {
					t.Errorf("Next = %+v, %v; want ErrCursorLost because of %q", got, err, tt.lost)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Next(%s) (-want +got):\n%s", tt.cursor, diff)
			}
			if tt.asked != nil && !cmp.Equal(tt.asked, s.asked) {
				t.Errorf("asked for %v; want %v", s.asked, tt.asked)
			}
		})
	}
}

func TestUpdatedSinceHead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		header map[string]string
		body   string
		want   object.Cursor
		asked  int
	}{
		{"by its header", ours("9"), entries("1 create /roles/a"), at("9", "g/e"), 1},
		{"nothing yet", ours("0"), "[]", at("0", "g/e"), 1},
		{"documented, nothing yet", nil, "[]", at("0", ""), 1},
		{"documented", nil, entries("1 create /roles/a", "7 create /roles/b", "3 create /nodes/c"), at("7", ""), 1},
		{"documented, one entry", nil, entries("3 create /roles/a"), at("3", ""), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{header: tt.header, body: tt.body}
			got, err := scripted(t, s).Head(t.Context())
			if err != nil || got != tt.want {
				t.Errorf("Head = %+v, %v; want %+v", got, err, tt.want)
			}
			if len(s.asked) != tt.asked {
				t.Errorf("asked %v; want %d requests", s.asked, tt.asked)
			}
		})
	}
}

func TestUpdatedSinceUnsupported(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*script{
		"stock server": {status: 404, body: "<html>404</html>"},
		"goiardi":      {},
		"no GET":       {status: 405, body: "{}"},
	} {
		f := scripted(t, s)
		if _, err := f.Head(t.Context()); !errors.Is(err, feed.ErrUnsupported) {
			t.Errorf("%s: Head = %v; want ErrUnsupported", name, err)
		}
		if _, err := f.Next(t.Context(), at("5", ""), feed.NextOptions{}); !errors.Is(err, feed.ErrUnsupported) {
			t.Errorf("%s: Next = %v; want ErrUnsupported", name, err)
		}
	}
}

func TestUpdatedSinceGone(t *testing.T) {
	t.Parallel()
	f := scripted(t, &script{status: http.StatusGone, body: `{"error":["deletes have been forgotten up to 7"]}`})
	_, err := f.Next(t.Context(), at("5", "g/e"), feed.NextOptions{})
	if !errors.Is(err, feed.ErrCursorLost) || !strings.Contains(err.Error(), "forgotten up to 7") {
		t.Errorf("Next = %v; want ErrCursorLost with the server's reason", err)
	}
}

// Only a server that has shown that it is one of ours is asked to wait.
func TestUpdatedSinceWait(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cursor object.Cursor
		header map[string]string
		body   string
		want   string
	}{
		{"ours", at("7", "g/e"), ours("7"), "[]", "limit=5&seq=7&wait=3"},
		{"plain", at("7", ""), nil, entries("7 create /roles/web"), "limit=6&seq=6"},
		{"plain, from the beginning", at("0", ""), nil, "[]", "limit=5&seq=0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{header: tt.header, body: tt.body}
			f := scripted(t, s)
			if _, err := f.Next(t.Context(), tt.cursor, feed.NextOptions{Limit: 5, Wait: 3500 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			if got := s.asked[0]; got != tt.want {
				t.Errorf("asked %s, want %s", got, tt.want)
			}
		})
	}
}

// TestFloorFromZero: whoever begins with an empty organization goes on there,
// unless the server says that it has forgotten deletes. It need not ask again.
func TestFloorFromZero(t *testing.T) {
	for floor, want := range map[string]error{"0": nil, "1": feed.ErrCursorLost, "7": feed.ErrCursorLost} {
		s := &script{header: ours("9"), body: entries("9 create /roles/web")}
		s.header["X-Chef-Sync-Floor"] = floor
		f := scripted(t, s)
		p, err := f.Next(t.Context(), at("0", "g/e"), feed.NextOptions{})
		if !errors.Is(err, want) || want == nil && len(p.Changes) != 1 || len(s.asked) != 1 {
			t.Errorf("floor %s: %+v, %v, asked %v; want %v", floor, p, err, s.asked, want)
		}
	}
}
