package plan

import (
	"fmt"

	"github.com/chef-sync/chef-sync/internal/object"
)

// DeleteLimit says how many deletes of one kind need no operator's word. In
// each field zero means the default and a negative number means none: with
// [NoDeletes] in both, every delete needs a word.
type DeleteLimit struct {
	// Percent of the objects of that kind on the replica, 1 to 100.
	Percent int `json:"percent,omitempty"`

	// Objects are always allowed, however small the organization is.
	Objects int `json:"objects,omitempty"`
}

// NoDeletes in a field of [DeleteLimit] allows no delete on its account.
const NoDeletes = -1

// The defaults of [DeleteLimit]: a person's ordinary clean-up passes, an
// emptied or half-restored primary does not.
const (
	DefaultDeletePercent = 10
	DefaultDeleteObjects = 20
)

func (l DeleteLimit) orDefault() DeleteLimit {
	if l.Percent == 0 {
		l.Percent = DefaultDeletePercent
	}
	if l.Objects == 0 {
		l.Objects = DefaultDeleteObjects
	}
	return DeleteLimit{Percent: max(l.Percent, 0), Objects: max(l.Objects, 0)}
}

// Free returns how many deletes of a kind are allowed whatever the kind's
// total is. A caller need not count the replica's objects below it.
func (l DeleteLimit) Free() int { return l.orDefault().Objects }

// Excess is a kind of which more would be deleted than the limit allows.
type Excess struct {
	Kind    object.Kind `json:"kind"`
	Deletes int         `json:"deletes"`
	Total   int         `json:"total"` // objects of the kind on the replica; 0 = not counted
	Allowed int         `json:"allowed"`
}

// String is for people: "role: 40 of 200 would be deleted, 20 are allowed".
func (e Excess) String() string {
	if e.Total == 0 {
		return fmt.Sprintf("%s: %d would be deleted, %d are allowed", e.Kind, e.Deletes, e.Allowed)
	}
	return fmt.Sprintf("%s: %d of %d would be deleted, %d are allowed", e.Kind, e.Deletes, e.Total, e.Allowed)
}

// Guard returns the kinds of which more is to be deleted than the limit
// allows, in the order of [object.Kinds]; none means go on. totals counts the
// objects of each kind on the replica; a kind that is missing there counts as
// unknown, and only Objects are allowed.
func Guard(deletes, totals map[object.Kind]int, l DeleteLimit) []Excess {
	l = l.orDefault()
	var out []Excess
	for _, k := range object.Kinds() {
		allowed := max(l.Objects, totals[k]*l.Percent/100)
		if deletes[k] > allowed {
			out = append(out, Excess{Kind: k, Deletes: deletes[k], Total: totals[k], Allowed: allowed})
		}
	}
	return out
}

// CountDeletes counts by kind the objects of which delete is the last word. Of
// a page it must be told as the feed gave it, because [Coalesce] leaves out the
// deletes of what goes with its data bag, policy or policy group, and these are
// lost all the same.
func CountDeletes(changes []object.Change) map[object.Kind]int {
	last := make(map[object.Ref]object.Action, len(changes))
	for _, c := range changes {
		last[c.Ref] = c.Action
	}
	out := map[object.Kind]int{}
	for ref, action := range last {
		if action == object.ActionDelete {
			out[ref.Kind]++
		}
	}
	return out
}
