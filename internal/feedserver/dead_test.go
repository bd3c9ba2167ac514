package feedserver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// deadLog is one whose database says nothing, not even that it is gone.
type deadLog struct{ *fakeLog }

func (deadLog) Page(ctx context.Context, _ string, _ int64, _ int) (changelog.Page, error) {
	<-ctx.Done()
	return changelog.Page{}, ctx.Err()
}

func (deadLog) Refresh(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestDatabaseSaysNothing: whoever asks is told so, however long he would wait,
// and the connection that was asked is given up.
func TestDatabaseSaysNothing(t *testing.T) {
	r := newRig(t)
	dead := feedserver.New(feedserver.Options{Log: deadLog{r.log}, Auth: r.auth, Allow: []string{"replica"}})
	dead.SetReadTime(50 * time.Millisecond)
	r.http.Config.Handler = dead
	for _, query := range []string{"?seq=0", "?seq=0&wait=60", "?seq=0&fresh=1"} {
		got := r.get(feedPath+query, nil)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "not available at present") {
			t.Errorf("%s: %d %s, want 503 and when to come again", query, got.status, got.body)
		}
	}
}

// TestNamesThatCannotBe are known to nobody; the database is not asked, and fails
// nobody because of them.
func TestNamesThatCannotBe(t *testing.T) {
	keys, err := feedserver.NewKeys(nil, 15*time.Minute) // asking panics
	if err != nil {
		t.Fatal(err)
	}
	h := signed()
	h.Set("X-Ops-Timestamp", time.Now().UTC().Format("2006-01-02T15:04:05Z"))
	server := feedserver.New(feedserver.Options{Log: newFakeLog(), Auth: keys, Allow: []string{"replica"}})
	r := newRig(t)
	r.http.Config.Handler = server
	for _, org := range []string{"%00", "a%00b", "%ff"} {
		if got := r.get("/organizations/"+org+"/updated_since?seq=0", func(q *http.Request) { q.Header = h }); got.status != http.StatusUnauthorized {
			t.Errorf("organization %s: %d %s, want 401", org, got.status, got.body)
		}
	}
	sig, err := chef.ReadSignature(h)
	if err != nil {
		t.Fatal(err)
	}
	sig.User = "a\x00"
	if _, err := keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Header: h, Signature: sig}); !errors.Is(err, feedserver.ErrDenied) {
		t.Errorf("a user's name with a zero: %v, want ErrDenied", err)
	}
}

// silentDB takes as long as it may, and longer than it should.
type silentDB struct{ stays chan struct{} }

func (db silentDB) QueryRow(ctx context.Context, _ string, _ ...any) pgx.Row {
	return silentRow{ctx, db}
}

type silentRow struct {
	ctx context.Context
	db  silentDB
}

func (r silentRow) Scan(...any) error {
	<-r.db.stays
	return r.ctx.Err()
}

// TestManyAskASilentDatabase: nobody waits in a row for longer than an answer may
// take.
func TestManyAskASilentDatabase(t *testing.T) {
	db := silentDB{make(chan struct{})}
	keys, err := feedserver.NewKeys(db, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	keys.SetAskTime(50 * time.Millisecond)
	h := signed()
	h.Set("X-Ops-Timestamp", time.Now().UTC().Format("2006-01-02T15:04:05Z"))
	sig, err := chef.ReadSignature(h)
	if err != nil {
		t.Fatal(err)
	}
	const callers = 10
	answers := make(chan error, callers)
	for range callers {
		go func() {
			_, err := keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Signature: sig})
			answers <- err
		}()
	}
	for n := range callers - 2 { // two are asking
		select {
		case err := <-answers:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want that the time is over", err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d of those in the row have an answer, want all %d", n, callers-2)
		}
	}
	close(db.stays)
	<-answers
	<-answers
}
