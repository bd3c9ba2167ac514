package staging

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	// Files are the MD5 sums of the files that the object needs.
	Files []string `json:"files,omitempty"`
}

// Held is what a replica holds in an object's place.
type Held string

// What a replica may hold.
const (
	HeldNothing Held = "nothing" // no such object
	HeldOther   Held = "other"   // an object that is not equal
	HeldHalf    Held = "half"    // a cookbook that looks equal and lacks files
	HeldUnknown Held = "unknown" // what it should be depends on the replica; Apply compares
)

// Sandbox is what the replica was asked about a batch's files: the open
// sandboxes (several for very many files), and the URLs for the files that it
// lacks. The URLs are credentials and expire.
type Sandbox struct {
	IDs     []string          `json:"ids"`
	Uploads map[string]string `json:"uploads"` // MD5 -> URL
	Opened  time.Time         `json:"opened"`
}

// NewBatchID returns an ID that no other batch has.
func NewBatchID() string { return rand.Text() }

// A BatchWriter adds items to a new batch. Add is safe for concurrent use. The
// batch exists only after Close returned nil.
//
// Each item is a line: 16 hex digits of its SHA-256, a space, and its JSON. The
// last line counts them. So a batch that lost its end, or a bit, in a crash of
// the host is never taken for a whole one.
type BatchWriter struct {
	mu     sync.Mutex
	w      *blob.Writer
	n      int
	failed bool
	cancel context.CancelFunc
	closed bool // the drivers do not bear it twice
}

// NewBatch starts to write the batch id.
func (s *Store) NewBatch(ctx context.Context, id string) (*BatchWriter, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := s.bucket.NewWriter(ctx, batchKey(id, "items"), nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("stage batch: %w", err)
	}
	return &BatchWriter{w: w, cancel: cancel}, nil
}

// Add appends an item. After an error the batch can only be abandoned.
func (b *BatchWriter) Add(it Item) error {
	var doc bytes.Buffer
	enc := json.NewEncoder(&doc)
	enc.SetEscapeHTML(false) // bodies go out as they came in
	if err := enc.Encode(it); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.failed = true
		// The encoder's error may quote a body.
		return fmt.Errorf("stage %s: its body is not JSON", it.Ref)
	}
	return b.line(it.Ref.String(), lineSum(bytes.TrimSuffix(doc.Bytes(), newline)), doc.Bytes())
}

// line writes one line.
func (b *BatchWriter) line(what, sum string, rest []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("stage %s: %w", what, fs.ErrClosed)
	}
	_, err := b.w.Write(append([]byte(sum+" "), rest...))
	if err != nil {
		b.failed = true
		return fmt.Errorf("stage %s: %w", what, err)
	}
	b.n++
	return nil
}

// Close makes the batch visible.
func (b *BatchWriter) Close() error {
	err := b.line("batch", lastLine, fmt.Appendf(nil, "%d\n", b.n))
	if err != nil || b.failed { // a batch without one of its items is none
		b.Abandon()
		return errors.Join(err, errIncomplete)
	}
	defer b.cancel()
	if err := b.end(); err != nil {
		return fmt.Errorf("stage batch: %w", err)
	}
	return nil
}

// end closes the blob, the first time.
func (b *BatchWriter) end() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.w.Close()
}

var errIncomplete = errors.New("an item could not be staged")

// Abandon drops what was written. It does nothing after Close.
func (b *BatchWriter) Abandon() {
	b.cancel()
	_ = b.end() // reports the cancellation
}

// lastLine stands in place of the sum in the last line of a batch.
const lastLine = "end"

var newline = []byte("\n")

// lineSum guards against damage, not against malice.
func lineSum(doc []byte) string {
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:8])
}

// ReadBatch calls f for each item of a batch, in the order in which they were
// added, until f returns an error. Returns [ErrNotFound] if there is no such
// batch, or if it is damaged; f may have seen the items before the damage.
func (s *Store) ReadBatch(ctx context.Context, id string, f func(Item) error) error {
	r, err := s.bucket.NewReader(ctx, batchKey(id, "items"), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("staged batch %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("staged batch %s: %w", id, err)
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 1<<16)
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("staged batch %s: %w", id, err)
		}
		sum, doc, _ := bytes.Cut(bytes.TrimSuffix(line, newline), []byte(" "))
		if string(sum) == lastLine && string(doc) == fmt.Sprint(n) {
			return nil
		}
		var it Item
		if err != nil || string(sum) != lineSum(doc) || json.Unmarshal(doc, &it) != nil {
			return fmt.Errorf("staged batch %s: damaged after %d items: %w", id, n, ErrNotFound)
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

// Sandbox returns the sandbox of a batch. Returns [ErrNotFound] if the batch
// needs no files, or if it is gone or damaged.
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

// batchKey makes no folder per batch: nobody would ever remove it.
func batchKey(id, part string) string { return "batches/" + id + "." + part }
