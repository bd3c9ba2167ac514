package kinds_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// TestReplacedRevisionKeepsItsPointers: its delete takes them along.
func TestReplacedRevisionKeepsItsPointers(t *testing.T) {
	ctx := t.Context()
	c := feedtest.Server(t, chefserver.Options{}).Client
	ref := object.MustRef("/policies/p/revisions/r1")
	revision := func(id, note string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"revision_id":%q,"name":"p","run_list":["recipe[a::b]"],"cookbook_locks":{},"note":%q}`, id, note))
	}
	for group, id := range map[string]string{"prod": "r1", "staging": "r2", "test": "r1"} {
		if err := c.PutPointer(ctx, group, "p", revision(id, "old")); err != nil {
			t.Fatal(err)
		}
	}
	h := kinds.For(ref.Kind)
	if err := h.(kinds.Replacer).Replace(ctx, c, kinds.Object{Ref: ref, Raw: revision("r1", "new")}, true); err != nil {
		t.Fatal(err)
	}
	groups, err := c.ListPolicyGroups(ctx)
	if err != nil || groups["prod"]["p"] != "r1" || groups["test"]["p"] != "r1" || groups["staging"]["p"] != "r2" {
		t.Errorf("pointers %v, %v", groups, err)
	}
	got, err := c.GetPolicyRevision(ctx, "p", "r1")
	var doc struct{ Note string }
	if err != nil || json.Unmarshal(got, &doc) != nil || doc.Note != "new" {
		t.Errorf("the revision is %s, %v", got, err)
	}
}
