package feed_test

import (
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

func TestUpdatedSinceConforms(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Harness {
		s := feedtest.Server(t, chefserver.Options{Feed: true})
		return feedtest.Harness{Primary: s, Feed: &feed.UpdatedSince{Primary: s.Client}, Numbered: true, Notices: true}
	})
}

// TestUpdatedSinceAsDocumentedConforms is about a server that knows no headers.
func TestUpdatedSinceAsDocumentedConforms(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Harness {
		s := feedtest.Server(t, chefserver.Options{Feed: true, FeedPlain: true})
		return feedtest.Harness{Primary: s, Feed: &feed.UpdatedSince{Primary: s.Client}, Numbered: true, Forgetful: true}
	})
}

func TestListingConforms(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Harness {
		s := feedtest.Server(t, chefserver.Options{})
		return feedtest.Harness{Primary: s, Feed: newListing(t, s)}
	})
}

func TestAutoConformsWhereThereIsASequence(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Harness {
		s := feedtest.Server(t, chefserver.Options{Feed: true})
		return feedtest.Harness{Primary: s, Feed: newAuto(t, s), Numbered: true, Notices: true}
	})
}

func TestAutoConformsWhereThereIsNone(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Harness {
		s := feedtest.Server(t, chefserver.Options{})
		return feedtest.Harness{Primary: s, Feed: newAuto(t, s)}
	})
}

func newListing(t *testing.T, s *harness.ChefServer) *feed.Listing {
	t.Helper()
	return &feed.Listing{Primary: s.Client, Store: newStore(t), Owner: "feed/sync/acme"}
}

func newAuto(t *testing.T, s *harness.ChefServer) *feed.Auto {
	t.Helper()
	return &feed.Auto{Sequence: &feed.UpdatedSince{Primary: s.Client}, Listing: newListing(t, s)}
}

func newStore(t *testing.T) *staging.Store {
	t.Helper()
	st, err := staging.Open(t.Context(), "file://"+t.TempDir()+"/staging")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}
