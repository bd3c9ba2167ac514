package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
)

// removeIf removes the blobs below a prefix, which ends with a slash, that are
// unwanted.
func (s *Store) removeIf(ctx context.Context, prefix string, unwanted func(*blob.ListObject) bool) error {
	visit := func(o *blob.ListObject) error {
		if !unwanted(o) {
			return nil
		}
		return s.remove(ctx, o.Key)
	}
	if s.dir != "" {
		return s.walk(ctx, prefix, visit)
	}
	it := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("purge staging store: %w", err)
		}
		if err := visit(o); err != nil {
			return err
		}
	}
}

// attrsExt ends the names of files that fileblob calls no blobs.
const attrsExt = ".attrs"

// walk visits the blobs of a directory. The bucket's own list breaks off where a file
// vanishes while it is being listed, and one does at the end of each write; and it
// begins anew after each thousand.
func (s *Store) walk(ctx context.Context, prefix string, visit func(*blob.ListObject) error) error {
	return filepath.WalkDir(filepath.Join(s.dir, filepath.FromSlash(prefix)), func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		var info fs.FileInfo
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, attrsExt) {
			info, err = d.Info()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("purge staging store: %w", err)
		}
		if info == nil {
			return nil
		}
		key := prefix + filepath.ToSlash(strings.TrimPrefix(path, filepath.Join(s.dir, prefix)+string(filepath.Separator)))
		return visit(&blob.ListObject{Key: key, ModTime: info.ModTime(), Size: info.Size()})
	})
}
