package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// changes reads "create /roles/web, delete /data/b"; IDs count from 1.
func changes(text string) []object.Change {
	var out []object.Change
	for i, line := range strings.Split(text, ", ") {
		action, path, ok := strings.Cut(line, " ")
		if ok {
			out = append(out, object.Change{ID: int64(i + 1), Action: object.Action(action), Ref: object.MustRef(path)})
		}
	}
	return out
}

// text is the inverse of changes, without IDs.
func text(cs []object.Change) string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%s %s", c.Action, c.Ref))
	}
	return strings.Join(out, ", ")
}

func TestCoalesceAllPairsOfActions(t *testing.T) {
	for pair, want := range map[string]string{
		"create create": "create", "create update": "create", "create delete": "delete",
		"update create": "create", "update update": "update", "update delete": "delete",
		"delete create": "update", "delete update": "update", "delete delete": "delete",

		"create update delete": "delete", "create delete create": "update", "delete create delete": "delete",
		"delete create update": "update", "update delete create": "update", "create update update": "create",
		"create": "create", "update": "update", "delete": "delete",
	} {
		var in []object.Change
		for i, a := range strings.Fields(pair) {
			in = append(in, object.Change{ID: int64(i + 1), Action: object.Action(a), Ref: object.MustRef("/roles/r")})
		}
		before := slices.Clone(in)
		got := plan.Coalesce(in)
		if text(got) != want+" /roles/r" {
			t.Errorf("%s became %q; want %s", pair, text(got), want)
		} else if last := int64(len(in)); got[0].ID != last {
			t.Errorf("%s has the ID %d; want that of the last, %d", pair, got[0].ID, last)
		}
		if !cmp.Equal(before, in) {
			t.Errorf("%s: the page was changed", pair)
		}
	}
}

func TestCoalesce(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"order of writes", "create /roles/b, create /roles/a, create /data/x/i, create /data/x, create /cookbooks/c/1.0.0",
			"create /cookbooks/c/1.0.0, create /data/x, create /data/x/i, create /roles/a, create /roles/b"},
		{"items go with their bag", "delete /data/b/i, delete /data/b, delete /data/b/j", "delete /data/b"},
		{"items go alone", "delete /data/b/i, update /data/b", "update /data/b, delete /data/b/i"},
		{"other bags' items stay", "delete /data/b, delete /data/bb/i", "delete /data/b, delete /data/bb/i"},
		{"a bag made anew keeps the deletes of its items", "delete /data/b, delete /data/b/i, create /data/b, create /data/b/j",
			"replace /data/b, delete /data/b/i, create /data/b/j"},
		{"a policy changed after it was made anew", "delete /policies/p, create /policies/p, update /policies/p", "replace /policies/p"},
		{"a group made anew and deleted", "delete /policy_groups/g, create /policy_groups/g, delete /policy_groups/g", "delete /policy_groups/g"},
		{"an item made after all", "delete /data/b, create /data/b/i", "delete /data/b, create /data/b/i"},
		{"revisions go with their policy", "delete /policies/p/revisions/1, delete /policies/p", "delete /policies/p"},
		{"pointers go with their group", "delete /policy_groups/g, delete /policy_groups/g/policies/p", "delete /policy_groups/g"},
		{"pointers do not go with a policy", "delete /policies/p, delete /policy_groups/g/policies/p", "delete /policies/p, delete /policy_groups/g/policies/p"},
		{"revisions go alone", "delete /policies/p/revisions/1, delete /policies/q, delete /policy_groups/p",
			"delete /policies/p/revisions/1, delete /policies/q, delete /policy_groups/p"},
		{"a role of the bag's name", "delete /data/b, delete /roles/b", "delete /data/b, delete /roles/b"},
	} {
		if got := text(plan.Coalesce(changes(tt.in))); got != tt.want {
			t.Errorf("%s: got %q; want %q", tt.name, got, tt.want)
		}
	}
}

// genChanges draws a page about few objects, so that they meet.
func genChanges(t *rapid.T) []object.Change {
	var out []object.Change
	for i := range rapid.IntRange(0, 30).Draw(t, "n") {
		out = append(out, object.Change{
			ID:     int64(i + 1),
			Action: rapid.SampledFrom([]object.Action{object.ActionCreate, object.ActionUpdate, object.ActionDelete}).Draw(t, "action"),
			Ref: object.MustRef(rapid.SampledFrom([]string{
				"/data/a", "/data/a/i", "/data/a/j", "/data/b", "/data/b/i", "/policies/p", "/policies/p/revisions/1",
				"/policy_groups/g", "/policy_groups/g/policies/p", "/roles/r", "/roles/s", "/environments/e", "/cookbooks/c/1.0.0", "/cookbooks/c/2.0.0",
			}).Draw(t, "ref")),
		})
	}
	return out
}

