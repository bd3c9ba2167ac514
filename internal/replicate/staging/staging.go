// Package staging is where object bodies and cookbook files stand between the
// activity that fetched them and the one that applies them. They never enter
// workflow history, which anyone with access to Temporal can read: data bag
// items hold secrets.
//
// A store is a bucket of gocloud.dev/blob: a private directory (file://) by
// default, shared storage (s3://) where several hosts work for one replica. It
// holds
//
//	store.json           which format this is, and the store's ID
//	batches/ID.items     the bodies of one batch, one JSON document a line
//	batches/ID.sandbox   the upload URLs for the files of that batch
//	files/XX/MD5         cookbook files, by content (XX: how it begins), shared by all batches
//	snapshots/OWNER/ID   what a listing feed saw; lists of full comparisons, in pieces
//
// Nothing in it is needed for correctness. Whoever finds a piece missing
// ([ErrNotFound]) fetches it again, so a store may be emptied at any time.
package staging

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files, not a protection
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"
)

var (
	// ErrNotFound says that the store does not hold what was asked for (any
	// more). Fetching it again is always right.
	ErrNotFound = errors.New("not in the staging store")

	// ErrCorrupt says that a file's content is not what its name says. The file
	// has been removed; fetching it again is right.
	ErrCorrupt = errors.New("staged file does not match its MD5")
)

// Store is a staging store. Its methods are safe for concurrent use, also by
// several processes on one bucket.
type Store struct {
	bucket *blob.Bucket
	dir    string // where the bucket is a directory
	clock  clock
}

// Open opens the store at a URL of gocloud.dev/blob: file:///var/lib/staging
// (created with mode 0700; an existing directory that others can read is
// refused), mem:// (tests), or s3://BUCKET?prefix=chef-sync/, with credentials and
// region from the standard AWS environment and files and the parameters of
// https://pkg.go.dev/gocloud.dev/blob/s3blob#URLOpener. Nothing is read or written;
// see [Store.Join].
func Open(ctx context.Context, rawURL string) (*Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("staging store: its URL cannot be read")
	}
	var bucket *blob.Bucket
	var dir string
	switch u.Scheme {
	case "file":
		dir = filepath.FromSlash(u.Path)
		bucket, err = openDir(dir)
	case "mem":
		bucket = memblob.OpenBucket(nil)
	default:
		if bucket, err = blob.OpenBucket(ctx, rawURL); err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), u.String(), named(u)))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("staging store %s: %w", named(u), err)
	}
	s := &Store{bucket: bucket, dir: dir}
	s.clock.measure = s.measure
	return s, nil
}

// named is a URL without what may be secret in it, for errors.
func named(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Shared reports whether hosts that open a URL open one and the same store. A
// directory is a host's own, also where a network file system mounts it: nothing
// says that the others mount it, too.
func Shared(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && u.Scheme != "file" && u.Scheme != "mem"
}

func openDir(dir string) (*blob.Bucket, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o), and it holds secrets: chmod 0700 %s",
			dir, info.Mode().Perm(), dir)
	}
	// No side files for attributes, and temporary files beside the final ones:
	// one create and one rename a blob.
	return fileblob.OpenBucket(dir, &fileblob.Options{
		NoTempDir: true, Metadata: fileblob.MetadataDontWrite, DirFileMode: 0o700,
	})
}

// Close releases the bucket.
func (s *Store) Close() error { return s.bucket.Close() }

// PutFile stores a cookbook file under its MD5 (32 lower-case hex digits). The
// content comes from fetch, which writes it; it is stored only if fetch returns
// nil and the content matches. Storing a file again is harmless. Returns the
// number of bytes.
func (s *Store) PutFile(ctx context.Context, sum string, fetch func(io.Writer) error) (int64, error) {
	ctx, cancel := context.WithCancel(ctx) // cancelled before Close, nothing is stored
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, fileKey(sum), nil)
	if err != nil {
		return 0, fmt.Errorf("stage file %s: %w", sum, err)
	}
	h := md5.New() //nolint:gosec // see the import
	n := &counter{}
	err = fetch(io.MultiWriter(w, h, n))
	if err == nil && hex.EncodeToString(h.Sum(nil)) != sum {
		err = ErrCorrupt
	}
	if err != nil {
		cancel()
		_ = w.Close() // reports the cancellation
		return 0, fmt.Errorf("stage file %s: %w", sum, err)
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("stage file %s: %w", sum, err)
	}
	return n.n, nil
}

