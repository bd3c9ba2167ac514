package feedserver_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestFeedConforms runs the suite of feeds against a feed server over a real
// database. Faults of the in-process Chef server do not reach it, so the cases
// that need them are left to the feed's own tests.
func TestFeedConforms(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a PostgreSQL")
	}
	t.Parallel()
	for _, capture := range []changelog.Capture{changelog.Snapshot, changelog.Triggers} {
		t.Run(string(capture), func(t *testing.T) {
			t.Parallel()
			feedtest.Run(t, func(t *testing.T) feedtest.Harness { return newHarness(t, capture) })
		})
	}
}

func newHarness(t *testing.T, capture changelog.Capture) feedtest.Harness {
	t.Helper()
	s := harness.FastChef(t, chefserver.Options{Feed: true})
	m := harness.NewMirror(t, s)
	log := openLog(t, m.DSN, capture)
	pool, err := pgxpool.New(t.Context(), m.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	keys, err := feedserver.NewKeys(pool, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	server := feedserver.New(feedserver.Options{Log: log, Auth: keys, Allow: []string{harness.FastUser}})
	up := httptest.NewServer(server)
	t.Cleanup(func() { server.Release(); up.Close() })
	client := harness.NewClient(t, up.URL, harness.Organization, harness.FastUser, s.KeyFile)
	return feedtest.Harness{
		Primary: s, Numbered: true, Forgetful: true, Faultless: true,
		Feed: settled{Feed: &feed.UpdatedSince{Primary: client}, mirror: m, log: log},
	}
}

// openLog installs a log and writes it until the test is over.
func openLog(t *testing.T, dsn string, capture changelog.Capture) *changelog.Log {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := changelog.Install(t.Context(), conn, changelog.InstallOptions{Capture: capture}); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	log, err := changelog.Open(t.Context(), pool, changelog.Options{Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = log.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done; pool.Close() })
	return log
}

// settled is a feed that is asked when the log knows all that was done to the
// Chef server: the suite does not test how soon a feed sees a change.
type settled struct {
	feed.Feed
	mirror *harness.Mirror
	log    *changelog.Log
}

func (s settled) settle(ctx context.Context) error {
	if err := s.mirror.Sync(ctx); err != nil {
		return err
	}
	for since := time.Now(); ; {
		asked := time.Now()
		st, err := s.log.Status(ctx)
		if err != nil {
			return err
		}
		if st.Writes && asked.Add(-st.Lag).After(since) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond) //nolint:forbidigo // until the log has looked
	}
}

func (s settled) Head(ctx context.Context) (object.Cursor, error) {
	if err := s.settle(ctx); err != nil {
		return object.Cursor{}, err
	}
	return s.Feed.Head(ctx)
}

func (s settled) Next(ctx context.Context, c object.Cursor, o feed.NextOptions) (feed.Page, error) {
	if err := s.settle(ctx); err != nil {
		return feed.Page{}, err
	}
	return s.Feed.Next(ctx, c, o)
}

// Saw does not wait for the log: the feed has to see to it that the log looks.
func (s settled) Saw(ctx context.Context, c object.Cursor, refs []object.Ref) (object.Cursor, []object.Ref, error) {
	if err := s.mirror.Sync(ctx); err != nil {
		return object.Cursor{}, nil, err
	}
	return s.Feed.(feed.Witness).Saw(ctx, c, refs)
}