// TestCoalesceKeepsTheLastWord checks Coalesce against the sets that a server
// and its copy would hold.
func TestCoalesceKeepsTheLastWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		page := genChanges(t)
		got := plan.Coalesce(page)
		if again := plan.Coalesce(got); !cmp.Equal(got, again, cmp.Transformer("empty", nonNil)) {
			t.Fatalf("not idempotent:\n%s\n%s", text(got), text(again))
		}
		if !slices.IsSortedFunc(got, func(a, b object.Change) int { return a.Ref.Compare(b.Ref) }) {
			t.Fatalf("not in the order of writes: %s", text(got))
		}
		words := map[object.Ref]bool{} // true: delete
		for _, c := range page {
			words[c.Ref] = c.Action == object.ActionDelete
		}
		for _, c := range got {
			del, ok := words[c.Ref]
			if !ok || del != (c.Action == object.ActionDelete) {
				t.Fatalf("%s: the last word about %s is another one (or it is there twice)", text(page), c.Ref)
			}
			delete(words, c.Ref)
		}
		for ref, del := range words {
			parent, ok := ref.Parent()
			if !del || !ok || words[parent] || !strings.Contains(text(got), "delete "+parent.Path()) {
				t.Fatalf("%s: %s was left out", text(page), ref)
			}
		}
	})
}

func nonNil(cs []object.Change) []object.Change { return append([]object.Change{}, cs...) }

