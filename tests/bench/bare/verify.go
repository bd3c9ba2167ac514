package main

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Chef's name for a file
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// verify reads both organizations completely and fails if they differ: every
// list, manifest and object of both sides once, and every distinct file once per
// side. That is what nobody can do without who wants to know whether two Chef
// servers hold the same.
func (c *copier) verify(ctx context.Context) error {
	have, err := versions(ctx, c.from)
	if err != nil {
		return err
	}
	held, err := versions(ctx, c.to)
	if err != nil {
		return err
	}
	var files downloads
	if err := c.compare(ctx, have, held, &files); err != nil {
		return err
	}
	for _, path := range []string{"/roles", "/environments"} {
		if err := c.verifyList(ctx, path, &files); err != nil {
			return err
		}
	}
	var bags, heldBags map[string]any
	if err := c.both(ctx, "/data", &bags, &heldBags); err != nil {
		return err
	}
	if n := len(lacking(bags, heldBags)) + len(lacking(heldBags, bags)); n > 0 {
		return fmt.Errorf("%d bags are on one side only", n)
	}
	for _, bag := range slices.Sorted(maps.Keys(bags)) {
		if err := c.verifyList(ctx, "/data/"+bag, &files); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) both(ctx context.Context, path string, from, to any) error {
	return errors.Join(
		c.from.api(ctx, http.MethodGet, path, "", nil, from),
		c.to.api(ctx, http.MethodGet, path, "", nil, to))
}

func (c *copier) verifyList(ctx context.Context, path string, files *downloads) error {
	var have, held map[string]any
	if err := c.both(ctx, path, &have, &held); err != nil {
		return err
	}
	return c.compare(ctx, below(path, have), below(path, held), files)
}

// below makes paths of names.
func below(path string, names map[string]any) map[string]any {
	out := make(map[string]any, len(names))
	for n := range names {
		out[path+"/"+n] = nil
	}
	return out
}

// compare compares the objects of the paths, and their files.
func (c *copier) compare(ctx context.Context, have, held map[string]any, files *downloads) error {
	if n := len(lacking(have, held)) + len(lacking(held, have)); n > 0 {
		return fmt.Errorf("%d objects are on one side only", n)
	}
	return each(ctx, c.parallel, slices.Sorted(maps.Keys(have)), func(ctx context.Context, path string) error {
		c.objects.Add(1)
		from, err := c.from.read(ctx, path)
		if err != nil {
			return err
		}
		to, err := c.to.read(ctx, path)
		if err != nil {
			return err
		}
		if !bytes.Equal(from.body, to.body) {
			return fmt.Errorf("%s differs", path)
		}
		return errors.Join(c.readFiles(ctx, c.from, from, files), c.readFiles(ctx, c.to, to, files))
	})
}

// readFiles reads the files that nobody has read on this side.
func (c *copier) readFiles(ctx context.Context, s *server, b cookbook, files *downloads) error {
	for sum, url := range b.urls {
		if !files.first(s, sum) {
			continue
		}
		data, err := s.download(ctx, url)
		if err != nil {
			return err
		}
		c.files.Add(1)
		if got := md5.Sum(data); hex.EncodeToString(got[:]) != sum { //nolint:gosec // see the import
			return fmt.Errorf("file %s of %s is damaged", sum, b.path)
		}
	}
	return nil
}

// read reads any object as it would be written to another server: without file
// URLs, which are one server's own.
func (s *server) read(ctx context.Context, path string) (cookbook, error) {
	b := cookbook{path: path, urls: map[string]string{}}
	var doc map[string]json.RawMessage
	if err := s.api(ctx, http.MethodGet, path, "", nil, &doc); err != nil {
		return b, err
	}
	for key, value := range doc {
		var files []map[string]any
		if value[0] != '[' || json.Unmarshal(value, &files) != nil || len(files) == 0 || files[0]["checksum"] == nil {
			continue
		}
		for _, f := range files {
			b.urls[f["checksum"].(string)] = f["url"].(string)
			delete(f, "url")
		}
		var err error
		if doc[key], err = json.Marshal(files); err != nil {
			return b, err
		}
	}
	var err error
	b.body, err = json.Marshal(doc)
	return b, err
}

// downloads are the files that were read.
type downloads struct{ seen sync.Map }

func (d *downloads) first(s *server, sum string) bool {
	_, seen := d.seen.LoadOrStore([2]any{s, sum}, nil)
	return !seen
}
