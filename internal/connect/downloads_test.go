package connect_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestFilesAreDownloadedOnce has one organization copied to ten at the same time:
// each file comes from the primary once, and all have it.
func TestFilesAreDownloadedOnce(t *testing.T) {
	const replicas, files = 10, 12
	s := newSetup(t, "")
	content := map[string]string{"metadata.json": `{"name":"nginx","version":"1.0.0"}`}
	for i := range files - 1 {
		content[fmt.Sprintf("files/default/f%d", i)] = strings.Repeat(fmt.Sprint(i), 1000)
	}
	harness.Write(t, s.primary.Client).Cookbook("nginx", "1.0.0", true, content)
	var pairs []object.Pair
	var entries []string
	for i := range replicas {
		p := object.Pair{Replica: "sync", Source: "acme", Destination: fmt.Sprintf("acme-%d", i)}
		if _, err := s.replica.CreateOrganization(p.Destination, p.Destination); err != nil {
			t.Fatal(err)
		}
		if err := s.replica.AddMember(p.Destination, harness.FastUser, true); err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, p)
		entries = append(entries, fmt.Sprintf("{ :source => 'acme', :destination => '%s' }", p.Destination))
	}
	s.load(fmt.Sprintf("master '%s'\nreplica '%s'\norganizations [%s]\nec_sync_client['sync_user'] = '%s'\nec_sync_client['sync_key'] = '%s'\n",
		s.primary.URL, s.replica.URL, strings.Join(entries, ", "), harness.FastUser, s.key))
	// Slow enough for all to meet.
	s.primary.Faults().Add(chefserver.Fault{Method: "GET", Path: regexp.MustCompile("^/bookshelf/"), Effect: chefserver.Delay(30 * time.Millisecond)})
	s.primary.ResetStats()

	// Nobody applies before all have fetched: what was staged may be gone afterwards.
	var fetch, apply errgroup.Group
	fetched := make([]*copying, len(pairs))
	for i, p := range pairs {
		fetch.Go(func() (err error) {
			fetched[i], err = s.fetchCookbook(p, "/cookbooks/nginx/1.0.0")
			return err
		})
	}
	if err := fetch.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, c := range fetched {
		apply.Go(func() error { return c.apply(t.Context()) })
	}
	if err := apply.Wait(); err != nil {
		t.Fatal(err)
	}
	got := s.primary.Stats().Downloads
	if len(got) != files {
		t.Errorf("%d distinct files were downloaded, want %d", len(got), files)
	}
	for sum, n := range got {
		if n != 1 {
			t.Errorf("%s was downloaded %d times", sum, n)
		}
	}
	for _, p := range pairs {
		if _, err := s.replica.Client.WithOrganization(p.Destination).GetCookbook(t.Context(), "nginx", "1.0.0"); err != nil {
			t.Errorf("%s: %v", p.Destination, err)
		}
	}
}

// copying is an object of a pair that was fetched.
type copying struct {
	pair   object.Pair
	engine *replicate.Engine
	got    replicate.Fetched
}

func (s *setup) fetchCookbook(p object.Pair, path string) (*copying, error) {
	ctx := s.t.Context()
	c, err := s.conn.Connect(ctx, p)
	if err != nil {
		return nil, err
	}
	got, err := c.Engine.Fetch(ctx, []object.Change{{Action: object.ActionUpdate, Ref: object.MustRef(path)}}, func(object.Ref) {})
	return &copying{pair: p, engine: c.Engine, got: got}, err
}

func (c *copying) apply(ctx context.Context) error {
	applied, err := c.engine.Apply(ctx, c.got.Batch, replicate.ApplyOptions{}, func(object.Ref) {})
	if err == nil && len(c.got.Failed)+len(applied.Failed) > 0 {
		err = fmt.Errorf("%s: %v %v", c.pair, c.got.Failed, applied.Failed)
	}
	return err
}
