package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// perSandbox is how many cookbook versions share a sandbox.
const perSandbox = 50

// cookbook is one version on its way.
type cookbook struct {
	path string
	body []byte            // as it is written
	urls map[string]string // MD5 -> where the file is on the first side
}

// cookbooks copies the versions that the second side lacks.
func (c *copier) cookbooks(ctx context.Context) error {
	have, err := versions(ctx, c.from)
	if err != nil {
		return err
	}
	held, err := versions(ctx, c.to)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(lacking(have, held), perSandbox) {
		if err := c.chunk(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// versions returns the paths of all cookbook versions.
func versions(ctx context.Context, s *server) (map[string]any, error) {
	var list map[string]struct {
		Versions []struct{ Version string }
	}
	if err := s.api(ctx, http.MethodGet, "/cookbooks", "num_versions=all", nil, &list); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, cb := range list {
		for _, v := range cb.Versions {
			out["/cookbooks/"+name+"/"+v.Version] = nil
		}
	}
	return out, nil
}

// chunk copies the files and then the manifests of some versions.
func (c *copier) chunk(ctx context.Context, paths []string) error {
	var mu sync.Mutex
	var books []cookbook
	urls := map[string]string{}
	err := each(ctx, c.parallel, paths, func(ctx context.Context, path string) error {
		b, err := c.from.read(ctx, path)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		books = append(books, b)
		maps.Copy(urls, b.urls)
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.sandbox(ctx, urls); err != nil {
		return err
	}
	return each(ctx, c.parallel, books, func(ctx context.Context, b cookbook) error {
		c.objects.Add(1)
		return c.to.api(ctx, http.MethodPut, b.path, "", b.body, nil)
	})
}

// sandbox brings over those files that the second side lacks.
func (c *copier) sandbox(ctx context.Context, urls map[string]string) error {
	if len(urls) == 0 {
		return nil
	}
	ask := map[string]any{}
	for sum := range urls {
		ask[sum] = nil
	}
	body, err := json.Marshal(map[string]any{"checksums": ask})
	if err != nil {
		return err
	}
	var sb struct {
		ID        string `json:"sandbox_id"`
		Checksums map[string]struct {
			Needs bool   `json:"needs_upload"`
			URL   string `json:"url"`
		}
	}
	if err := c.to.api(ctx, http.MethodPost, "/sandboxes", "", body, &sb); err != nil {
		return err
	}
	err = each(ctx, c.parallel, slices.Collect(maps.Keys(sb.Checksums)), func(ctx context.Context, sum string) error {
		if !sb.Checksums[sum].Needs {
			return nil
		}
		return c.file(ctx, sum, urls[sum], sb.Checksums[sum].URL)
	})
	if err != nil {
		return err
	}
	return c.to.api(ctx, http.MethodPut, "/sandboxes/"+sb.ID, "", []byte(`{"is_completed":true}`), nil)
}

// file copies one file.
func (c *copier) file(ctx context.Context, sum, from, to string) error {
	raw, err := hex.DecodeString(sum)
	if err != nil {
		return err
	}
	data, err := c.from.download(ctx, from)
	if err != nil {
		return err
	}
	c.files.Add(1)
	return c.to.upload(ctx, to, raw, data)
}
