package replicate

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Survey is what a full comparison has to look at.
type Survey struct {
	// Writes are the primary's objects in the order of writes: create where the
	// replica has none of that name, update where it has one, equal or not.
	Writes []object.Change

	// Extras are objects that only the replica has, in the order of deletes.
	Extras []object.Ref

	// Totals counts the replica's objects by kind.
	Totals map[object.Kind]int
}

// All returns everything that one of the sides has: Writes, and the extras as
// deletes.
func (s Survey) All() []object.Change {
	out := slices.Clone(s.Writes)
	for _, ref := range s.Extras {
		out = append(out, object.Change{Action: object.ActionDelete, Ref: ref})
	}
	return out
}

// Survey lists all objects of both organizations by name, completely or not at
// all. It reads no object.
func (e *Engine) Survey(ctx context.Context) (Survey, error) {
	scope, err := e.Scope(ctx)
	if err != nil {
		return Survey{}, err
	}
	var primary, replica []object.Ref
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		primary, err = List(gctx, e.Primary, scope)
		return onSide("primary", err)
	})
	g.Go(func() (err error) {
		replica, err = List(gctx, e.Replica, scope)
		return onSide("replica", err)
	})
	if err := g.Wait(); err != nil {
		return Survey{}, err
	}
	s := Survey{Totals: map[object.Kind]int{}, Writes: make([]object.Change, 0, len(primary))}
	for _, ref := range replica {
		s.Totals[ref.Kind]++
	}
	s.merge(primary, replica)
	slices.SortFunc(s.Extras, func(a, b object.Ref) int { return b.Compare(a) })
	return s, nil
}

// merge takes two lists that are in order.
func (s *Survey) merge(primary, replica []object.Ref) {
	for len(primary)+len(replica) > 0 {
		switch order := first(primary, replica); {
		case order < 0:
			s.Writes = append(s.Writes, object.Change{Action: object.ActionCreate, Ref: primary[0]})
			primary = primary[1:]
		case order == 0:
			s.Writes = append(s.Writes, object.Change{Action: object.ActionUpdate, Ref: primary[0]})
			primary, replica = primary[1:], replica[1:]
		default:
			if replica[0].Kind.Deletable() {
				s.Extras = append(s.Extras, replica[0])
			}
			replica = replica[1:]
		}
	}
}

// first is negative if the first ref of a comes before that of b, and 0 if they
// are the same; one of the two lists may be empty.
func first(a, b []object.Ref) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	default:
		return a[0].Compare(b[0])
	}
}

// Totals counts the replica's objects of the kinds in question.
func (e *Engine) Totals(ctx context.Context, of []object.Kind) (map[object.Kind]int, error) {
	scope, err := e.Scope(ctx)
	if err != nil {
		return nil, err
	}
	scope.Kinds = of
	refs, err := List(ctx, e.Replica, scope)
	if err != nil {
		return nil, onSide("replica", err)
	}
	out := map[object.Kind]int{}
	for _, ref := range refs {
		out[ref.Kind]++
	}
	return out, nil
}

// List returns all objects of a scope that a server holds, in the order of
// writes. It is complete or an error.
func List(ctx context.Context, c *chef.Client, scope object.Scope) ([]object.Ref, error) {
	of := scope.InOrder()
	lists := make([][]object.Ref, len(of))
	g, gctx := errgroup.WithContext(ctx)
	for i, k := range of {
		g.Go(func() (err error) {
			lists[i], err = kinds.For(k).List(gctx, c)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	refs := slices.DeleteFunc(slices.Concat(lists...), func(ref object.Ref) bool { return !scope.Has(ref) })
	slices.SortFunc(refs, object.Ref.Compare)
	return slices.Compact(refs), nil
}
