// Package report is the outcome of a verification: what was compared, what
// differs, and what could not be carried, for people ([Report.Text]) and as JSON.
package report

import (
	"slices"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// Verdict is how a verification ended.
type Verdict string

// The verdicts.
const (
	Equal   Verdict = "equal"
	Differs Verdict = "differs"
	Unknown Verdict = "could not tell"
)

// Report is the outcome of a verification. Times are UTC. It holds no content of
// objects.
type Report struct {
	Pair    object.Pair `json:"pair"`
	Version string      `json:"version"` // of chef-sync
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended"`
	Verdict Verdict     `json:"verdict"`

	// Problem is why it could not be told, if that is not about single objects.
	Problem string `json:"problem,omitempty"`

	Primary Side `json:"primary"`
	Replica Side `json:"replica"`

	// Scope names what the pair replicates.
	Scope string `json:"scope"`

	Counts []replicate.KindCount `json:"counts"`
	Files  int                   `json:"files"` // distinct contents that were read and match their MD5

	// Differ counts the objects that are not equal, Differences are the first of
	// them.
	Differ      int                    `json:"differ"`
	Differences []replicate.Difference `json:"differences,omitempty"`

	// Repaired counts those that were not equal at first and are now.
	Repaired int `json:"repaired,omitempty"`

	// Left and Lacking are what the replica cannot hold.
	Left    []replicate.Left `json:"left,omitempty"`
	Lacking []Lacking        `json:"lacking,omitempty"`

	// File is where the report was written on the host that verified, without
	// .json and .txt; "" if nowhere.
	File string `json:"file,omitempty"`
}

// Side is one of the two organizations.
type Side struct {
	URL     string   `json:"url"`
	OrgGUID string   `json:"org_guid,omitempty"`
	Digest  plan.Sum `json:"digest"` // over all objects that were compared
}

// Lacking is a kind that the pair wants to replicate and one of the servers
// cannot hold.
type Lacking struct {
	Side    string      `json:"side"` // primary or replica
	Kind    object.Kind `json:"kind"`
	Objects int         `json:"objects"` // that the other side has of it; -1 = not known
}

// MostDifferences bounds Differences: a report is a result of a workflow, and a
// pair with more of them needs a full comparison and not a list.
const MostDifferences = 500

// Add takes a part of the comparison into the report; more counts differences
// that it does not name.
func (r *Report) Add(c replicate.Comparison, more int) {
	r.count(c.Counts, 1)
	r.Primary.Digest = r.Primary.Digest.Plus(c.Primary)
	r.Replica.Digest = r.Replica.Digest.Plus(c.Replica)
	r.Files = max(r.Files, c.Files) // one memory of files for the whole comparison
	r.Left = replicate.MergeLeft(r.Left, c.Left)
	r.Differ += len(c.Differences) + more
	r.insert(c.Differences)
}

// Again replaces what is known of objects that differed by what a second look
// found. Only refs that are among Differences may have been looked at.
func (r *Report) Again(looked []object.Ref, c replicate.Comparison) {
	for _, ref := range looked {
		i, ok := r.find(ref)
		if !ok {
			continue
		}
		old := r.Differences[i]
		r.Differences = slices.Delete(r.Differences, i, i+1)
		r.Differ--
		r.count([]replicate.KindCount{contribution(old)}, -1)
		r.Primary.Digest = r.Primary.Digest.Minus(old.Ref, old.Primary)
		r.Replica.Digest = r.Replica.Digest.Minus(old.Ref, old.Replica)
	}
	r.count(c.Counts, 1)
	r.Primary.Digest = r.Primary.Digest.Plus(c.Primary)
	r.Replica.Digest = r.Replica.Digest.Plus(c.Replica)
	r.Differ += len(c.Differences)
	r.insert(c.Differences)
}

// contribution is what an object that differs has added to the counts.
func contribution(d replicate.Difference) replicate.KindCount {
	n := replicate.KindCount{Kind: d.Ref.Kind, Primary: 1, Replica: 1}
	switch {
	case d.Case == replicate.CaseMissing, d.Absent == "replica":
		n.Replica = 0
	case d.Case == replicate.CaseExtra, d.Absent == "primary":
		n.Primary = 0
	}
	return n
}

func (r *Report) count(counts []replicate.KindCount, sign int) {
	for _, n := range counts {
		i := slices.IndexFunc(r.Counts, func(k replicate.KindCount) bool { return k.Kind == n.Kind })
		if i < 0 {
			i = len(r.Counts)
			r.Counts = append(r.Counts, replicate.KindCount{Kind: n.Kind})
		}
		r.Counts[i].Primary += sign * n.Primary
		r.Counts[i].Replica += sign * n.Replica
		r.Counts[i].Equal += sign * n.Equal
	}
}

func (r *Report) insert(ds []replicate.Difference) {
	for _, d := range ds {
		if i, known := r.find(d.Ref); !known && len(r.Differences) < MostDifferences {
			r.Differences = slices.Insert(r.Differences, i, d)
		}
	}
}

func (r *Report) find(ref object.Ref) (int, bool) {
	return slices.BinarySearchFunc(r.Differences, ref, func(d replicate.Difference, ref object.Ref) int { return d.Ref.Compare(ref) })
}

// Judge sets the verdict from what was found: equal only if every object was
// compared and nothing differs.
func (r *Report) Judge() {
	unknown := r.Problem != "" ||
		slices.ContainsFunc(r.Differences, func(d replicate.Difference) bool { return d.Case == replicate.CaseUnknown })
	known := slices.ContainsFunc(r.Differences, func(d replicate.Difference) bool { return d.Case != replicate.CaseUnknown })
	switch {
	case known:
		r.Verdict = Differs
	case unknown, r.Primary.Digest != r.Replica.Digest, r.Differ > 0:
		r.Verdict = Unknown
	default:
		r.Verdict = Equal
	}
}
