package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// Listing is the feed that works with every Chef server and needs nothing
// installed: it lists the organization, completely, and compares with the list
// it saw before.
//
// Names are compared at every call of Next; contents only every DeepInterval,
// because that costs a request per object. An update is therefore seen up to
// DeepInterval late, and so is an object that was deleted and made anew between
// two calls; a create or delete is seen at once. Cookbook versions that were
// frozen when last read are not read again: what is forced into one, or stored
// under its name after a delete, is for a full comparison to find.
//
// What was told to the pair is read once more at the next call, because the pair
// read it later than the feed did, and perhaps something else. That leaves one
// hole, for a full comparison to close: an object that changes and changes back
// between two calls, and was read by the pair in the meantime.
//
// The position names a snapshot in the staging store: "ID", or "ID>TARGET"
// while a long difference is handed out in pages. If the snapshot is gone the
// cursor is lost. A primary that was restored from a backup needs no epoch: what
// differs from the snapshot is what changed.
type Listing struct {
	Primary *chef.Client
	Store   *staging.Store

	// Owner keeps the snapshots of several pairs in one store apart.
	Owner string

	Scope        ScopeFunc
	DeepInterval time.Duration // 0 = [DefaultDeepInterval]
	Parallel     int           // 0 = 4

	Now func() time.Time // nil = time.Now

	memory memory
	age    time.Duration // 0 = listAge
	lists  sync.RWMutex  // removing lists would take one that is half written
}

// DefaultDeepInterval is how often contents are compared.
const DefaultDeepInterval = 10 * time.Minute

// Name returns [NameListing].
func (f *Listing) Name() string { return NameListing }

// Head lists the organization. It reads no contents: whoever asks for the head
// is about to compare everything anyway, or asks for [Listing.Baseline].
func (f *Listing) Head(ctx context.Context) (object.Cursor, error) {
	now := f.clock()
	scope, err := f.Scope.scope(ctx)
	if err != nil {
		return object.Cursor{}, err
	}
	refs, err := f.list(ctx, scope)
	if err != nil {
		return object.Cursor{}, err
	}
	s := snapshot{}
	for _, ref := range refs {
		s[ref] = entry{}
	}
	id, err := f.save(ctx, s)
	if err != nil {
		return object.Cursor{}, err
	}
	f.memory.markDeep(now)
	return object.Cursor{Feed: NameListing, Position: id}, nil
}

// Baseline lists the organization and reads all contents. See [Baseliner].
func (f *Listing) Baseline(ctx context.Context) (object.Cursor, error) {
	now := f.clock()
	scope, err := f.Scope.scope(ctx)
	if err != nil {
		return object.Cursor{}, err
	}
	s, err := f.look(ctx, scope, snapshot{}, nil, true)
	if err != nil {
		return object.Cursor{}, err
	}
	id, err := f.save(ctx, s)
	if err != nil {
		return object.Cursor{}, err
	}
	f.memory.markDeep(now)
	return object.Cursor{Feed: NameListing, Position: id}, nil
}

// Saw adds what a follower listed to what is taken to be there, so that its
// delete will be seen. See [Witness].
func (f *Listing) Saw(ctx context.Context, c object.Cursor, refs []object.Ref) (next object.Cursor, gone []object.Ref, err error) {
	id, target, err := f.position(c)
	if err != nil {
		return object.Cursor{}, nil, err
	}
	if target != "" {
		return object.Cursor{}, nil, lost(c, "it is no head")
	}
	scope, err := f.Scope.scope(ctx)
	if err != nil {
		return object.Cursor{}, nil, err
	}
	s, err := f.load(ctx, c, id, scope)
	if err != nil {
		return object.Cursor{}, nil, err
	}
	t := maps.Clone(s)
	for _, ref := range refs {
		if _, known := t[ref]; !known && scope.Has(ref) {
			t[ref] = entry{}
		}
	}
	if id, err = f.save(ctx, t); err != nil {
		return object.Cursor{}, nil, err
	}
	return object.Cursor{Feed: NameListing, Position: id}, nil, nil
}

// Next lists the organization and returns the difference. See [Feed.Next].
func (f *Listing) Next(ctx context.Context, cursor object.Cursor, o NextOptions) (Page, error) {
	baseID, targetID, err := f.position(cursor)
	if err != nil {
		return Page{}, err
	}
	scope, err := f.Scope.scope(ctx)
	if err != nil {
		return Page{}, err
	}
	base, err := f.load(ctx, cursor, baseID, scope)
	if err != nil {
		return Page{}, err
	}
	// Whatever the pair has left behind is of no use to anybody.
	if err := f.keep(ctx, baseID, targetID); err != nil {
		return Page{}, err
	}
	if targetID != "" {
		if o.Deep { // not now: a difference is being handed out
			f.memory.markDeep(time.Time{})
		}
		target, err := f.load(ctx, cursor, targetID, scope)
		if err != nil {
			return Page{}, err
		}
		return f.hand(ctx, cursor, base, target, targetID, o.Limit)
	}
	now := f.clock()
	deep := f.memory.deepDue(now, cursor.Position, f.DeepInterval) || o.Deep
	again := f.memory.toldBefore(baseID)
	target, err := f.look(ctx, scope, base, again, deep)
	if err != nil {
		return Page{}, err
	}
	page, err := f.hand(ctx, cursor, base, target, "", o.Limit)
	if err != nil {
		return Page{}, err
	}
	f.memory.looked(now, deep, len(again) > 0, cursor, page.Next)
	return page, nil
}

