package kinds

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// A Viewer is a handler of a kind whose digest is not over the body as it is.
type Viewer interface {
	// View is [Value] for an object of the kind.
	View(o Object) (any, error)
}

// Value returns what the digest of an object is over, for people who want to see
// where two objects differ: decoded JSON, in the types of [plan.DigestValue].
// [plan.Fields] of the values of two objects of one ref are none if and only if
// their digests are equal.
//
// Roles, environments and nodes have their defaults filled in and their run lists
// spelled out. Cookbooks and artifacts are frozen?, metadata, and files: a map
// from path, or path@specificity unless that is default, to MD5. Others are their
// bodies. The error holds nothing of the object.
func Value(o Object) (any, error) {
	if v, ok := For(o.Ref.Kind).(Viewer); ok {
		return v.View(o)
	}
	v, err := plan.Decode(o.Raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.Ref, err)
	}
	return v, nil
}

// View is the body in the form in which servers store it.
func (h named) View(o Object) (any, error) {
	doc, err := decodeObject(o.Ref, o.Raw)
	if err != nil {
		return nil, err
	}
	h.normalize(doc)
	return doc, nil
}

// View is the content without the names of files.
func (cookbooks) View(o Object) (any, error) { return viewManifest(o) }

// viewManifest shows a cookbook version or artifact.
func viewManifest(o Object) (any, error) {
	var m chef.Manifest
	if err := json.Unmarshal(o.Raw, &m); err != nil {
		return nil, fmt.Errorf("read %s: %w", o.Ref, err)
	}
	content, err := m.Content()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.Ref, err)
	}
	doc, err := decodeObject(o.Ref, content)
	if err != nil {
		return nil, err
	}
	if metadata, ok := doc["metadata"].(map[string]any); ok && metadata["long_description"] == "" {
		delete(metadata, "long_description")
	}
	doc["files"] = filesByName(m.Files())
	return doc, nil
}

// filesByName maps files to their checksums, so that a file that is changed is one
// difference, wherever it stands in the list. A file that is listed with several
// checksums has them all, in their order.
func filesByName(files []chef.File) map[string]any {
	sums := map[string][]string{}
	for _, f := range files {
		name := fileName(f)
		sums[name] = append(sums[name], f.Checksum)
	}
	out := make(map[string]any, len(sums))
	for name, list := range sums {
		out[name] = strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), " ")
	}
	return out
}

// fileName is the path of a file, with its specificity unless that is default. No
// two of them share a name.
func fileName(f chef.File) string {
	switch {
	case strings.ContainsAny(f.Path+f.Specificity, `@"`):
		return fmt.Sprintf("%q@%q", f.Path, f.Specificity)
	case f.Specificity == "default":
		return f.Path
	default:
		return f.Path + "@" + f.Specificity
	}
}
