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
	held := make(map[object.Ref]bool, len(replica))
	s := Survey{Totals: map[object.Kind]int{}}
	for _, ref := range replica {
		held[ref] = true
		s.Totals[ref.Kind]++
	}
	wanted := make(map[object.Ref]bool, len(primary))
	for _, ref := range primary {
		wanted[ref] = true
		action := object.ActionCreate
		if held[ref] {
			action = object.ActionUpdate
		}
		s.Writes = append(s.Writes, object.Change{Action: action, Ref: ref})
	}
	for _, ref := range replica {
		if !wanted[ref] && ref.Kind.Deletable() {
			s.Extras = append(s.Extras, ref)
		}
	}
	slices.SortFunc(s.Extras, func(a, b object.Ref) int { return b.Compare(a) })
	return s, nil
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
	return refs, nil
}
