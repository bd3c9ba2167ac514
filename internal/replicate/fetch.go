package replicate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// Fetched is the outcome of [Engine.Fetch].
type Fetched struct {
	// Batch is the staged batch, "" if there is nothing to apply.
	Batch string `json:"batch,omitempty"`

	Staged int   `json:"staged,omitempty"` // objects in the batch
	Equal  int   `json:"equal,omitempty"`  // objects that the replica holds already
	Files  int   `json:"files,omitempty"`  // files downloaded
	Bytes  int64 `json:"bytes,omitempty"`  // of those files

	// Gone are objects that the primary no longer has, as a complete list of
	// their kind says.
	Gone []object.Ref `json:"gone,omitempty"`

	// Along counts what the replica deletes together with each of Gone that holds
	// others: items, revisions, pointers.
	Along map[object.Ref]int `json:"along,omitempty"`

	// Touched are objects that go for a moment while Apply makes anew what they
	// point at, and may stay away if it is interrupted: they are to be taken again.
	Touched []object.Ref `json:"touched,omitempty"`

	// Failed are objects that could not be read, or not compared.
	Failed []Failure `json:"failed,omitempty"`
}

// Fetch reads the objects of changes from the primary, compares them with the
// replica's, and stages those that differ, together with the cookbook files
// that the replica lacks. It writes nothing to the replica but an empty sandbox,
// which is how a Chef server is asked for the files it lacks.
//
// A change with [object.ActionCreate] is taken to be absent on the replica and
// not compared, unless it is a cookbook of which the replica has all files;
// Apply finds out if that is wrong. Objects that a replica holds in another form
// than the primary (a [kinds.Adapter]) are all staged; Apply compares them, when
// everything that they name is on the replica. Repeating Fetch repeats the
// reads, but not the downloads of files that are staged already. A crash leaves
// a batch that nobody applies; [staging.Store.Purge] removes it.
func (e *Engine) Fetch(ctx context.Context, changes []object.Change, progress Progress) (Fetched, error) {
	scope, err := e.Scope(ctx)
	if err != nil {
		return Fetched{}, err
	}
	f := &fetch{e: e, scope: scope, out: Fetched{Batch: staging.NewBatchID()}, progress: progress}
	if f.batch, err = e.Staging.NewBatch(ctx, f.out.Batch); err != nil {
		return Fetched{}, err
	}
	defer f.batch.Abandon()

	if err := e.each(ctx, len(changes), func(ctx context.Context, i int) error { return f.one(ctx, changes[i]) }); err != nil {
		return Fetched{}, err
	}
	if err := f.files(ctx); err != nil {
		return Fetched{}, err
	}
	if err := f.gone(ctx); err != nil {
		return Fetched{}, err
	}
	f.out.Failed = f.failed.sorted()
	e.failed(f.out.Failed)
	if f.out.Staged == 0 {
		f.out.Batch = ""
		return f.out, nil
	}
	return f.out, f.batch.Close()
}

// fetch is the state of one Fetch.
type fetch struct {
	e        *Engine
	scope    object.Scope
	batch    *staging.BatchWriter
	progress Progress
	failed   failures

	mu      sync.Mutex
	out     Fetched
	absent  []object.Ref // 404 on the primary; proves nothing yet
	withSum []*pending   // cookbooks, which wait for the word on their files
}

// pending is an object that was read and not yet staged.
type pending struct {
	src   kinds.Object
	item  staging.Item
	seen  bool // the replica was asked for its object
	equal bool // the replica's object is equal; files of it may still be missing

	doubted bool // equal looks are no proof
}

// one reads one object from both sides.
func (f *fetch) one(ctx context.Context, c object.Change) error {
	defer f.progress(c.Ref)
	if !f.scope.Has(c.Ref) { // the pair was to replicate it when the change was planned
		return nil
	}
	_, adapts := handler(c.Ref).(kinds.Adapter)
	looks := !adapts && c.Action != object.ActionCreate
	var held sideRead
	var both sync.WaitGroup // one server need not wait for the other
	if looks {
		both.Go(func() { held.read(ctx, f.e.Replica, c.Ref) })
	}
	src, err := handler(c.Ref).Get(ctx, f.e.Primary, c.Ref)
	both.Wait()
	if chef.IsNotFound(err) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.absent = append(f.absent, c.Ref)
		return nil
	}
	if err != nil {
		return f.failed.add(ctx, f.e.Primary, c.Ref, onSide("primary", err))
	}
	p := &pending{src: src, doubted: c.Action == object.ActionReplace && c.Ref.Kind == object.KindCookbook, item: staging.Item{
		Ref: c.Ref, Raw: src.Raw, Digest: src.Digest, Frozen: src.Frozen, Held: staging.HeldNothing,
	}}
	for _, file := range src.Files {
		p.item.Files = append(p.item.Files, file.Checksum)
	}
	if adapts {
		p.item.Held = staging.HeldUnknown
		return f.stage(p)
	}
	if looks {
		if ok, err := f.found(ctx, p, held); !ok {
			return err
		}
	}
	if c.Action == object.ActionReplace {
		if ok, err := f.leftOver(ctx, c.Ref); !ok {
			return err
		}
	}
	if len(src.Files) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.withSum = append(f.withSum, p)
		return nil
	}
	return f.stage(p)
}