func TestBatches(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"nothing", "", 0, nil},
		{"ranks, then deletes in reverse", "delete /data/b, create /roles/r, create /cookbooks/c/1.0.0, delete /roles/s, update /data/x, delete /cookbooks/c/2.0.0", 0, []string{
			"0: create /cookbooks/c/1.0.0, update /data/x",
			"1: create /roles/r",
			"1 delete: delete /roles/s",
			"0 delete: delete /data/b, delete /cookbooks/c/2.0.0",
		}},
		{"full", "create /roles/a, create /roles/b, create /roles/c", 2, []string{"1: create /roles/a, create /roles/b", "1: create /roles/c"}},
		{"a cookbook counts for five", "create /cookbooks/a/1.0.0, create /cookbooks/b/1.0.0, create /data/x, create /data/y", 6,
			[]string{"0: create /cookbooks/a/1.0.0", "0: create /cookbooks/b/1.0.0, create /data/x", "0: create /data/y"}},
		{"so does an artifact", "create /cookbook_artifacts/a/1, create /cookbook_artifacts/b/1, delete /cookbook_artifacts/c/1, delete /cookbook_artifacts/d/1", 6,
			[]string{"0: create /cookbook_artifacts/a/1", "0: create /cookbook_artifacts/b/1",
				"0 delete: delete /cookbook_artifacts/d/1, delete /cookbook_artifacts/c/1"}},
		{"a cookbook is never too much", "create /cookbooks/a/1.0.0, create /cookbooks/b/1.0.0, create /data/x", 1,
			[]string{"0: create /cookbooks/a/1.0.0", "0: create /cookbooks/b/1.0.0", "0: create /data/x"}},
		{"to delete a cookbook is little", "delete /cookbooks/a/1.0.0, delete /cookbooks/b/1.0.0", 2,
			[]string{"0 delete: delete /cookbooks/b/1.0.0, delete /cookbooks/a/1.0.0"}},
		{"an unknown action is a write", "touch /roles/r", 0, []string{"1: touch /roles/r"}},
	} {
		var got []string
		for _, b := range plan.Batches(changes(tt.in), plan.Limits{Objects: tt.limit}) {
			word := ""
			if b.Delete {
				word = " delete"
			}
			got = append(got, fmt.Sprintf("%d%s: %s", b.Rank, word, text(b.Changes)))
			for i, r := range b.Refs() {
				if r != b.Changes[i].Ref || len(b.Refs()) != len(b.Changes) {
					t.Errorf("%s: Refs() = %v of %s", tt.name, b.Refs(), text(b.Changes))
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestBatchesDefaultLimit(t *testing.T) {
	var in []object.Change
	for i := range plan.DefaultBatchObjects + 1 {
		in = append(in, object.Change{Action: object.ActionUpdate, Ref: object.NewRef(object.KindRole, fmt.Sprintf("r%d", i))})
	}
	for _, l := range []plan.Limits{{}, {Objects: -1}} {
		got := plan.Batches(in, l)
		if len(got) != 2 || len(got[0].Changes) != plan.DefaultBatchObjects {
			t.Errorf("%+v: %d batches, the first of %d; want 2, of %d", l, len(got), len(got[0].Changes), plan.DefaultBatchObjects)
		}
	}
}

// TestBatchesIsAPartition: every change once, in an order that never has a
// pointer before what it points to.
func TestBatchesIsAPartition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := plan.Coalesce(genChanges(t))
		limit := rapid.IntRange(0, 12).Draw(t, "limit")
		var all []object.Change
		rank, deleting := 0, false
		for i, b := range plan.Batches(in, plan.Limits{Objects: limit}) {
			if len(b.Changes) == 0 {
				t.Fatal("an empty batch")
			}
			if b.Delete && !deleting {
				rank, deleting = b.Rank, true
			}
			switch {
			case !b.Delete && deleting:
				t.Fatalf("batch %d writes after a delete", i)
			case b.Delete && b.Rank > rank, !b.Delete && b.Rank < rank:
				t.Fatalf("batch %d: rank %d after %d", i, b.Rank, rank)
			}
			rank = b.Rank
			weight := 0
			for _, c := range b.Changes {
				if c.Ref.Kind.Rank() != b.Rank || (c.Action == object.ActionDelete) != b.Delete {
					t.Fatalf("batch %+v holds %s %s", b, c.Action, c.Ref)
				}
				weight++
				if c.Ref.Kind == object.KindCookbook && !b.Delete {
					weight += plan.CookbookWeight - 1
				}
			}
			if limit > 0 && weight > limit && len(b.Changes) > 1 {
				t.Fatalf("a batch of weight %d; the limit is %d", weight, limit)
			}
			all = append(all, b.Changes...)
		}
		slices.SortFunc(all, func(a, b object.Change) int { return a.Ref.Compare(b.Ref) })
		if !cmp.Equal(in, all, cmp.Transformer("empty", nonNil)) {
			t.Fatalf("in: %s\nout: %s", text(in), text(all))
		}
	})
}

func TestGuard(t *testing.T) {
	const role, item = object.KindRole, object.KindDataBagItem
	type counts = map[object.Kind]int
	for _, tt := range []struct {
		name            string
		deletes, totals counts
		limit           plan.DeleteLimit
		want            []plan.Excess
	}{
		{"nothing", nil, nil, plan.DeleteLimit{}, nil},
		{"few", counts{role: 20}, counts{role: 20}, plan.DeleteLimit{}, nil},
		{"one more", counts{role: 21}, counts{role: 200}, plan.DeleteLimit{}, []plan.Excess{{Kind: role, Deletes: 21, Total: 200, Allowed: 20}}},
		{"a tenth", counts{role: 100}, counts{role: 1000}, plan.DeleteLimit{}, nil},
		{"more than a tenth", counts{role: 101}, counts{role: 1000}, plan.DeleteLimit{}, []plan.Excess{{Kind: role, Deletes: 101, Total: 1000, Allowed: 100}}},
		{"a tenth is rounded down", counts{role: 101}, counts{role: 1009}, plan.DeleteLimit{}, []plan.Excess{{Kind: role, Deletes: 101, Total: 1009, Allowed: 100}}},
		{"not counted", counts{role: 21}, nil, plan.DeleteLimit{}, []plan.Excess{{Kind: role, Deletes: 21, Allowed: 20}}},
		{"each kind by itself", counts{role: 30, item: 21}, counts{role: 300, item: 30}, plan.DeleteLimit{}, []plan.Excess{{Kind: item, Deletes: 21, Total: 30, Allowed: 20}}},
		{"in the order of kinds", counts{role: 30, item: 30}, nil, plan.DeleteLimit{}, []plan.Excess{
			{Kind: item, Deletes: 30, Allowed: 20}, {Kind: role, Deletes: 30, Allowed: 20}}},
		{"own limits", counts{role: 3}, counts{role: 4}, plan.DeleteLimit{Percent: 50, Objects: 1}, []plan.Excess{{Kind: role, Deletes: 3, Total: 4, Allowed: 2}}},
		{"all", counts{role: 400}, counts{role: 400}, plan.DeleteLimit{Percent: 100, Objects: 1}, nil},
		{"negative limits allow nothing", counts{role: 21}, counts{role: 21}, plan.DeleteLimit{Percent: -5, Objects: -5}, []plan.Excess{
			{Kind: role, Deletes: 21, Total: 21, Allowed: 0}}},
	} {
		if diff := cmp.Diff(tt.want, plan.Guard(tt.deletes, tt.totals, tt.limit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := (plan.DeleteLimit{}).Free(); got != plan.DefaultDeleteObjects {
		t.Errorf("Free of the default = %d; want %d", got, plan.DefaultDeleteObjects)
	}
	if got := (plan.DeleteLimit{Objects: 3}).Free(); got != 3 {
		t.Errorf("Free = %d; want 3", got)
	}
	for want, e := range map[string]plan.Excess{
		"role: 40 of 200 would be deleted, 20 are allowed": {Kind: role, Deletes: 40, Total: 200, Allowed: 20},
		"role: 40 would be deleted, 20 are allowed":        {Kind: role, Deletes: 40, Allowed: 20},
	} {
		if e.String() != want {
			t.Errorf("%+v is %q; want %q", e, e, want)
		}
	}
}

func TestCountDeletes(t *testing.T) {
	page := changes("delete /data/b, delete /data/b/i, delete /data/b/j, delete /roles/r, create /roles/r, create /roles/s, delete /roles/s, " +
		"delete /roles/s, update /roles/t, delete /data/x/i")
	want := map[object.Kind]int{object.KindDataBag: 1, object.KindDataBagItem: 3, object.KindRole: 1}
	if diff := cmp.Diff(want, plan.CountDeletes(page)); diff != "" {
		t.Errorf("of a page (-want +got):\n%s", diff)
	}
	if got := plan.CountDeletes(nil); got == nil || len(got) != 0 {
		t.Errorf("of nothing = %v; want an empty map", got)
	}
}
