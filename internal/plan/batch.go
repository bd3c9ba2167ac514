package plan

import (
	"slices"

	"github.com/chef-sync/chef-sync/internal/object"
)

// Limits bounds a batch. The zero value means the defaults.
type Limits struct {
	// Objects is the most objects of a batch; cookbook versions and artifacts
	// count CookbookWeight each, because each may bring many files.
	Objects int
}

const (
	// DefaultBatchObjects keeps a batch of small objects at a few seconds of
	// work, so that a crash repeats little, and its cost in workflow history
	// (two activities, twelve events) small per object.
	DefaultBatchObjects = 250

	// CookbookWeight is how many small objects one cookbook version or artifact
	// counts for.
	CookbookWeight = 5
)

// Batch is what one Fetch and one Apply work on: objects of one rank, which do
// not depend on each other.
type Batch struct {
	Rank    int
	Delete  bool
	Changes []object.Change
}

// Refs returns the refs of the batch in order.
func (b Batch) Refs() []object.Ref {
	out := make([]object.Ref, len(b.Changes))
	for i, c := range b.Changes {
		out[i] = c.Ref
	}
	return out
}

// Batches cuts coalesced changes into batches in the order in which they must
// be applied: writes by rising rank, then deletes by falling rank. A batch
// holds one rank only; all batches of a rank must be applied before one of the
// next rank is.
func Batches(changes []object.Change, l Limits) []Batch {
	if l.Objects <= 0 {
		l.Objects = DefaultBatchObjects
	}
	var writes, deletes []object.Change
	for _, c := range changes {
		if c.Action == object.ActionDelete {
			deletes = append(deletes, c)
		} else {
			writes = append(writes, c)
		}
	}
	slices.SortStableFunc(writes, func(a, b object.Change) int { return a.Ref.Compare(b.Ref) })
	slices.SortStableFunc(deletes, func(a, b object.Change) int { return b.Ref.Compare(a.Ref) })
	return append(cut(writes, false, l), cut(deletes, true, l)...)
}

// cut splits sorted changes where the rank changes or the batch is full.
func cut(changes []object.Change, del bool, l Limits) []Batch {
	var out []Batch
	weight := 0
	for _, c := range changes {
		w := weightOf(c)
		n := len(out)
		if n == 0 || out[n-1].Rank != c.Ref.Kind.Rank() || weight+w > l.Objects {
			out = append(out, Batch{Rank: c.Ref.Kind.Rank(), Delete: del})
			n, weight = n+1, 0
		}
		out[n-1].Changes = append(out[n-1].Changes, c)
		weight += w
	}
	return out
}

func weightOf(c object.Change) int {
	files := c.Ref.Kind == object.KindCookbook || c.Ref.Kind == object.KindArtifact
	if files && c.Action != object.ActionDelete {
		return CookbookWeight
	}
	return 1
}
