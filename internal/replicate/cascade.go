package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// ErrHoldsOthers says that an object is not deleted because a server would delete
// with it what the pair does not replicate. Its class is that of the object.
var ErrHoldsOthers = fmt.Errorf("%w: what the pair does not replicate would be deleted with it", chef.ErrInvalid)

// delete removes an object from the replica. One with which the server would
// delete objects that the pair does not replicate loses what else it holds, and
// stays: [ErrHoldsOthers].
func (a *apply) delete(ctx context.Context, scope object.Scope, ref object.Ref) error {
	others, ours, err := a.e.goesWith(ctx, scope, ref)
	if err != nil {
		return err
	}
	if len(others) == 0 {
		return kinds.Delete(ctx, a.e.Replica, ref)
	}
	for _, one := range ours {
		if err := a.delete(ctx, scope, one); err != nil && !errors.Is(err, ErrHoldsOthers) {
			return err
		}
	}
	paths := make([]string, len(others))
	for i, one := range others {
		paths[i] = one.Path()
	}
	slices.Sort(paths)
	return fmt.Errorf("delete %s: %w: %s", ref, ErrHoldsOthers, kinds.FirstFew(paths))
}

// goesWith returns what the replica deletes with an object: what the pair does not
// replicate, and what of it the object holds otherwise. It asks only where a
// filter, or a kind that is left out, makes the former possible.
func (e *Engine) goesWith(ctx context.Context, scope object.Scope, ref object.Ref) (others, ours []object.Ref, err error) {
	filtered := len(e.Wanted.Include)+len(e.Wanted.Exclude) > 0
	if child, ok := ref.Kind.Contains(); ok && (filtered || !scope.HasKind(child)) {
		held, err := handler(ref).(kinds.Container).Contents(ctx, e.Replica, ref)
		if err != nil {
			return nil, nil, err
		}
		for _, one := range held {
			if scope.Has(one) {
				ours = append(ours, one)
			} else {
				others = append(others, one)
			}
		}
	}
	pointed := ref.Kind == object.KindPolicy || ref.Kind == object.KindPolicyRevision
	if !pointed || !filtered && scope.HasKind(object.KindPolicyPointer) {
		return others, ours, nil
	}
	var pointers []object.Ref
	if ref.Kind == object.KindPolicyRevision {
		pointers, err = handler(ref).(kinds.Replacer).Takes(ctx, e.Replica, ref)
	} else {
		pointers, err = kinds.For(object.KindPolicyPointer).List(ctx, e.Replica)
		pointers = slices.DeleteFunc(pointers, func(p object.Ref) bool { return p.Sub != ref.Name })
	}
	for _, p := range pointers {
		if !scope.Has(p) {
			others = append(others, p)
		}
	}
	return others, ours, err
}
