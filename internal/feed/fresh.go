package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Saw finds out which of the listed objects the server will never speak of. One
// that compares at intervals knows nothing of an object that was made, listed by a
// follower and deleted in between. Such a server is told to compare now; what it
// does not know then and no list has any more is gone. What it does not know and
// is still there at its next comparison, too, is of a kind that it does not follow.
// A server that hears of each change at once has nothing to be asked. See
// [Witness].
func (f *UpdatedSince) Saw(ctx context.Context, c object.Cursor, refs []object.Ref) (next object.Cursor, gone []object.Ref, err error) {
	if _, err := f.position(c); err != nil {
		return object.Cursor{}, nil, err
	}
	first, err := f.ask(ctx, 0, chef.UpdatedSinceOptions{Limit: 1})
	if err != nil {
		return object.Cursor{}, nil, err
	}
	if !first.CanBeFresh {
		return c, nil, nil
	}
	doubtful := follows(refs)
	for range 2 {
		if doubtful, err = f.unknown(ctx, c, doubtful); err != nil {
			return object.Cursor{}, nil, err
		}
		if len(doubtful) == 0 {
			break
		}
		there, err := f.stillThere(ctx, doubtful)
		if err != nil {
			return object.Cursor{}, nil, err
		}
		var rest []object.Ref
		for _, ref := range doubtful {
			if there[ref] {
				rest = append(rest, ref)
			} else {
				gone = append(gone, ref)
			}
		}
		doubtful = rest
	}
	return c, gone, nil
}

// follows leaves out what no feed says the delete of.
func follows(refs []object.Ref) []object.Ref {
	var out []object.Ref
	for _, ref := range refs {
		if ref.Kind.Deletable() {
			out = append(out, ref)
		}
	}
	return out
}

// unknown returns those of refs that a server which has just compared does not
// know.
func (f *UpdatedSince) unknown(ctx context.Context, c object.Cursor, refs []object.Ref) ([]object.Ref, error) {
	all, err := f.Primary.UpdatedSince(ctx, 0, chef.UpdatedSinceOptions{Fresh: true})
	switch {
	case errors.Is(err, chef.ErrNoFeed):
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	case err != nil:
		return nil, err
	case epoch(all) != c.Epoch:
		return nil, lost(c, "the primary numbers its changes anew (epoch was %q, is %q)", c.Epoch, epoch(all))
	}
	known := make(map[string]bool, len(all.Changes))
	for _, e := range all.Changes {
		known[e.Path] = e.Action != string(object.ActionDelete)
	}
	var out []object.Ref
	for _, ref := range refs {
		if !known[ref.Path()] {
			out = append(out, ref)
		}
	}
	return out, nil
}

// stillThere lists the kinds of refs once more.
func (f *UpdatedSince) stillThere(ctx context.Context, refs []object.Ref) (map[object.Ref]bool, error) {
	out := map[object.Ref]bool{}
	listed := map[object.Kind]bool{}
	for _, ref := range refs {
		if listed[ref.Kind] {
			continue
		}
		listed[ref.Kind] = true
		now, err := kinds.For(ref.Kind).List(ctx, f.Primary)
		if err != nil {
			return nil, err
		}
		for _, r := range now {
			out[r] = true
		}
	}
	return out, nil
}
