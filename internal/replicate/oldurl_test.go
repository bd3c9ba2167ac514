package replicate_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// TestOldURLWithoutAnAnswer: a store may end the connection of whoever still sends to
// an old URL. New ones are asked for then; if they fare no better, it is the file.
func TestOldURLWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		later time.Duration // than the sandbox was opened
		cuts  int           // 0 = all
		files int           // uploaded
		asks  int
	}{
		{"old", 20 * time.Minute, 1 + chef.DefaultRetries, 1, 2},
		{"young", 5 * time.Minute, 1 + chef.DefaultRetries, 0, 1},
		{"old each time", 20 * time.Minute, 0, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.write.Cookbook("c", "1.0.0", false, map[string]string{"x": "x"})
			cuts := r.replica.Faults().Add(chefserver.Fault{
				Method: "PUT", Path: regexp.MustCompile("^/bookshelf"), Count: c.cuts, Effect: chefserver.CutBefore(),
			})
			begin := time.Now()
			r.Now = func() time.Time { // time goes by with each upload that fails
				return begin.Add(time.Duration(cuts.Hits()/(1+chef.DefaultRetries)) * c.later)
			}
			f, err := r.Fetch(t.Context(), create(cookbook), quiet)
			if err != nil {
				t.Fatal(err)
			}
			done, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
			if err != nil || done.Files != c.files || len(done.Failed) != 1-c.files {
				t.Errorf("applied %+v, %v", done, err)
			}
			if n := r.replica.Stats().Requests["POST /organizations/ORG/sandboxes"]; n < c.asks || c.files > 0 && n > c.asks {
				t.Errorf("%d sandboxes, want %d", n, c.asks)
			}
			cuts.Remove()
			r.take(update(cookbook))
			r.inSync()
		})
	}
}
