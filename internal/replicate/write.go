package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// outcome points at the counter that an object adds to.
type outcome func(*Applied) *int

func created(a *Applied) *int { return &a.Created }
func updated(a *Applied) *int { return &a.Updated }
func equal(a *Applied) *int   { return &a.Equal }

// write makes the replica's object equal to src. What Fetch saw of the replica
// is where it begins; a conflict or a 404 says that somebody was faster (an
// earlier attempt of ours, or a person), and then the replica is read first.
func (a *apply) write(ctx context.Context, src kinds.Object, it staging.Item) (outcome, error) {
	var how outcome
	var err error
	held := kinds.Object{Ref: src.Ref, Frozen: it.HeldFrozen}
	switch {
	case it.Held == staging.HeldHalf: // looks equal, so comparing says nothing
		return a.update(ctx, src, held)
	case it.Held == staging.HeldUnknown:
		return a.adaptAndWrite(ctx, src)
	case a.opts.Doubt:
		return a.compareAndWrite(ctx, src, false)
	case it.Held == staging.HeldNothing:
		how, err = a.create(ctx, src)
	default:
		how, err = a.update(ctx, src, held)
	}
	if chef.IsConflict(err) || chef.IsNotFound(err) {
		return a.compareAndWrite(ctx, src, uncertain(err))
	}
	return how, err
}

func (a *apply) create(ctx context.Context, o kinds.Object) (outcome, error) {
	if err := a.ready(ctx, o); err != nil {
		return nil, err
	}
	return created, handler(o.Ref).Create(ctx, a.e.Replica, o)
}

func (a *apply) update(ctx context.Context, o, held kinds.Object) (outcome, error) {
	if err := a.ready(ctx, o); err != nil {
		return nil, err
	}
	err := handler(o.Ref).Update(ctx, a.e.Replica, o, held)
	if !errors.Is(err, kinds.ErrRecreate) || !a.e.Recreate {
		return updated, err
	}
	if r, ok := handler(o.Ref).(kinds.Replacer); ok {
		back, err := a.readyBehind(ctx, r, o)
		if err != nil {
			return nil, err
		}
		return updated, r.Replace(ctx, a.e.Replica, o, back)
	}
	return nil, a.remove(ctx, o)
}

// ready asks whether the replica has all that o points at.
func (a *apply) ready(ctx context.Context, o kinds.Object) error {
	if g, ok := handler(o.Ref).(kinds.Gate); ok {
		return g.Ready(ctx, a.replica, o)
	}
	return nil
}

// readyBehind reports whether what points at o may point at it when it is made
// anew. What may not is on the list that Fetch made, and waits there. Returns an
// error if something is not on it, because the pair does not replicate it or only
// the replica has it: nobody would ever bring it back.
func (a *apply) readyBehind(ctx context.Context, r kinds.Replacer, o kinds.Object) (bool, error) {
	refs, err := r.Takes(ctx, a.e.Replica, o.Ref)
	if err != nil {
		return false, err
	}
	back := true
	for _, ref := range refs {
		notReady := a.ready(ctx, kinds.Object{Ref: ref, Raw: o.Raw})
		if notReady == nil {
			continue
		}
		if !errors.Is(notReady, kinds.ErrNotReady) {
			return false, notReady
		}
		_, absent, err := lookup(ctx, a.e.Primary, ref)
		switch {
		case err != nil:
			return false, onSide("primary", err)
		case absent, !a.replica.Scope.Has(ref):
			return false, notReady
		}
		back = false
	}
	return back, nil
}

// ErrRemoved is the failure of an object that had to be deleted before it can be
// made anew. It is not made at once: the server drops the files that nothing else
// has, and Fetch has to find out which.
var ErrRemoved = fmt.Errorf("%w: deleted on the replica, to be made anew", chef.ErrInvalid)

