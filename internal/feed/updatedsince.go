package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// UpdatedSince is the feed of GET /organizations/ORG/updated_since?seq=N, which
// the primary serves if it runs a feed server. The position is the sequence
// number of the last change seen, in decimal.
//
// A server that sends the X-Chef-Sync headers says its epoch, its organization's
// GUID and its head; a cursor of another epoch or beyond the head is lost, and
// so is one whose server has forgotten deletes after it. Such a server is asked to
// wait for changes if [NextOptions.Wait] says so, and one that knows nothing of
// that answers at once. Of a server that speaks only what was documented, each poll
// asks for one change more than is new: if the last change seen and everything after it are gone,
// the sequence went backwards (a restored backup), and the cursor is lost.
type UpdatedSince struct {
	Primary *chef.Client
	Scope   ScopeFunc
}

// Name returns [NameUpdatedSince].
func (f *UpdatedSince) Name() string { return NameUpdatedSince }

// Head asks for the end of the sequence. A server without the head header is
// asked for everything, once.
func (f *UpdatedSince) Head(ctx context.Context) (object.Cursor, error) {
	got, err := f.ask(ctx, 0, chef.UpdatedSinceOptions{Limit: 1})
	if err != nil {
		return object.Cursor{}, err
	}
	head := got.Head
	if !got.HasHead {
		if len(got.Changes) == 1 { // all there is, or it does as it is told
			if got, err = f.ask(ctx, 0, chef.UpdatedSinceOptions{}); err != nil {
				return object.Cursor{}, err
			}
		}
		for _, c := range got.Changes {
			head = max(head, c.ID)
		}
	}
	return f.cursor(got, head), nil
}

// Next asks for the changes after the cursor. See [Feed.Next].
func (f *UpdatedSince) Next(ctx context.Context, cursor object.Cursor, o NextOptions) (Page, error) {
	seq, err := f.position(cursor)
	if err != nil {
		return Page{}, err
	}
	from, ask := seq, chef.UpdatedSinceOptions{Limit: o.Limit}
	switch {
	case cursor.Epoch != "": // a server with headers, which knows how to wait
		ask.Wait = o.Wait
	case seq > 0: // a server without: see the type
		from--
		if o.Limit > 0 {
			ask.Limit++
		}
	}
	scope, err := f.Scope.scope(ctx)
	if err != nil {
		return Page{}, err
	}
	got, err := f.ask(ctx, from, ask)
	if errors.Is(err, chef.ErrGone) {
		return Page{}, lost(cursor, "the primary says 410: %v", err)
	}
	if err != nil {
		return Page{}, err
	}
	if err := f.check(cursor, seq, from, got); err != nil {
		return Page{}, err
	}
	if seq == 0 && got.Head > 0 {
		if err := f.fromZero(ctx, cursor, got); err != nil {
			return Page{}, err
		}
	}
	return f.page(cursor, seq, got, scope, o.Limit), nil
}

// check finds out whether the server still numbers as it did.
func (f *UpdatedSince) check(cursor object.Cursor, seq, from int64, got *chef.UpdatedSince) error {
	if e := epoch(got); e != cursor.Epoch {
		return lost(cursor, "the primary numbers its changes anew (epoch was %q, is %q)", cursor.Epoch, e)
	}
	switch {
	case got.HasHead && got.Head < seq:
		return lost(cursor, "the primary's head %d is before it: was a backup restored?", got.Head)
	case from < seq && len(got.Changes) == 0:
		return lost(cursor, "the primary no longer has change %d nor any later one: was a backup restored?", seq)
	}
	return nil
}

// fromZero makes sure that nothing is missing after 0, the cursor of an
// organization without changes. For 0 a server answers with all that it has and
// never 410, as is right for who begins there. Whether it has forgotten deletes
// its floor says, or 410 from 1 on.
func (f *UpdatedSince) fromZero(ctx context.Context, cursor object.Cursor, got *chef.UpdatedSince) error {
	if len(got.Changes) == 0 {
		return lost(cursor, "the primary has forgotten its changes up to %d", got.Head)
	}
	if got.HasFloor {
		if got.Floor > 0 {
			return lost(cursor, "the primary has forgotten deletes up to %d", got.Floor)
		}
		return nil
	}
	_, err := f.ask(ctx, 1, chef.UpdatedSinceOptions{Limit: 1})
	if errors.Is(err, chef.ErrGone) {
		return lost(cursor, "the primary says 410: %v", err)
	}
	return err
}

// page turns an answer into the changes after seq.
func (f *UpdatedSince) page(cursor object.Cursor, seq int64, got *chef.UpdatedSince, scope object.Scope, limit int) Page {
	entries := slices.Clone(got.Changes)
	slices.SortStableFunc(entries, func(a, b chef.FeedEntry) int { return cmp.Compare(a.ID, b.ID) })
	p := Page{Next: cursor, Behind: -1}
	last := seq
	for i, e := range entries {
		if e.ID <= seq {
			continue
		}
		if limit > 0 && len(p.Changes) == limit {
			p.More = true
			if !got.HasHead {
				p.Behind = int64(len(entries) - i)
			}
			break
		}
		last = e.ID
		ref, err := object.ParseRef(e.Path)
		if err != nil || !scope.Has(ref) { // an object that the pair does not replicate, or none at all
			p.Ignored++
			continue
		}
		p.Changes = append(p.Changes, object.Change{ID: e.ID, Action: action(e.Action), Ref: ref})
	}
	if got.HasHead {
		p.Behind = max(got.Head-last, 0)
		p.More = p.More || p.Behind > 0 && last > seq
	} else if !p.More {
		p.Behind = 0
	}
	p.Next = f.cursor(got, last)
	return p
}

// action reads what a server printed. What is not a delete is looked at.
func action(s string) object.Action {
	switch object.Action(s) {
	case object.ActionDelete:
		return object.ActionDelete
	case object.ActionCreate:
		return object.ActionCreate
	default:
		return object.ActionUpdate
	}
}

func (f *UpdatedSince) ask(ctx context.Context, seq int64, o chef.UpdatedSinceOptions) (*chef.UpdatedSince, error) {
	got, err := f.Primary.UpdatedSince(ctx, seq, o)
	if errors.Is(err, chef.ErrNoFeed) {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return got, err
}

func (f *UpdatedSince) cursor(got *chef.UpdatedSince, seq int64) object.Cursor {
	return object.Cursor{Feed: NameUpdatedSince, Position: strconv.FormatInt(seq, 10), Epoch: epoch(got)}
}

func (f *UpdatedSince) position(c object.Cursor) (int64, error) {
	if c.Feed != NameUpdatedSince {
		return 0, lost(c, "it belongs to another feed than %s", NameUpdatedSince)
	}
	seq, err := strconv.ParseInt(c.Position, 10, 64)
	if err != nil || seq < 0 {
		return 0, lost(c, "%q is no sequence number", c.Position)
	}
	return seq, nil
}

// epoch names a numbering: the organization's GUID is in it, because an
// organization that was deleted and made anew has another history.
func epoch(got *chef.UpdatedSince) string {
	if got.OrgGUID == "" && got.Epoch == "" {
		return ""
	}
	return got.OrgGUID + "/" + got.Epoch
}
