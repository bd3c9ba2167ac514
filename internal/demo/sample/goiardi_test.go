package sample

import (
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// A server of the time of segments takes the sample that is meant for it, and
// the changes.
func TestGoiardi(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL and goiardi")
	}
	t.Parallel()
	g := harness.Goiardi(t)
	key, err := chef.ReadKey(g.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chef.New(chef.Options{URL: g.URL, User: g.User, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := Load(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	checkLoaded(t, c, mustRead(t, Options{Segments: true}))
	ch := NewChurn(c, 1)
	for i := range 2 * len(changes) {
		said, err := ch.Step(t.Context())
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		t.Log(said)
	}
}
