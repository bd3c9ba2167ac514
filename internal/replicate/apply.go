package replicate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// sandboxLife is how long upload URLs are trusted. Servers sign them for 900
// seconds, and the upload has to begin before that.
const sandboxLife = 10 * time.Minute

// Applied is the outcome of [Engine.Apply] and [Engine.Delete].
type Applied struct {
	Created int `json:"created,omitempty"`
	Updated int `json:"updated,omitempty"`
	Equal   int `json:"equal,omitempty"` // found equal after all; not written
	Deleted int `json:"deleted,omitempty"`
	Files   int `json:"files,omitempty"` // files uploaded

	// Failed are objects that could not be written.
	Failed []Failure `json:"failed,omitempty"`
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
// staged; drop it with [staging.Store.DropBatch] when the result is safe.
//
// Returns [staging.ErrNotFound] if the batch or one of its files is gone from
// staging: fetch again. A crash leaves some objects written and the rest not;
// repeating Apply (with Doubt) completes it.
func (e *Engine) Apply(ctx context.Context, batch string, o ApplyOptions, progress Progress) (Applied, error) {
	a := &apply{e: e, opts: o, progress: progress}
	files, err := a.upload(ctx, batch)
	if err != nil {
		return Applied{}, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.parallel())
	err = e.Staging.ReadBatch(ctx, batch, func(it staging.Item) error {
		if o.Skip[it.Ref] {
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
	a.out.Files = files
	return a.result()
}

// apply is the state of one Apply or Delete.
type apply struct {
	e        *Engine
	opts     ApplyOptions
	progress Progress
	failed   failures

	mu     sync.Mutex
	out    Applied
	denied int // failures that were about rights
}

// result settles the outcome. If the replica refused every object for lack of
// rights, that is not about the objects.
func (a *apply) result() (Applied, error) {
	a.out.Failed = a.failed.list
	slices.SortFunc(a.out.Failed, func(x, y Failure) int { return x.Ref.Compare(y.Ref) })
	done := a.out.Created + a.out.Updated + a.out.Equal + a.out.Deleted
	if a.denied > 1 && a.denied == len(a.out.Failed) && done == 0 {
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

// upload uploads the files that the batch's sandbox asks for, and commits it.
func (a *apply) upload(ctx context.Context, batch string) (int, error) {
	sb, err := a.e.Staging.Sandbox(ctx, batch)
	if errors.Is(err, staging.ErrNotFound) {
		return 0, nil // every file is there already
	}
	if err != nil {
		return 0, err
	}
	if a.opts.Doubt || time.Since(sb.Opened) > sandboxLife {
		if sb, err = a.reopen(ctx, sb); err != nil || len(sb.Uploads) == 0 {
			return 0, err
		}
	}
	sums := make([]string, 0, len(sb.Uploads))
	for sum := range sb.Uploads {
		sums = append(sums, sum)
	}
	slices.Sort(sums)
	var mu sync.Mutex
	files := 0
	err = a.e.each(ctx, len(sums), func(ctx context.Context, i int) error {
		err := a.uploadOne(ctx, sums[i], sb.Uploads[sums[i]])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		files++
		return nil
	})
	if err != nil {
		return files, err
	}
	if err := a.e.Replica.CommitSandbox(ctx, sb.ID); err != nil && !chef.IsNotFound(err) {
		return files, onSide("replica", err)
	}
	return files, nil
}

// reopen asks anew which of the sandbox's files the replica lacks: the URLs are
// old, or an earlier attempt used some of them.
func (a *apply) reopen(ctx context.Context, old staging.Sandbox) (staging.Sandbox, error) {
	sums := make([]string, 0, len(old.Uploads))
	for sum := range old.Uploads {
		sums = append(sums, sum)
	}
	slices.Sort(sums)
	sb, err := a.e.Replica.CreateSandbox(ctx, sums)
	if err != nil {
		return staging.Sandbox{}, onSide("replica", err)
	}
	if len(sb.Uploads) == 0 {
		err := a.e.Replica.CommitSandbox(ctx, sb.ID)
		if err != nil && !chef.IsNotFound(err) {
			return staging.Sandbox{}, onSide("replica", err)
		}
	}
	return staging.Sandbox{ID: sb.ID, Uploads: sb.Uploads, Opened: time.Now()}, nil
}

func (a *apply) uploadOne(ctx context.Context, sum, url string) error {
	data, err := a.e.Staging.File(ctx, sum)
	if err != nil {
		return err
	}
	defer a.e.Uploads.lock(sum)()
	err = a.e.Replica.UploadFile(ctx, url, sum, int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil {
		return onSide("replica", err)
	}
	return nil
}

// one writes one object.
func (a *apply) one(ctx context.Context, it staging.Item) error {
	src := kinds.Object{Ref: it.Ref, Raw: it.Raw, Digest: it.Digest, Frozen: it.Frozen}
	how, err := a.write(ctx, src, it)
	if err != nil {
		return a.fail(ctx, it.Ref, err)
	}
	a.mu.Lock()
	*how(&a.out)++
	a.mu.Unlock()
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
		a.mu.Unlock()
	}
	return nil
}

// outcome points at the counter that an object adds to.
type outcome func(*Applied) *int

func created(a *Applied) *int { return &a.Created }
func updated(a *Applied) *int { return &a.Updated }
func equal(a *Applied) *int   { return &a.Equal }

// write makes the replica's object equal to src. What Fetch saw of the replica
// is where it begins; a conflict or a 404 says that somebody was faster (an
// earlier attempt of ours, or a person), and then the replica is read first.
func (a *apply) write(ctx context.Context, src kinds.Object, it staging.Item) (outcome, error) {
	h := handler(src.Ref)
	var err error
	switch {
	case it.Held == staging.HeldHalf: // looks equal, so comparing says nothing
		return updated, h.Update(ctx, a.e.Replica, src, kinds.Object{Ref: src.Ref, Frozen: it.HeldFrozen})
	case a.opts.Doubt:
		return a.compareAndWrite(ctx, src)
	case it.Held == staging.HeldNothing:
		if err = h.Create(ctx, a.e.Replica, src); err == nil {
			return created, nil
		}
	default:
		if err = h.Update(ctx, a.e.Replica, src, kinds.Object{Ref: src.Ref, Frozen: it.HeldFrozen}); err == nil {
			return updated, nil
		}
	}
	if chef.IsConflict(err) || chef.IsNotFound(err) {
		return a.compareAndWrite(ctx, src)
	}
	return nil, err
}

func (a *apply) compareAndWrite(ctx context.Context, src kinds.Object) (outcome, error) {
	h := handler(src.Ref)
	held, err := h.Get(ctx, a.e.Replica, src.Ref)
	switch {
	case chef.IsNotFound(err):
		return created, h.Create(ctx, a.e.Replica, src)
	case err != nil:
		return nil, err
	case held.Digest == src.Digest:
		return equal, nil
	default:
		return updated, h.Update(ctx, a.e.Replica, src, held)
	}
}

// Delete removes objects of one rank from the replica. One that is gone already
// counts as deleted. Repeating Delete is harmless.
func (e *Engine) Delete(ctx context.Context, refs []object.Ref, o ApplyOptions, progress Progress) (Applied, error) {
	a := &apply{e: e, opts: o, progress: progress}
	err := e.each(ctx, len(refs), func(ctx context.Context, i int) error {
		ref := refs[i]
		if o.Skip[ref] {
			return nil
		}
		err := handler(ref).Delete(ctx, e.Replica, ref)
		if err != nil && !chef.IsNotFound(err) {
			return a.fail(ctx, ref, err)
		}
		a.mu.Lock()
		a.out.Deleted++
		a.mu.Unlock()
		progress(ref)
		return nil
	})
	if err != nil {
		return Applied{}, err
	}
	return a.result()
}
