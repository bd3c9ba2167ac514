package staging

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Format numbers the way in which a store's blobs are written. It rises when an
// older chef-sync would misread them.
const Format = 1

// ErrNewer says that a newer chef-sync wrote a store.
var ErrNewer = errors.New("was written by a newer chef-sync")

// mark is the content of store.json.
type mark struct {
	Format int    `json:"format"`
	ID     string `json:"id"`
}

const markKey = "store.json"

// Join makes sure that the store can be read and written and is of this version's
// [Format], and returns its ID, which it makes for a new store: short, of letters
// and digits, the same for all who share the store and after every restart. Returns
// [ErrNewer] if this version must not touch the store. May be repeated; two that
// join a new directory in the same moment may hold different IDs until they join
// again.
func (s *Store) Join(ctx context.Context) (id string, err error) {
	m, err := s.readMark(ctx)
	if errors.Is(err, ErrNotFound) {
		m = mark{Format: Format, ID: strings.ToLower(rand.Text()[:10])}
		data, merr := json.Marshal(m)
		if merr != nil {
			return "", merr
		}
		if err := s.bucket.WriteAll(ctx, markKey, data, nil); err != nil {
			return "", fmt.Errorf("mark the staging store: %w", err)
		}
		m, err = s.readMark(ctx) // another one's, if that was quicker
	}
	if err != nil {
		return "", fmt.Errorf("mark of the staging store: %w", err)
	}
	if m.Format > Format {
		return "", fmt.Errorf("the staging store %w (format %d, this one knows %d): upgrade chef-sync on this host, "+
			"or give it another staging store; what is staged can be fetched again", ErrNewer, m.Format, Format)
	}
	_, err = s.clock.now(ctx) // writes and removes
	return m.ID, err
}

// readMark returns [ErrNotFound] also for a mark that is damaged: it is made anew.
func (s *Store) readMark(ctx context.Context) (m mark, err error) {
	data, err := s.read(ctx, markKey)
	if err != nil {
		return mark{}, err
	}
	if json.Unmarshal(data, &m) != nil || m.ID == "" || m.Format == 0 {
		return mark{}, ErrNotFound
	}
	return m, nil
}
