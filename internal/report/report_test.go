package report_test

import (
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/report"
)

func found(primary, replica int, ds ...replicate.Difference) replicate.Comparison {
	c := replicate.Comparison{Counts: []replicate.KindCount{{Kind: object.KindRole, Primary: primary, Replica: replica}}, Differences: ds}
	for _, d := range ds {
		c.Primary, c.Replica = c.Primary.Add(d.Ref, d.Primary), c.Replica.Add(d.Ref, d.Replica)
	}
	return c
}

// After second looks a report is what it would be had the last look been the only
// one.
func TestAgainReplacesWhatWasKnown(t *testing.T) {
	ref := object.MustRef("/roles/r")
	for _, c := range []struct {
		name             string
		d                replicate.Difference
		primary, replica int
	}{
		{"missing", replicate.Difference{Case: replicate.CaseMissing, Primary: "a", Absent: "replica"}, 1, 0},
		{"extra", replicate.Difference{Case: replicate.CaseExtra, Replica: "a", Absent: "primary"}, 0, 1},
		{"different", replicate.Difference{Case: replicate.CaseDifferent, Primary: "a", Replica: "b"}, 1, 1},
		{"unreadable", replicate.Difference{Case: replicate.CaseUnknown}, 1, 1},
		{"unreadable extra", replicate.Difference{Case: replicate.CaseUnknown, Absent: "primary"}, 0, 1},
		{"unreadable and missing", replicate.Difference{Case: replicate.CaseUnknown, Absent: "replica"}, 1, 0},
		{"equal, but for a file that could not be read", replicate.Difference{Case: replicate.CaseUnknown, Primary: "a", Replica: "a"}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.d.Ref = ref
			var r report.Report
			r.Add(found(c.primary, c.replica, c.d), 0)
			r.Again([]object.Ref{ref}, found(c.primary, c.replica, c.d))
			if n := r.Counts[0]; n.Primary != c.primary || n.Replica != c.replica || r.Differ != 1 {
				t.Errorf("after the second look: %+v, %d differ; want %d and %d, and 1", n, r.Differ, c.primary, c.replica)
			}
			if want := (plan.Sum{}).Add(ref, c.d.Primary); r.Primary.Digest != want {
				t.Errorf("the primary's digest is %s; want %s", r.Primary.Digest, want)
			}
			if r.Judge(); r.Verdict == report.Equal {
				t.Error("verdict equal")
			}
			r.Again([]object.Ref{ref}, replicate.Comparison{})
			if n := r.Counts[0]; n != (replicate.KindCount{Kind: object.KindRole}) || r.Differ != 0 || r.Primary.Digest != (plan.Sum{}) || r.Replica.Digest != (plan.Sum{}) {
				t.Errorf("after it is gone: %+v", r)
			}
		})
	}
}

// What is not known, or not named, is never equal.
func TestJudge(t *testing.T) {
	ref := object.MustRef("/roles/r")
	sum := plan.Sum{}.Add(ref, "a")
	for _, c := range []struct {
		name string
		r    report.Report
		want report.Verdict
	}{
		{"nothing differs", report.Report{}, report.Equal},
		{"a problem", report.Report{Problem: "down"}, report.Unknown},
		{"other sums", report.Report{Primary: report.Side{Digest: sum}}, report.Unknown},
		{"differences that are not named", report.Report{Differ: 1}, report.Unknown},
		{"unreadable", report.Report{Differ: 1, Differences: []replicate.Difference{{Ref: ref, Case: replicate.CaseUnknown}}}, report.Unknown},
		{"a difference and a problem", report.Report{Problem: "down", Differ: 1, Differences: []replicate.Difference{{Ref: ref, Case: replicate.CaseDamaged}}}, report.Differs},
	} {
		if c.r.Judge(); c.r.Verdict != c.want {
			t.Errorf("%s: %s; want %s", c.name, c.r.Verdict, c.want)
		}
	}
}

// The table of kinds counts what the list names: an object that is missing and one
// that is extra are two.
func TestTextCountsWhatDiffers(t *testing.T) {
	missing := replicate.Difference{Ref: object.MustRef("/roles/a"), Case: replicate.CaseMissing, Primary: "a", Absent: "replica"}
	extra := replicate.Difference{Ref: object.MustRef("/roles/b"), Case: replicate.CaseExtra, Replica: "b", Absent: "primary"}
	for _, c := range []struct {
		more, repaired int
		want           []string
	}{
		{0, 1, []string{"role                           1         1         0         2\n", "NOT EQUAL: 2\n", "\n1 object was not"}},
		{5, 2, []string{"role                           1         1         0        2+\n", "NOT EQUAL: 7\n", "\n2 objects were not"}},
	} {
		r := report.Report{Repaired: c.repaired}
		r.Add(found(1, 1, missing, extra), c.more)
		var b strings.Builder
		if err := r.Text(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in\n%s", want, &b)
			}
		}
	}
}
