package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// surveyPage returns the next page of a full comparison, and begins one if none
// is under way. The feed's head is asked for before anything is listed, so that
// following from there misses nothing.
func (p *poll) surveyPage(ctx context.Context, c *Connection) (*PollResult, error) {
	ids, err := c.Engine.Identities(ctx)
	if err != nil {
		return nil, err
	}
	place := p.in.Survey
	if place != nil {
		if why := changed(p.in.Identities, ids); why != "" {
			return &PollResult{Reset: why, Identities: ids}, nil
		}
	}
	if place == nil {
		if place, err = p.beginSurvey(ctx, c); err != nil {
			return nil, err
		}
	}
	to := min(place.Offset+p.set.PageLimit, place.Total)
	changes, err := c.Engine.Staging.ListPage(ctx, surveyOwner(p.in.Pair), place.ID, place.Offset, to)
	if errors.Is(err, staging.ErrNotFound) {
		return &PollResult{
			Reset: "the list of the comparison is no longer in the staging store", Identities: ids,
			CursorLost: place.Head.Feed == feed.NameListing, // whose list stood beside it
		}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &PollResult{
		Changes: changes, From: place, Identities: ids, Behind: int64(place.Total - to),
		Extras: place.Extras, Deletes: place.Deletes, Totals: place.Totals, DeleteLimit: c.DeleteLimit,
	}
	next := *place
	next.Offset = to
	if to < place.Total {
		out.Survey = &next
		return out, nil
	}
	// The list stays until the next comparison begins: this result may be lost,
	// and then the page is asked for again.
	out.Cursor = place.Head
	return out, nil
}

// atHead is the place from which a pair follows that compares nothing.
func atHead(ctx context.Context, c *Connection) (*PollResult, error) {
	ids, err := c.Engine.Identities(ctx)
	if err != nil {
		return nil, err
	}
	find := c.Feed.Head
	if b, ok := c.Feed.(feed.Baseliner); ok {
		find = b.Baseline
	}
	head, err := find(ctx)
	if err != nil {
		return nil, err
	}
	return &PollResult{AtHead: true, Cursor: head, Identities: ids, DeleteLimit: c.DeleteLimit}, nil
}

// beginSurvey lists both sides and stores what has to be looked at.
func (p *poll) beginSurvey(ctx context.Context, c *Connection) (*SurveyPlace, error) {
	head, err := c.Feed.Head(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.Engine.Survey(ctx)
	if err != nil {
		return nil, err
	}
	changes := s.Writes
	if w, ok := c.Feed.(feed.Witness); ok {
		var gone []object.Ref
		if head, gone, err = w.Saw(ctx, head, refsOf(changes)); err != nil {
			return nil, err
		}
		var held []object.Ref
		changes, held = without(changes, gone)
		s.Extras = append(s.Extras, held...)
	}
	place := &SurveyPlace{ID: rand.Text(), Head: head, Totals: s.Totals}
	if c.DeleteExtras {
		for _, ref := range s.Extras {
			changes = append(changes, object.Change{Action: object.ActionDelete, Ref: ref})
		}
		place.Deletes = plan.CountDeletes(changes)
	} else {
		place.Extras = len(s.Extras)
	}
	place.Total = len(changes)
	owner := surveyOwner(p.in.Pair)
	// Another attempt may have begun a comparison just now, and its list be in use.
	if err := c.Engine.Staging.PurgeSnapshots(ctx, owner, time.Hour); err != nil {
		return nil, err
	}
	return place, c.Engine.Staging.PutList(ctx, owner, place.ID, changes)
}

func refsOf(changes []object.Change) []object.Ref {
	out := make([]object.Ref, len(changes))
	for i, c := range changes {
		out[i] = c.Ref
	}
	return out
}

// without leaves out the changes of objects that are gone, and returns those of them
// which the replica holds.
func without(changes []object.Change, gone []object.Ref) (rest []object.Change, held []object.Ref) {
	if len(gone) == 0 {
		return changes, nil
	}
	out := make(map[object.Ref]bool, len(gone))
	for _, ref := range gone {
		out[ref] = true
	}
	for _, c := range changes {
		switch {
		case !out[c.Ref]:
			rest = append(rest, c)
		case c.Action != object.ActionCreate:
			held = append(held, c.Ref)
		}
	}
	return rest, held
}

func surveyOwner(p object.Pair) string { return "survey/" + p.Replica + "/" + p.Destination }

// shownBeat is the beat that the heartbeat goroutine sends.
type shownBeat struct {
	mu   sync.Mutex
	beat Beat
}

// Store sets the beat.
func (s *shownBeat) Store(b Beat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beat = b
}

// Load returns the beat.
func (s *shownBeat) Load() Beat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beat
}
