package staging

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/chef-sync/chef-sync/internal/object"
)

// Item is one object on its way: the primary's body, and what is known of the
// replica's object.
type Item struct {
	Ref    object.Ref      `json:"ref"`
	Raw    json.RawMessage `json:"raw"`
	Digest object.Digest   `json:"digest"`
	Frozen bool            `json:"frozen,omitempty"`

	// Held says what the replica held when the object was fetched.
	Held Held `json:"held"`

	// HeldFrozen says that the replica's object was frozen; not with HeldNothing.
	HeldFrozen bool `json:"held_frozen,omitempty"`
}

// Held is what a replica holds in an object's place.
type Held string

// What a replica may hold.
const (
	HeldNothing Held = "nothing" // no such object
	HeldOther   Held = "other"   // an object that is not equal
	HeldHalf    Held = "half"    // a cookbook that looks equal and lacks files
)

// Sandbox is an open sandbox on the replica, with the URLs for the files that
// the replica lacks. The URLs are credentials and expire.
type Sandbox struct {
	ID      string            `json:"id"`
	Uploads map[string]string `json:"uploads"` // MD5 -> URL
	Opened  time.Time         `json:"opened"`
}

// NewBatchID returns an ID that no other batch has.
func NewBatchID() string { return rand.Text() }

// A BatchWriter adds items to a new batch. Add is safe for concurrent use. The
// batch exists only after Close returned nil.
type BatchWriter struct {
	mu     sync.Mutex
	w      *blob.Writer
	enc    *json.Encoder
	cancel context.CancelFunc
}

// NewBatch starts to write the batch id.
func (s *Store) NewBatch(ctx context.Context, id string) (*BatchWriter, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := s.bucket.NewWriter(ctx, batchKey(id, "items"), nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("stage batch: %w", err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // bodies go out as they came in
	return &BatchWriter{w: w, enc: enc, cancel: cancel}, nil
}

// Add appends an item.
func (b *BatchWriter) Add(it Item) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.enc.Encode(it); err != nil {
		return fmt.Errorf("stage %s: %w", it.Ref, err)
	}
	return nil
}

// Close makes the batch visible.
func (b *BatchWriter) Close() error {
	defer b.cancel()
	if err := b.w.Close(); err != nil {
		return fmt.Errorf("stage batch: %w", err)
	}
	return nil
}

// Abandon drops what was written. It does nothing after Close.
func (b *BatchWriter) Abandon() {
	b.cancel()
	_ = b.w.Close() // reports the cancellation, or that it was closed already
}

// ReadBatch calls f for each item of a batch, in the order in which they were
// added, until f returns an error. Returns [ErrNotFound] if there is no such
// batch.
func (s *Store) ReadBatch(ctx context.Context, id string, f func(Item) error) error {
	r, err := s.bucket.NewReader(ctx, batchKey(id, "items"), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("staged batch %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("staged batch %s: %w", id, err)
	}
	defer r.Close()
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<16))
	for {
		var it Item
		err := dec.Decode(&it)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("staged batch %s: damaged at byte %d: %w", id, dec.InputOffset(), ErrNotFound)
		}
		if err := f(it); err != nil {
			return err
		}
	}
}

// PutSandbox stores the sandbox of a batch.
func (s *Store) PutSandbox(ctx context.Context, id string, sb Sandbox) error {
	data, err := json.Marshal(sb)
	if err != nil {
		return err
	}
	if err := s.bucket.WriteAll(ctx, batchKey(id, "sandbox"), data, nil); err != nil {
		return fmt.Errorf("stage sandbox: %w", err)
	}
	return nil
}

// Sandbox returns the sandbox of a batch, or [ErrNotFound] if the batch needs
// none.
func (s *Store) Sandbox(ctx context.Context, id string) (Sandbox, error) {
	data, err := s.read(ctx, batchKey(id, "sandbox"))
	if err != nil {
		return Sandbox{}, err
	}
	var sb Sandbox
	if err := json.Unmarshal(data, &sb); err != nil {
		return Sandbox{}, fmt.Errorf("staged sandbox of batch %s: %w", id, ErrNotFound)
	}
	return sb, nil
}

// DropBatch removes a batch; its files stay for others until [Store.Purge].
// Dropping a batch that is gone is no error.
func (s *Store) DropBatch(ctx context.Context, id string) error {
	return errors.Join(s.remove(ctx, batchKey(id, "items")), s.remove(ctx, batchKey(id, "sandbox")))
}

func batchKey(id, part string) string { return "batches/" + id + "/" + part }
