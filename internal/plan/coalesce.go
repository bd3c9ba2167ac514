package plan

import (
	"slices"

	"github.com/chef-sync/chef-sync/internal/object"
)

// Coalesce returns one change per ref: the last word of the page about each
// object, in the order in which writes are made (see [object.Ref.Compare]).
//
//	earlier          later     becomes
//	create           update    create   still new to the replica
//	create, update   delete    delete
//	delete           create    update   the replica may still hold the old one
//	                           replace  of what holds others, like a data bag
//	replace          update    replace
//	anything else              the later one
//
// The delete of a data bag takes its items along on every Chef server, that of a
// policy its revisions, that of a policy group its pointers. So deletes of these
// are left out where what they are in is itself deleted.
func Coalesce(changes []object.Change) []object.Change {
	last := make(map[object.Ref]object.Change, len(changes))
	for _, c := range changes {
		if before, seen := last[c.Ref]; seen {
			c.Action = merge(c.Ref.Kind, before.Action, c.Action)
		}
		last[c.Ref] = c
	}
	out := make([]object.Change, 0, len(last))
	seen := make(map[object.Ref]bool, len(last))
	for _, c := range changes { // not over the map: its order would show
		if seen[c.Ref] {
			continue
		}
		seen[c.Ref] = true
		if !cascades(last, last[c.Ref]) {
			out = append(out, last[c.Ref])
		}
	}
	slices.SortStableFunc(out, func(a, b object.Change) int { return a.Ref.Compare(b.Ref) })
	return out
}

func merge(k object.Kind, before, now object.Action) object.Action {
	_, holds := k.Contains()
	switch {
	case holds && before == object.ActionDelete && now != object.ActionDelete,
		before == object.ActionReplace && now != object.ActionDelete:
		return object.ActionReplace
	case before == object.ActionCreate && now == object.ActionUpdate:
		return object.ActionCreate
	case before == object.ActionDelete && now == object.ActionCreate:
		return object.ActionUpdate
	default:
		return now
	}
}

// cascades reports whether c is the delete of something whose parent goes too.
func cascades(last map[object.Ref]object.Change, c object.Change) bool {
	parent, ok := c.Ref.Parent()
	return ok && c.Action == object.ActionDelete && last[parent].Action == object.ActionDelete
}