// remove deletes what the replica holds in the place of an object that no server
// changes.
func (a *apply) remove(ctx context.Context, o kinds.Object) error {
	if err := kinds.Delete(ctx, a.e.Replica, o.Ref); err != nil {
		return err
	}
	return ErrRemoved
}

// errHalf marks the failure of a write that may have been done by half.
var errHalf = errors.New("may be half written")

// halved marks err if the write of a cookbook version may have been done by half.
// A Chef server writes it in steps: first it forgets the files that are no longer
// named, or makes the version, and then it counts the files that are new. Each of
// them may be the one that fails, for want of a free connection to its database, say.
func halved(ref object.Ref, err error) error {
	broke := errors.Is(err, chef.ErrMissingFiles) || uncertain(err) || chef.Classify(err) == chef.ClassRetry
	if ref.Kind != object.KindCookbook || !broke {
		return err
	}
	return &halfError{err}
}

// halfError reads as the error that it marks.
type halfError struct{ error }

func (e *halfError) Unwrap() []error { return []error{e.error, errHalf} }

// uncertain reports whether an earlier try of the request may have succeeded.
func uncertain(err error) bool {
	var api *chef.APIError
	return errors.As(err, &api) && api.Uncertain
}

// compareAndWrite makes the replica's object equal to src without knowing what
// it is. ours says that an equal one is probably the trace of our own success;
// otherwise an equal cookbook whose files the replica lacked is half a cookbook
// (see [staging.HeldHalf]), and is written.
func (a *apply) compareAndWrite(ctx context.Context, src kinds.Object, ours bool) (outcome, error) {
	held, err := handler(src.Ref).Get(ctx, a.e.Replica, src.Ref)
	switch {
	case chef.IsNotFound(err):
		return a.create(ctx, src)
	case err != nil:
		return nil, err
	case held.Digest != src.Digest, !ours && a.half(held):
		return a.update(ctx, src, held)
	case src.Ref.Kind == object.KindCookbook: // which can look whole and be half written
		_, err := a.update(ctx, src, held)
		return equal, err
	default:
		return equal, nil
	}
}

// half reports whether the replica lacked files of a cookbook that it held.
func (a *apply) half(held kinds.Object) bool {
	return slices.ContainsFunc(held.Files, func(f chef.File) bool { _, yes := a.lacked[f.Checksum]; return yes })
}

// adaptAndWrite makes the replica's object what the primary's is on the replica. A
// conflict says that it was made meanwhile: a group that names another makes it.
func (a *apply) adaptAndWrite(ctx context.Context, src kinds.Object) (outcome, error) {
	how, err := a.adaptOnce(ctx, src)
	if chef.IsConflict(err) {
		return a.adaptOnce(ctx, src)
	}
	return how, err
}

func (a *apply) adaptOnce(ctx context.Context, src kinds.Object) (outcome, error) {
	held, absent, err := lookup(ctx, a.e.Replica, src.Ref)
	if err != nil {
		return nil, err
	}
	got, err := handler(src.Ref).(kinds.Adapter).Adapt(ctx, a.replica, src, held)
	if err != nil {
		return nil, err
	}
	how := equal
	switch {
	case absent:
		how, err = a.create(ctx, got.Want)
	case got.Want.Digest != got.Held:
		how, err = a.update(ctx, got.Want, held)
	}
	if chef.IsConflict(err) {
		return nil, err
	}
	a.left.add(src.Ref, got.Left)
	if err == nil && len(got.Waits) > 0 { // or else nobody would come back to it
		return nil, fmt.Errorf("put %s: %w: %s", src.Ref, kinds.ErrNotReady, kinds.FirstFew(got.Waits))
	}
	return how, err
}

// lookup reads what a server holds in an object's place; absent if nothing.
func lookup(ctx context.Context, c *chef.Client, ref object.Ref) (o kinds.Object, absent bool, err error) {
	o, err = handler(ref).Get(ctx, c, ref)
	if chef.IsNotFound(err) {
		return kinds.Object{}, true, nil
	}
	return o, false, err
}
