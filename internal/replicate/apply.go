package replicate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// Applied is the outcome of [Engine.Apply] and [Engine.Delete].
type Applied struct {
	Created int `json:"created,omitempty"`
	Updated int `json:"updated,omitempty"`
	Equal   int `json:"equal,omitempty"` // found equal after all; not written
	Deleted int `json:"deleted,omitempty"`
	Files   int `json:"files,omitempty"` // files uploaded

	// Failed are objects that could not be written.
	Failed []Failure `json:"failed,omitempty"`

	// Left is what the replica cannot hold of objects that were written all the
	// same, each lack once, by text.
	Left []Left `json:"left,omitempty"`
}

// Left is something that objects of the primary name and the replica lacks.
type Left struct {
	Text    string     `json:"text"`    // "user bob is not on the replica"
	Example object.Ref `json:"example"` // one of the objects
	Objects int        `json:"objects"` // how many there are
}

// ApplyOptions modifies [Engine.Apply].
type ApplyOptions struct {
	// Skip are objects that an earlier attempt is known to have written.
	Skip map[object.Ref]bool

	// Doubt says that an earlier attempt may have written any of the others:
	// each is compared before it is written.
	Doubt bool
}

// Apply makes the replica's objects equal to those of a staged batch: files
// first, then the objects, which do not depend on each other. The batch stays
// staged; drop it with [staging.Store.DropBatch] when the result is safe. A file
// that the replica refuses fails the cookbooks that need it and nobody else.
//
// Returns [staging.ErrNotFound] if the batch, its sandbox or one of its files is gone
// from staging: fetch again. A crash leaves some objects written and the rest not;
// repeating Apply (with Doubt) completes it.
func (e *Engine) Apply(ctx context.Context, batch string, o ApplyOptions, progress Progress) (Applied, error) {
	scope, err := e.Scope(ctx)
	if err != nil {
		return Applied{}, err
	}
	a := &apply{e: e, opts: o, progress: progress, replica: &kinds.Replica{Client: e.Replica, Scope: scope}}
	if err := a.upload(ctx, batch); err != nil {
		return Applied{}, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.parallel())
	err = e.Staging.ReadBatch(ctx, batch, func(it staging.Item) error {
		if o.Skip[it.Ref] || !scope.Has(it.Ref) {
			return nil
		}
		if a.unasked && len(it.Files) > 0 { // or else it would be written without them
			return fmt.Errorf("sandbox of batch %s: %w", batch, staging.ErrNotFound)
		}
		if err := a.spoiltBy(it.Files); err != nil {
			a.failed.record(it.Ref, err)
			return nil
		}
		g.Go(func() error { return a.one(gctx, it) })
		return gctx.Err()
	})
	if gerr := g.Wait(); gerr != nil {
		return Applied{}, gerr
	}
	if err != nil {
		return Applied{}, err
	}
	return a.result(ctx)
}

// apply is the state of one Apply or Delete.
type apply struct {
	e        *Engine
	opts     ApplyOptions
	progress Progress
	failed   failures
	left     lefts
	replica  *kinds.Replica // of Apply

	unasked bool // nobody knows which files the replica lacks

	lacked map[string]string // files that the replica lacked when it was asked last
	spoilt map[string]error  // files that it would not take, and why

	mu     sync.Mutex
	out    Applied
	denied int                 // failures that were about rights
	acls   map[object.Ref]bool // of them, what has rights of its own
}

// result settles the outcome. If the replica refused every object for lack of
// rights, that is not about the objects, unless it is one bag or cookbook, or the
// replica lets us write something else.
func (a *apply) result(ctx context.Context) (Applied, error) {
	a.out.Failed, a.out.Left = a.failed.sorted(), a.left.sorted()
	a.e.failed(a.out.Failed)
	done := a.out.Created + a.out.Updated + a.out.Equal + a.out.Deleted + len(a.opts.Skip)
	if len(a.acls) > 1 && a.denied == len(a.out.Failed) && done == 0 && !a.e.mayWrite(ctx) {
		return Applied{}, fmt.Errorf("replica: every write was refused (%s): %w", a.out.Failed[0].Reason, ErrDenied)
	}
	return a.out, nil
}

// ErrDenied says that the replica refused every object of a batch for lack of
// rights: a matter of the pair, not of the objects.
var ErrDenied = errors.New("the sync user has no right to write this organization")

func isDenied(err error) bool {
	var api *chef.APIError
	return errors.As(err, &api) && api.Status == http.StatusForbidden
}

// one writes one object.
func (a *apply) one(ctx context.Context, it staging.Item) error {
	src := kinds.Object{Ref: it.Ref, Raw: it.Raw, Digest: it.Digest, Frozen: it.Frozen}
	how, err := a.write(ctx, src, it)
	if err != nil {
		return a.fail(ctx, it.Ref, halved(it.Ref, err))
	}
	a.mu.Lock()
	*how(&a.out)++
	a.mu.Unlock()
	a.e.wrote(it.Ref, how)
	a.progress(it.Ref)
	return nil
}

func (a *apply) fail(ctx context.Context, ref object.Ref, err error) error {
	if err := a.failed.add(ctx, a.e.Replica, ref, onSide("replica", err)); err != nil {
		return err
	}
	if isDenied(err) {
		a.mu.Lock()
		a.denied++
		if a.acls == nil {
			a.acls = map[object.Ref]bool{}
		}
		a.acls[object.Ref{Kind: ref.Kind, Name: ref.Name}] = true
		a.mu.Unlock()
	}
	return nil
}

// Delete removes objects of one rank from the replica. One that is gone already
// counts as deleted, and one that the pair does not replicate is left alone, also
// where it would go with another: that one fails then, see [ErrHoldsOthers].
// Repeating Delete is harmless.
func (e *Engine) Delete(ctx context.Context, refs []object.Ref, o ApplyOptions, progress Progress) (Applied, error) {
	scope, err := e.Scope(ctx)
	if err != nil {
		return Applied{}, err
	}
	a := &apply{e: e, opts: o, progress: progress}
	err = e.each(ctx, len(refs), func(ctx context.Context, i int) error {
		ref := refs[i]
		if o.Skip[ref] || !scope.Has(ref) || !ref.Kind.Deletable() {
			return nil
		}
		if err := a.delete(ctx, scope, ref); err != nil {
			return a.fail(ctx, ref, err)
		}
		a.mu.Lock()
		a.out.Deleted++
		a.mu.Unlock()
		e.did(ref, didDelete)
		progress(ref)
		return nil
	})
	if err != nil {
		return Applied{}, err
	}
	return a.result(ctx)
}