// HasFile reports whether the file is staged, and its size in bytes. One that has
// spent half of [Lifetime] does not count: whoever relied on it could meet a purge
// by another process. It is to be stored again, which renews it.
func (s *Store) HasFile(ctx context.Context, sum string) (size int64, ok bool, err error) {
	attrs, err := s.bucket.Attributes(ctx, fileKey(sum))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("staged file %s: %w", sum, err)
	}
	now, err := s.clock.now(ctx)
	if err != nil || now.Sub(attrs.ModTime) > Lifetime/2 {
		return 0, false, err
	}
	return attrs.Size, true, nil
}

// File returns the content of a staged file, verified. Returns [ErrNotFound] if
// it is not there and [ErrCorrupt] if it is damaged.
func (s *Store) File(ctx context.Context, sum string) ([]byte, error) {
	data, err := s.read(ctx, fileKey(sum))
	if err != nil {
		return nil, fmt.Errorf("staged file %s: %w", sum, err)
	}
	got := md5.Sum(data) //nolint:gosec // see the import
	if hex.EncodeToString(got[:]) != sum {
		_ = s.bucket.Delete(ctx, fileKey(sum)) // the next fetch brings a good one
		return nil, fmt.Errorf("staged file %s: %w", sum, ErrCorrupt)
	}
	return data, nil
}

// PutSnapshot stores what owner's feed saw, under an id of the feed's choice.
func (s *Store) PutSnapshot(ctx context.Context, owner, id string, data []byte) error {
	if err := s.bucket.WriteAll(ctx, snapshotKey(owner, id), data, nil); err != nil {
		return fmt.Errorf("stage snapshot %s: %w", id, err)
	}
	return nil
}

// Snapshot returns a stored snapshot, or [ErrNotFound].
func (s *Store) Snapshot(ctx context.Context, owner, id string) ([]byte, error) {
	data, err := s.read(ctx, snapshotKey(owner, id))
	if err != nil {
		return nil, fmt.Errorf("staged snapshot %s: %w", id, err)
	}
	return data, nil
}

// KeepSnapshots removes all of owner's snapshots but the named ones.
func (s *Store) KeepSnapshots(ctx context.Context, owner string, ids ...string) error {
	return s.removeIf(ctx, snapshotKey(owner, ""), unnamed(owner, ids))
}

// PurgeSnapshots removes an owner's snapshots that are older than maxAge, but not
// the named ones. Another process may have stored a younger one for the same owner
// just now.
func (s *Store) PurgeSnapshots(ctx context.Context, owner string, maxAge time.Duration, ids ...string) error {
	old, err := s.older(ctx, maxAge)
	if err != nil {
		return err
	}
	gone := unnamed(owner, ids)
	return s.removeIf(ctx, snapshotKey(owner, ""), func(o *blob.ListObject) bool { return gone(o) && old(o) })
}

// unnamed returns what says whether a snapshot of owner's is none of ids.
func unnamed(owner string, ids []string) func(*blob.ListObject) bool {
	keep := map[string]bool{}
	for _, id := range ids {
		keep[snapshotKey(owner, id)] = true
	}
	return func(o *blob.ListObject) bool { return !keep[o.Key] }
}

// Lifetime is how long staged data is kept for somebody to take it up again. It is
// the same for all who share a store.
const Lifetime = 24 * time.Hour

// Purge removes batches and files that have not been touched for maxAge, by the
// store's own clock: a host whose clock is wrong takes nothing from others. The
// owners of what is removed fetch it again if they are still alive.
func (s *Store) Purge(ctx context.Context, maxAge time.Duration) error {
	old, err := s.older(ctx, maxAge)
	if err != nil {
		return err
	}
	return errors.Join(s.removeIf(ctx, "batches/", old), s.removeIf(ctx, "files/", old))
}

// older returns what says whether a blob is older than maxAge.
func (s *Store) older(ctx context.Context, maxAge time.Duration) (func(*blob.ListObject) bool, error) {
	now, err := s.clock.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("purge staging store: %w", err)
	}
	return func(o *blob.ListObject) bool { return now.Sub(o.ModTime) > maxAge }, nil
}

func (s *Store) remove(ctx context.Context, key string) error {
	err := s.bucket.Delete(ctx, key)
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("purge staging store: %w", err)
	}
	return nil
}

func (s *Store) read(ctx context.Context, key string) ([]byte, error) {
	data, err := s.bucket.ReadAll(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrNotFound
	}
	return data, err
}

// fileKey spreads files over 256 directories: in a single one, files that are
// written side by side wait for each other five times as long as they take.
func fileKey(sum string) string {
	return "files/" + sum[:min(2, len(sum))] + "/" + sum
}

func snapshotKey(owner, id string) string { return "snapshots/" + escape(owner) + "/" + id }

// escape keeps an owner's name one path element, and two owners apart.
func escape(s string) string { return url.PathEscape(s) }

// counter counts the bytes written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