// hand returns the first changes from base to target and a cursor behind them.
func (f *Listing) hand(ctx context.Context, cursor object.Cursor, base, target snapshot, targetID string, limit int) (Page, error) {
	changes := base.diff(target)
	if len(changes) == 0 && targetID == "" {
		return Page{Next: cursor}, nil
	}
	if targetID == "" {
		var err error
		if targetID, err = f.save(ctx, target); err != nil {
			return Page{}, err
		}
		f.memory.tell(targetID, changes)
		cursor.Position += ">" + targetID
	}
	if limit <= 0 || len(changes) <= limit {
		return Page{Changes: changes, From: cursor, Next: object.Cursor{Feed: NameListing, Position: targetID}}, nil
	}
	behind := int64(len(changes) - limit)
	changes = changes[:limit]
	baseID, err := f.save(ctx, base.advanced(changes, target))
	if err != nil {
		return Page{}, err
	}
	return Page{
		Changes: changes, From: cursor, More: true, Behind: behind,
		Next: object.Cursor{Feed: NameListing, Position: baseID + ">" + targetID},
	}, nil
}

// look lists the organization as it is now. Contents are read of what is new
// and of what is named in again, or of everything; others are taken to be as in
// base.
func (f *Listing) look(ctx context.Context, scope object.Scope, base snapshot, again map[object.Ref]bool, deep bool) (snapshot, error) {
	refs, err := f.list(ctx, scope)
	if err != nil {
		return nil, err
	}
	seen := make(snapshot, len(refs))
	var read []object.Ref
	for _, ref := range refs {
		e, known := base[ref]
		seen[ref] = e
		if !known || again[ref] || (deep && !e.Immutable) {
			read = append(read, ref)
		}
	}
	if err := f.read(ctx, base, seen, read); err != nil {
		return nil, err
	}
	return seen, nil
}

// read fills in the contents' digests of refs. An object that the primary will
// not show counts as changed once it does. One that answers 404 has perhaps
// vanished since it was listed; only the next list can say so, so a new one is
// left out and a known one stays as it was.
func (f *Listing) read(ctx context.Context, base, into snapshot, refs []object.Ref) error {
	entries := make([]entry, len(refs))
	vanished := make([]bool, len(refs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(max(f.Parallel, 0), 4))
	for i, ref := range refs {
		g.Go(func() error {
			o, err := kinds.For(ref.Kind).Get(gctx, f.Primary, ref)
			switch {
			case err == nil:
				entries[i] = entry{Digest: o.Digest, Immutable: o.Frozen}
				return nil
			case chef.IsNotFound(err):
				vanished[i] = true
				return nil
			case gctx.Err() == nil && chef.Classify(err) == chef.ClassObject:
				entries[i] = entry{Digest: unreadable}
				return nil
			default:
				return err
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, ref := range refs {
		if vanished[i] {
			if _, known := base[ref]; !known {
				delete(into, ref)
			}
			continue
		}
		into[ref] = entries[i]
	}
	return nil
}

// list is complete or an error.
func (f *Listing) list(ctx context.Context, scope object.Scope) ([]object.Ref, error) {
	of := scope.InOrder()
	lists := make([][]object.Ref, len(of))
	g, gctx := errgroup.WithContext(ctx)
	for i, k := range of {
		g.Go(func() (err error) {
			lists[i], err = kinds.For(k).List(gctx, f.Primary)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	refs := slices.DeleteFunc(slices.Concat(lists...), func(ref object.Ref) bool { return !scope.Has(ref) })
	return withParents(refs, scope), nil
}

// withParents adds the bags of items that were listed, and the like: a bag that
// was made between the two lists is in one of them only, and its items cannot do
// without it.
func withParents(refs []object.Ref, scope object.Scope) []object.Ref {
	have := make(map[object.Ref]bool, len(refs))
	for _, ref := range refs {
		have[ref] = true
	}
	for _, ref := range refs {
		if parent, ok := ref.Parent(); ok && !have[parent] && scope.Has(parent) {
			have[parent] = true
			refs = append(refs, parent)
		}
	}
	return refs
}

func (f *Listing) save(ctx context.Context, s snapshot) (id string, err error) {
	data, id, err := s.encode()
	if err != nil {
		return "", fmt.Errorf("save listing: %w", err)
	}
	f.lists.RLock()
	defer f.lists.RUnlock()
	return id, f.Store.PutSnapshot(ctx, f.Owner, id, data)
}

// listAge is how long a list is kept that the cursor does not name: longer than a
// poll that was given to another worker may go on, and remove its successor's.
const listAge = 3 * time.Minute

// keep removes all old lists but the named ones.
func (f *Listing) keep(ctx context.Context, ids ...string) error {
	f.lists.Lock()
	defer f.lists.Unlock()
	return f.Store.PurgeSnapshots(ctx, f.Owner, cmp.Or(f.age, listAge), ids...)
}

// load returns a stored list without what is no longer replicated: that has not
// been deleted. The list must not be changed.
func (f *Listing) load(ctx context.Context, c object.Cursor, id string, scope object.Scope) (snapshot, error) {
	data, err := f.Store.Snapshot(ctx, f.Owner, id)
	if errors.Is(err, staging.ErrNotFound) {
		return nil, lost(c, "its list is no longer in the staging store")
	}
	if err != nil {
		return nil, err
	}
	s, err := f.memory.decoded(id, data)
	if err != nil {
		return nil, lost(c, "%v", err)
	}
	return s.within(scope), nil
}

func (f *Listing) position(c object.Cursor) (base, target string, err error) {
	if c.Feed != NameListing {
		return "", "", lost(c, "it belongs to another feed than %s", NameListing)
	}
	base, target, paging := strings.Cut(c.Position, ">")
	if !isID(base) || paging && !isID(target) {
		return "", "", lost(c, "it names no list")
	}
	return base, target, nil
}

func (f *Listing) clock() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}
