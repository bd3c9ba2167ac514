package staging

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/chef-sync/chef-sync/internal/object"
)

// listPart is how many changes of a list stand in one piece.
const listPart = 500

// PutList stores a list of changes under an owner's id. It is kept in pieces, so
// that a page costs as much as it is long, and not as much as the list. A crash
// leaves some of the pieces, under an id that nobody knows.
func (s *Store) PutList(ctx context.Context, owner, id string, list []object.Change) error {
	n := 0
	for part := range slices.Chunk(list, listPart) {
		data, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("stage list %s: %w", id, err)
		}
		if err := s.PutSnapshot(ctx, owner, partID(id, n), data); err != nil {
			return err
		}
		n++
	}
	return nil
}

// ListPage returns the changes of a stored list from an offset up to another, not
// including it. Returns [ErrNotFound] if the list is gone, damaged, or shorter.
func (s *Store) ListPage(ctx context.Context, owner, id string, from, to int) ([]object.Change, error) {
	var out []object.Change
	for at := from; at < to; {
		n := at / listPart
		data, err := s.Snapshot(ctx, owner, partID(id, n))
		if err != nil {
			return nil, err
		}
		var part []object.Change
		first := n * listPart
		last := min(first+listPart, to) - first
		if json.Unmarshal(data, &part) != nil || len(part) < last {
			return nil, fmt.Errorf("staged list %s: damaged: %w", id, ErrNotFound)
		}
		out = append(out, part[at-first:last]...)
		at = first + last
	}
	return out, nil
}

func partID(id string, n int) string { return id + "." + strconv.Itoa(n) }
