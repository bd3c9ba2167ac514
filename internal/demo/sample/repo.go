package sample

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// repoFS has file names that begin with a dot, too.
//
//go:embed all:repo
var repoFS embed.FS

// notForGoiardi are the files that [Options.Segments] leaves out.
var notForGoiardi = map[string]bool{
	"repo/environments/qa-2026.q4.json":          true, // 400: no dots in names of environments
	"repo/data_bags/oddities/nul_character.json": true, // 500: PostgreSQL has no U+0000
	"repo/data_bags/oddities/exponents.json":     true, // PostgreSQL makes 6.02e23 an integer of 24 digits
}

// A repo is what the sample consists of, or the part that its options mean.
type repo struct {
	cookbooks    []*cookbook
	roles        []named
	environments []named
	bags         []bag
	artifacts    []artifact
	policies     []policy
}

// named is an object with its body.
type named struct {
	name string
	body json.RawMessage
}

type bag struct {
	name  string
	items []named
}

// readRepo reads the embedded files and adds the generated ones. An error means
// that the sample itself is wrong.
func readRepo(o Options) (*repo, error) {
	var r repo
	var err error
	if r.cookbooks, err = readCookbooks(o); err != nil {
		return nil, err
	}
	if r.roles, err = readObjects("repo/roles", "name", o); err != nil {
		return nil, err
	}
	if r.environments, err = readObjects("repo/environments", "name", o); err != nil {
		return nil, err
	}
	bags, err := fs.ReadDir(repoFS, "repo/data_bags")
	if err != nil {
		return nil, err
	}
	for _, dir := range bags {
		items, err := readObjects(path.Join("repo/data_bags", dir.Name()), "id", o)
		if err != nil {
			return nil, err
		}
		r.bags = append(r.bags, bag{dir.Name(), items})
	}
	return &r, r.addPolicies(o.policies())
}

// readObjects reads the *.json of a folder. The name of an object stands under
// key in its body: a file cannot have all the names that an object can.
func readObjects(dir, key string, o Options) ([]named, error) {
	entries, err := fs.ReadDir(repoFS, dir)
	if err != nil {
		return nil, err
	}
	var out []named
	for _, e := range entries {
		file := path.Join(dir, e.Name())
		if path.Ext(file) != ".json" || o.Segments && notForGoiardi[file] {
			continue
		}
		body, err := repoFS.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name, err := stringAt(body, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, named{name, body})
	}
	return out, nil
}

// stringAt returns the string under a key of a JSON object.
func stringAt(body json.RawMessage, key string) (string, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		return "", err
	}
	var s string
	if err := json.Unmarshal(doc[key], &s); err != nil || s == "" {
		return "", errors.New("no string under " + key)
	}
	return s, nil
}

// readCookbooks reads the folders cookbooks/NAME-VERSION, in their order.
func readCookbooks(o Options) ([]*cookbook, error) {
	dirs, err := fs.ReadDir(repoFS, "repo/cookbooks")
	if err != nil {
		return nil, err
	}
	var out []*cookbook
	for _, dir := range dirs {
		cb, err := readCookbook(dir.Name())
		if err != nil {
			return nil, fmt.Errorf("cookbook %s: %w", dir.Name(), err)
		}
		out = append(out, cb)
	}
	out = append(out, emptyCookbook())
	for _, cb := range out {
		cb.frozen = frozenVersions[cb.name+"-"+cb.version]
		addGenerated(cb)
		if o.Segments {
			cb.files = slices.DeleteFunc(cb.files, func(f file) bool { return f.segment() == "" })
		}
	}
	return out, nil
}

// readCookbook reads one version. Its metadata.json is a file of the cookbook
// and the metadata of its manifest at the same time, as with Chef's own tools.
func readCookbook(dir string) (*cookbook, error) {
	root := path.Join("repo/cookbooks", dir)
	var files []file
	err := fs.WalkDir(repoFS, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := repoFS.ReadFile(p)
		if err != nil {
			return err
		}
		files = append(files, newFile(strings.TrimPrefix(p, root+"/"), content))
		return nil
	})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(files, func(f file) bool { return f.path == "metadata.json" })
	if i < 0 {
		return nil, errors.New("no metadata.json")
	}
	metadata := json.RawMessage(files[i].content)
	name, err := stringAt(metadata, "name")
	if err != nil {
		return nil, err
	}
	version, err := stringAt(metadata, "version")
	if err != nil {
		return nil, err
	}
	if name+"-"+version != dir {
		return nil, fmt.Errorf("metadata.json is that of %s-%s", name, version)
	}
	return &cookbook{name: name, version: version, metadata: metadata, files: files}, nil
}

// blobs returns the distinct contents of all files by MD5.
func (r *repo) blobs() map[string][]byte {
	out := map[string][]byte{}
	for _, cb := range r.cookbooks {
		for _, f := range cb.files {
			out[f.md5] = f.content
		}
	}
	return out
}

// cookbook returns a version of the repo, nil if it has none of that name.
func (r *repo) cookbook(name, version string) *cookbook {
	i := slices.IndexFunc(r.cookbooks, func(cb *cookbook) bool { return cb.name == name && cb.version == version })
	if i < 0 {
		return nil
	}
	return r.cookbooks[i]
}