// look reads what the replica holds in an object's place. ok is false if that
// cannot be told; the object has failed then, or the whole Fetch.
func (f *fetch) look(ctx context.Context, p *pending) (ok bool, err error) {
	var held sideRead
	held.read(ctx, f.e.Replica, p.item.Ref)
	return f.found(ctx, p, held)
}

// found is look with what was read.
func (f *fetch) found(ctx context.Context, p *pending, held sideRead) (ok bool, err error) {
	switch {
	case held.err != nil:
		return false, f.failed.add(ctx, f.e.Replica, p.item.Ref, onSide("replica", held.err))
	case !held.absent:
		p.item.Held, p.item.HeldFrozen = staging.HeldOther, held.object.Frozen
		p.equal = held.object.Digest == p.src.Digest
	}
	p.seen = true
	if p.item.Held == staging.HeldOther && !p.equal && f.e.Recreate {
		if err := f.touch(ctx, p.item.Ref); err != nil {
			return false, f.failed.add(ctx, f.e.Replica, p.item.Ref, err)
		}
	}
	return true, nil
}

// touch notes what goes along if the replica's object is made anew, and is on the
// primary: what only the replica has must not be taken for gone.
func (f *fetch) touch(ctx context.Context, ref object.Ref) error {
	r, ok := handler(ref).(kinds.Replacer)
	if !ok {
		return nil
	}
	refs, err := r.Takes(ctx, f.e.Replica, ref)
	if err != nil {
		return onSide("replica", err)
	}
	for _, ref := range refs {
		if !f.scope.Has(ref) {
			continue
		}
		_, absent, err := lookup(ctx, f.e.Primary, ref)
		if err != nil {
			return onSide("primary", err)
		}
		if !absent {
			f.mu.Lock()
			f.out.Touched = append(f.out.Touched, ref)
			f.mu.Unlock()
		}
	}
	return nil
}

// leftOver finds what an object that was made anew holds on the replica and no
// longer on the primary. ok is false if that cannot be told.
func (f *fetch) leftOver(ctx context.Context, ref object.Ref) (ok bool, err error) {
	h, holds := handler(ref).(kinds.Container)
	if !holds {
		return true, nil
	}
	now, err := h.Contents(ctx, f.e.Primary, ref)
	if err != nil {
		return false, f.failed.add(ctx, f.e.Primary, ref, onSide("primary", err))
	}
	held, err := h.Contents(ctx, f.e.Replica, ref)
	if err != nil {
		return false, f.failed.add(ctx, f.e.Replica, ref, onSide("replica", err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, old := range held {
		if !slices.Contains(now, old) && f.scope.Has(old) {
			f.out.Gone = append(f.out.Gone, old)
		}
	}
	return true, nil
}

// stage adds an object to the batch unless the replica's is equal.
func (f *fetch) stage(p *pending) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.equal {
		f.out.Equal++
		f.e.did(p.item.Ref, didEqual)
		return nil
	}
	f.out.Staged++
	return f.batch.Add(p.item)
}

// gone settles what a 404 on the primary means: an object that is missing from
// the complete list of its kind is gone; one that is listed is there and could
// not be read.
func (f *fetch) gone(ctx context.Context) error {
	listed := map[object.Kind]map[object.Ref]bool{}
	for _, ref := range f.absent {
		if listed[ref.Kind] != nil {
			continue
		}
		refs, err := handler(ref).List(ctx, f.e.Primary)
		if err != nil {
			return onSide("primary", err)
		}
		set := make(map[object.Ref]bool, len(refs))
		for _, r := range refs {
			set[r] = true
		}
		listed[ref.Kind] = set
	}
	for _, ref := range f.absent {
		if listed[ref.Kind][ref] {
			f.failed.record(ref, fmt.Errorf("the primary lists %s but answers 404 for it", ref))
			continue
		}
		f.out.Gone = append(f.out.Gone, ref)
	}
	slices.SortFunc(f.out.Gone, object.Ref.Compare)
	return f.along(ctx)
}

// along counts what goes with the objects that are gone.
func (f *fetch) along(ctx context.Context) error {
	for _, ref := range f.out.Gone {
		holds, ok := handler(ref).(kinds.Container)
		if !ok {
			continue
		}
		refs, err := holds.Contents(ctx, f.e.Replica, ref)
		if err != nil && chef.Classify(err) != chef.ClassObject { // or else its delete will say so
			return onSide("replica", err)
		}
		if len(refs) > 0 && f.out.Along == nil {
			f.out.Along = map[object.Ref]int{}
		}
		if len(refs) > 0 {
			f.out.Along[ref] = len(refs)
		}
	}
	return nil
}

// onSide names the server that an error came from; nil stays nil.
func onSide(side string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", side, err)
}
