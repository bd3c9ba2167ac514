package plan_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// TestSum: neither the order nor the cut into parts changes a sum, and any change
// of the set does.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,4}`), rapid.StringMatching(`[a-f0-9]{4}`), 1, 20).Draw(t, "set")
		names := rapid.Permutation(slices.Sorted(maps.Keys(set))).Draw(t, "order")
		cut := rapid.IntRange(0, len(names)).Draw(t, "cut")
		var all, one, two plan.Sum
		for i, n := range names {
			ref, d := object.NewRef(object.KindRole, n), object.Digest(set[n])
			all = all.Add(ref, d)
			if i < cut {
				one = one.Add(ref, d)
			} else {
				two = two.Add(ref, d)
			}
		}
		if two.Plus(one) != all {
			t.Fatalf("parts sum up to %s, the whole to %s", two.Plus(one), all)
		}
		if all.Add(object.NewRef(object.KindRole, "another"), "x") == all || one == two {
			t.Fatal("different sets have one sum")
		}
		var back plan.Sum
		if text, _ := all.MarshalText(); back.UnmarshalText(text) != nil || back != all {
			t.Fatalf("%s is read as %s", text, back)
		}
	})
}

func TestSumOfNoSum(t *testing.T) {
	for _, text := range []string{"", "x", "00", "zz" + (plan.Sum{}).String()[2:]} {
		var s plan.Sum
		if s.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
}
