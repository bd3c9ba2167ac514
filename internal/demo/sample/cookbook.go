package sample

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Chef names files by their MD5
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// segments are the parts of a cookbook that API versions 0 and 1 know, but for
// root_files, which are those in no folder.
var segments = []string{
	"attributes", "definitions", "files", "libraries", "providers", "recipes", "resources", "templates",
}

// A cookbook is one version of a cookbook.
type cookbook struct {
	name, version string // the version as it is stored
	frozen        bool
	metadata      json.RawMessage
	files         []file
}

// A file is one file of a cookbook.
type file struct {
	path    string
	md5     string
	content []byte
}

func newFile(path string, content []byte) file {
	sum := md5.Sum(content) //nolint:gosec // see the import
	return file{path: path, md5: hex.EncodeToString(sum[:]), content: content}
}

// segment returns "" for a file outside the classic segments.
func (f file) segment() string {
	dir, _, nested := strings.Cut(f.path, "/")
	if !nested {
		return "root_files"
	}
	if slices.Contains(segments, dir) {
		return dir
	}
	return ""
}

// name is the file's name in the form of API version 2: without the folder that
// says for which nodes a template or file is meant.
func (f file) name() string {
	if s := f.segment(); s != "" {
		return s + "/" + path.Base(f.path)
	}
	return f.path
}

// specificity is the folder below templates or files, which says for which
// nodes the file is meant. See https://docs.chef.io/templates/#file-specificity.
func (f file) specificity() string {
	s := f.segment()
	if s != "templates" && s != "files" {
		return "default"
	}
	if parts := strings.Split(f.path, "/"); len(parts) > 2 {
		return parts[1]
	}
	return "root_default"
}

// entries describes the files for the server.
func (cb *cookbook) entries() []map[string]string {
	entries := make([]map[string]string, 0, len(cb.files))
	for _, f := range cb.files {
		entries = append(entries, map[string]string{
			"name": f.name(), "path": f.path, "checksum": f.md5, "specificity": f.specificity(),
		})
	}
	return entries
}

// manifest describes the version for the server.
func (cb *cookbook) manifest() (*chef.Manifest, error) {
	text, err := json.Marshal(map[string]any{
		"name":          cb.name + "-" + cb.version,
		"cookbook_name": cb.name,
		"version":       cb.version,
		"chef_type":     "cookbook_version",
		"json_class":    "Chef::CookbookVersion",
		"frozen?":       cb.frozen,
		"metadata":      cb.metadata,
		"all_files":     cb.entries(),
	})
	if err != nil {
		return nil, err
	}
	var m chef.Manifest
	return &m, json.Unmarshal(text, &m)
}

// blobs returns the contents of the version's files by MD5.
func (cb *cookbook) blobs() map[string][]byte {
	out := map[string][]byte{}
	for _, f := range cb.files {
		out[f.md5] = f.content
	}
	return out
}

// upload brings the version and its files to the server.
func (cb *cookbook) upload(ctx context.Context, c *chef.Client) error {
	if err := uploadBlobs(ctx, c, cb.blobs(), 1, func() {}); err != nil {
		return fmt.Errorf("upload the files of cookbook %s %s: %w", cb.name, cb.version, err)
	}
	return cb.put(ctx, c, chef.PutCookbookOptions{})
}

// put writes the manifest; its files have to be on the server.
func (cb *cookbook) put(ctx context.Context, c *chef.Client, o chef.PutCookbookOptions) error {
	m, err := cb.manifest()
	if err == nil {
		err = c.PutCookbook(ctx, m, o)
	}
	if err != nil {
		return fmt.Errorf("put cookbook %s %s: %w", cb.name, cb.version, err)
	}
	return nil
}

// replace is put, also over a frozen version.
func (cb *cookbook) replace(ctx context.Context, c *chef.Client) error {
	err := cb.put(ctx, c, chef.PutCookbookOptions{})
	if errors.Is(err, chef.ErrFrozen) {
		return cb.put(ctx, c, chef.PutCookbookOptions{Force: true})
	}
	return err
}

// uploadBlobs brings to the server what it lacks of blobs. It calls done once
// for each of them.
func uploadBlobs(ctx context.Context, c *chef.Client, blobs map[string][]byte, parallel int, done func()) error {
	if len(blobs) == 0 {
		return nil
	}
	box, err := c.CreateSandbox(ctx, slices.Collect(maps.Keys(blobs)))
	if err != nil {
		return err
	}
	for range len(blobs) - len(box.Uploads) {
		done()
	}
	var calls []call
	for sum, url := range box.Uploads {
		content := blobs[sum]
		calls = append(calls, func(ctx context.Context) error {
			open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
			if err := c.UploadFile(ctx, url, sum, int64(len(content)), open); err != nil {
				return err
			}
			done()
			return nil
		})
	}
	if len(calls) == 0 {
		return nil
	}
	if err := inParallel(ctx, parallel, calls); err != nil {
		return err
	}
	return c.CommitSandbox(ctx, box.ID)
}
