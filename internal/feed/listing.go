package feed

import (
	"context"
	"errors"
	"fmt"
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
// because that costs a request per object. Cookbook versions that were frozen
// when last read are not read again. An update is therefore seen up to
// DeepInterval late, a create or delete at once.
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

	Kinds        []object.Kind
	DeepInterval time.Duration // 0 = [DefaultDeepInterval]
	Parallel     int           // 0 = 4

	Now func() time.Time // nil = time.Now

	mu   sync.Mutex
	deep time.Time // when contents were last read, by this process
}

// DefaultDeepInterval is how often contents are compared.
const DefaultDeepInterval = 10 * time.Minute

// Name returns [NameListing].
func (f *Listing) Name() string { return NameListing }

// Head lists the organization. It reads no contents: whoever asks for the head
// is about to compare everything anyway.
func (f *Listing) Head(ctx context.Context) (object.Cursor, error) {
	now := f.clock()
	refs, err := f.list(ctx)
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
	f.markDeep(now)
	return object.Cursor{Feed: NameListing, Position: id}, nil
}

// Next lists the organization and returns the difference. See [Feed.Next].
func (f *Listing) Next(ctx context.Context, cursor object.Cursor, o NextOptions) (Page, error) {
	baseID, targetID, err := f.position(cursor)
	if err != nil {
		return Page{}, err
	}
	base, err := f.load(ctx, cursor, baseID)
	if err != nil {
		return Page{}, err
	}
	// Whatever the pair has left behind is of no use to anybody.
	if err := f.Store.KeepSnapshots(ctx, f.Owner, baseID, targetID); err != nil {
		return Page{}, err
	}
	var target snapshot
	if targetID != "" {
		if target, err = f.load(ctx, cursor, targetID); err != nil {
			return Page{}, err
		}
	} else if target, err = f.look(ctx, base, o.Deep); err != nil {
		return Page{}, err
	}
	return f.hand(ctx, cursor, base, target, targetID, o.Limit)
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
	}
	if limit <= 0 || len(changes) <= limit {
		return Page{Changes: changes, Next: object.Cursor{Feed: NameListing, Position: targetID}}, nil
	}
	behind := int64(len(changes) - limit)
	changes = changes[:limit]
	baseID, err := f.save(ctx, base.advanced(changes, target))
	if err != nil {
		return Page{}, err
	}
	return Page{
		Changes: changes, More: true, Behind: behind,
		Next: object.Cursor{Feed: NameListing, Position: baseID + ">" + targetID},
	}, nil
}

// look lists the organization as it is now. Contents that are not read are
// taken to be as in base.
func (f *Listing) look(ctx context.Context, base snapshot, force bool) (snapshot, error) {
	now := f.clock()
	deep := force || f.deepDue(now)
	refs, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(snapshot, len(refs))
	var read []object.Ref
	for _, ref := range refs {
		e, known := base[ref]
		seen[ref] = e
		if !known || (deep && !e.Immutable) {
			read = append(read, ref)
		}
	}
	if err := f.read(ctx, base, seen, read); err != nil {
		return nil, err
	}
	if deep {
		f.markDeep(now)
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
	g.SetLimit(max(f.Parallel, 4))
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
func (f *Listing) list(ctx context.Context) ([]object.Ref, error) {
	lists := make([][]object.Ref, len(f.Kinds))
	g, gctx := errgroup.WithContext(ctx)
	for i, k := range f.Kinds {
		g.Go(func() (err error) {
			lists[i], err = kinds.For(k).List(gctx, f.Primary)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(lists...), nil
}

func (f *Listing) save(ctx context.Context, s snapshot) (id string, err error) {
	data, id, err := s.encode()
	if err != nil {
		return "", fmt.Errorf("save listing: %w", err)
	}
	return id, f.Store.PutSnapshot(ctx, f.Owner, id, data)
}

func (f *Listing) load(ctx context.Context, c object.Cursor, id string) (snapshot, error) {
	data, err := f.Store.Snapshot(ctx, f.Owner, id)
	if errors.Is(err, staging.ErrNotFound) {
		return nil, lost(c, "its list is no longer in the staging store")
	}
	if err != nil {
		return nil, err
	}
	s, err := decodeSnapshot(data, id)
	if err != nil {
		return nil, lost(c, "%v", err)
	}
	return s, nil
}

func (f *Listing) position(c object.Cursor) (base, target string, err error) {
	if c.Feed != NameListing {
		return "", "", lost(c, "it belongs to another feed than %s", NameListing)
	}
	base, target, _ = strings.Cut(c.Position, ">")
	if base == "" {
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

// deepDue reports whether contents are to be read. A process that does not know
// when they last were reads them.
func (f *Listing) deepDue(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	interval := f.DeepInterval
	if interval <= 0 {
		interval = DefaultDeepInterval
	}
	return f.deep.IsZero() || now.Sub(f.deep) >= interval || now.Before(f.deep)
}

func (f *Listing) markDeep(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deep = at
}
