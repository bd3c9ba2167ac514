package feedtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Follower holds what a replica would hold that follows a feed. It does what a
// replica does and nothing more, so that it is wrong exactly if the feed is.
type Follower struct {
	Feed    feed.Feed
	Primary *chef.Client

	// Held is the content by object.
	Held map[object.Ref]object.Digest

	// Cursor is behind the last page taken.
	Cursor object.Cursor
}

// Begin asks for the head and then copies everything.
func (f *Follower) Begin(ctx context.Context) (err error) {
	if f.Cursor, err = f.Feed.Head(ctx); err != nil {
		return err
	}
	return f.Copy(ctx)
}

// Copy lists and copies everything that there is after Head.
func (f *Follower) Copy(ctx context.Context) (err error) {
	if f.Held, err = Contents(ctx, f.Primary); err != nil {
		return err
	}
	if w, ok := f.Feed.(feed.Witness); ok {
		var gone []object.Ref
		f.Cursor, gone, err = w.Saw(ctx, f.Cursor, slices.Collect(maps.Keys(f.Held)))
		for _, ref := range gone {
			delete(f.Held, ref)
		}
	}
	return err
}

// Step takes one page and reports whether there was anything in it, or more to
// come.
func (f *Follower) Step(ctx context.Context, limit int) (more bool, err error) {
	p, err := f.Feed.Next(ctx, f.Cursor, feed.NextOptions{Limit: limit, Deep: true})
	if err != nil {
		return false, err
	}
	if limit > 0 && len(p.Changes) > limit {
		return false, fmt.Errorf("%d changes in a page of at most %d", len(p.Changes), limit)
	}
	if p.More && p.Next == f.Cursor {
		return false, fmt.Errorf("more to come, and the cursor stays at %s", p.Next)
	}
	for _, c := range p.Changes {
		if err := f.take(ctx, c); err != nil {
			return false, err
		}
	}
	more = p.More || p.Next != f.Cursor
	f.Cursor = p.Next
	return more, nil
}

// take does what a replica does with a change.
func (f *Follower) take(ctx context.Context, c object.Change) error {
	if c.Action == object.ActionDelete {
		delete(f.Held, c.Ref)
		return nil
	}
	o, err := kinds.For(c.Ref.Kind).Get(ctx, f.Primary, c.Ref)
	switch {
	case chef.IsNotFound(err):
		delete(f.Held, c.Ref)
	case err != nil:
		return err
	default:
		f.Held[c.Ref] = o.Digest
	}
	return nil
}

// CatchUp takes pages until there is nothing new.
func (f *Follower) CatchUp(ctx context.Context, limit int) error {
	for {
		more, err := f.Step(ctx, limit)
		if err != nil || !more {
			return err
		}
	}
}

// Diff says where the follower is wrong about the organization as it is now.
func (f *Follower) Diff(ctx context.Context) (string, error) {
	want, err := Contents(ctx, f.Primary)
	if err != nil {
		return "", err
	}
	refs := slices.Concat(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(f.Held)))
	slices.SortFunc(refs, object.Ref.Compare)
	var out []string
	for _, ref := range slices.Compact(refs) {
		w, is := want[ref]
		h, held := f.Held[ref]
		switch {
		case !held:
			out = append(out, fmt.Sprintf("%s was missed", ref))
		case !is:
			out = append(out, fmt.Sprintf("the delete of %s was missed", ref))
		case w != h:
			out = append(out, fmt.Sprintf("an update of %s was missed", ref))
		}
	}
	return strings.Join(out, "\n"), nil
}

// Contents reads a whole organization. What vanishes meanwhile is left out.
func Contents(ctx context.Context, c *chef.Client) (map[object.Ref]object.Digest, error) {
	out := map[object.Ref]object.Digest{}
	for _, k := range object.DefaultKinds() {
		h := kinds.For(k)
		refs, err := h.List(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			o, err := h.Get(ctx, c, ref)
			if chef.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out[ref] = o.Digest
		}
	}
	return out, nil
}

// follow begins to follow the feed of k.
func (k *kit) follow() *Follower {
	k.Helper()
	f := &Follower{Feed: k.Feed, Primary: k.Primary.Client}
	if err := f.Begin(k.Context()); err != nil {
		k.Fatalf("begin to follow: %v", err)
	}
	return f
}

// catchUp takes all pages and checks that f ends up with what there is.
func (k *kit) catchUp(f *Follower, limit int) {
	k.Helper()
	if err := f.CatchUp(k.Context(), limit); err != nil {
		k.Fatalf("follow: %v", err)
	}
	k.wantComplete(f)
}

func (k *kit) wantComplete(f *Follower) {
	k.Helper()
	diff, err := f.Diff(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	if diff != "" {
		k.Error(diff)
	}
}

// completeOrLost checks that the feed misses nothing or says that it is lost,
// and that it can be followed from its new head then.
func (k *kit) completeOrLost(f *Follower, mustBeLost bool) {
	k.Helper()
	err := f.CatchUp(k.Context(), 0)
	switch {
	case errors.Is(err, feed.ErrCursorLost):
		f = k.follow()
		k.write.Role("afterwards", "1")
		k.catchUp(f, 0)
	case err != nil:
		k.Fatalf("follow: %v", err)
	case mustBeLost:
		k.Errorf("the feed went on to %s; want ErrCursorLost", f.Cursor)
	default:
		k.wantComplete(f)
	}
}
