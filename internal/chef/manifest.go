package chef

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// segments are the nine arrays in which API versions 0 and 1 list the files of a
// cookbook. Version 2 has one array, all_files, and room for files elsewhere.
var segments = []string{
	"attributes", "definitions", "files", "libraries", "providers",
	"recipes", "resources", "root_files", "templates",
}

// rootSegment holds the files that are in no folder.
const rootSegment = "root_files"

// A Manifest describes one version of a cookbook, or one cookbook artifact: its
// metadata and which files it has, by checksum. It keeps every key as raw JSON, also those it does not
// know, and numbers of any size. The zero Manifest is empty; one comes from
// [Client.GetCookbook], [Client.GetArtifact] or from JSON.
//
// json.Unmarshal reads both forms that servers use, that of API version 2
// (all_files) and that of versions 0 and 1 (nine arrays, "segments").
// json.Marshal writes the form of version 2, without the URLs of files: they
// are of one server and one day, and a server would store them.
//
// See https://docs.chef.io/server/api_chef_server/#cookbooks.
type Manifest struct {
	keys      map[string]json.RawMessage // all but the files
	files     []manifestFile
	segmented bool // it was read in the form of versions 0 and 1
}

// A manifestFile is one entry of a manifest, all its keys but url.
type manifestFile struct {
	File
	keys map[string]json.RawMessage
}

// A File is one file of a cookbook.
type File struct {
	// Name is the file's name in the form of API version 2: "recipes/web.rb",
	// "root_files/README.md". The same file may have different names on
	// different servers: compare paths.
	Name string

	// Path is where the file is in the cookbook: "recipes/web.rb", "README.md".
	Path string

	// Checksum is the MD5 of the content in lower-case hex.
	Checksum string

	// Specificity says for which nodes the file is meant: "default", mostly.
	Specificity string

	// URL is where the file can be read for some time, hours mostly; "" if the
	// manifest did not come from a server. It is a secret while it lasts.
	URL string
}

// UnmarshalJSON reads a manifest in either form. It refuses what no cookbook
// server would store: what is no object or has no name, and with [ErrManifest] a
// file without path or MD5.
func (m *Manifest) UnmarshalJSON(text []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil || keys == nil {
		return errors.New("cookbook manifest: not a JSON object")
	}
	out := Manifest{keys: keys}
	if stringAt(keys, "name") == "" && stringAt(keys, "cookbook_name") == "" {
		return errors.New("cookbook manifest: it has no name")
	}
	all, flat := keys["all_files"]
	if flat {
		if err := out.addFiles("", all); err != nil {
			return err
		}
		delete(keys, "all_files")
	}
	for _, segment := range segments {
		// Some servers list the segments as well as all_files; they repeat it.
		if list, ok := keys[segment]; ok && !flat {
			if err := out.addFiles(segment, list); err != nil {
				return err
			}
		}
		delete(keys, segment)
	}
	out.segmented = !flat
	*m = out
	return nil
}

// addFiles adds the entries of all_files (segment "") or of one segment, whose
// files have names without it.
func (m *Manifest) addFiles(segment string, list json.RawMessage) error {
	var entries []map[string]json.RawMessage
	if err := json.Unmarshal(list, &entries); err != nil || entries == nil {
		return fmt.Errorf("%w: %s is not a list of files", ErrManifest, cmp.Or(segment, "all_files"))
	}
	for _, keys := range entries {
		f := manifestFile{keys: keys, File: File{
			Name:        stringAt(keys, "name"),
			Path:        stringAt(keys, "path"),
			Checksum:    strings.ToLower(stringAt(keys, "checksum")),
			Specificity: stringAt(keys, "specificity"),
			URL:         stringAt(keys, "url"),
		}}
		if f.Path == "" {
			return fmt.Errorf("%w: file %q has no path", ErrManifest, f.Name)
		}
		if !isMD5(f.Checksum) {
			return fmt.Errorf("%w: the checksum of file %q is not an MD5", ErrManifest, f.Path)
		}
		if f.Name == "" {
			_, f.Name, _ = strings.Cut(f.Path, "/")
			f.Name = cmp.Or(f.Name, f.Path)
			if segment == "" {
				f.Name = f.Path
			}
		}
		if segment != "" {
			f.Name = segment + "/" + f.Name
		}
		delete(keys, "url")
		delete(keys, "name")
		delete(keys, "checksum")
		m.files = append(m.files, f)
	}
	return nil
}

// stringAt returns the string under a key, "" if there is none.
func stringAt(keys map[string]json.RawMessage, key string) string {
	var s string
	if json.Unmarshal(keys[key], &s) != nil {
		return ""
	}
	return s
}

// isMD5 reports whether s is an MD5 in lower-case hex.
func isMD5(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == 16 && s == strings.ToLower(s)
}

// MarshalJSON writes the form of API version 2, without the URLs of files.
func (m *Manifest) MarshalJSON() ([]byte, error) {
	keys := maps.Clone(m.keys)
	if keys == nil {
		keys = map[string]json.RawMessage{}
	}
	entries := make([]json.RawMessage, 0, len(m.files))
	for _, f := range m.files {
		entry, err := f.encode(f.Name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	var err error
	if keys["all_files"], err = encodeJSON(entries); err != nil {
		return nil, err
	}
	return encodeJSON(keys)
}

// encodeFor writes the form of an API version.
func (m *Manifest) encodeFor(apiVersion int) (any, error) {
	if apiVersion < 2 {
		return m.segmentForm()
	}
	return m.MarshalJSON()
}

// segmentForm is the form of API versions 0 and 1. It fails with
// [ErrDropsFiles], naming the files, if some have no place in it: a server would
// take the manifest and lose them.
func (m *Manifest) segmentForm() (json.RawMessage, error) {
	lists := map[string][]json.RawMessage{}
	for _, s := range segments {
		lists[s] = []json.RawMessage{}
	}
	var homeless []string
	for _, f := range m.files {
		segment, name, ok := strings.Cut(f.Name, "/")
		if !ok {
			segment, name = rootSegment, f.Name
		}
		if !slices.Contains(segments, segment) {
			homeless = append(homeless, f.Path)
			continue
		}
		entry, err := f.encode(name)
		if err != nil {
			return nil, err
		}
		lists[segment] = append(lists[segment], entry)
	}
	if len(homeless) > 0 {
		return nil, fmt.Errorf("%w of cookbook %s %s: it has no place for %s",
			ErrDropsFiles, m.CookbookName(), m.Version(), someOf(homeless))
	}
	keys := maps.Clone(m.keys)
	if keys == nil {
		keys = map[string]json.RawMessage{}
	}
	if _, ok := keys["frozen?"]; !ok {
		keys["frozen?"] = json.RawMessage("false") // goiardi asks for it
	}
	for segment, list := range lists {
		var err error
		if keys[segment], err = encodeJSON(list); err != nil {
			return nil, err
		}
	}
	return encodeJSON(keys)
}

// someOf lists at most ten names, and how many more there are.
func someOf(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (f manifestFile) encode(name string) (json.RawMessage, error) {
	keys := maps.Clone(f.keys)
	var err error
	if keys["name"], err = encodeJSON(name); err != nil {
		return nil, err
	}
	if keys["checksum"], err = encodeJSON(f.Checksum); err != nil {
		return nil, err
	}
	return encodeJSON(keys)
}

// encodeJSON is json.Marshal without the escapes for HTML.
func encodeJSON(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// CookbookName returns the cookbook's name, without version.
func (m *Manifest) CookbookName() string {
	name := stringAt(m.keys, "name")
	if m.Identifier() != "" {
		return name // an artifact is called like its cookbook, be it a-1.0
	}
	if name := stringAt(m.keys, "cookbook_name"); name != "" {
		return name
	}
	return strings.TrimSuffix(name, "-"+m.Version())
}

// Identifier returns the identifier of a cookbook artifact; "" if the manifest is
// that of a cookbook version.
func (m *Manifest) Identifier() string { return stringAt(m.keys, "identifier") }

// Version returns the version as it is stored, which may be shorter than what
// lists say: "1.0" is listed as 1.0.0.
func (m *Manifest) Version() string {
	var metadata map[string]json.RawMessage
	if json.Unmarshal(m.keys["metadata"], &metadata) == nil {
		if v := stringAt(metadata, "version"); v != "" {
			return v
		}
	}
	return stringAt(m.keys, "version")
}

// addressed returns the manifest under a name and version, both as they stand in
// the path that it is written to.
func (m *Manifest) addressed(name, version string) *Manifest {
	out := *m
	out.keys = maps.Clone(m.keys)
	for key, value := range map[string]string{"name": name + "-" + version, "version": version} {
		text, err := json.Marshal(value)
		if err != nil {
			return m // a string always marshals
		}
		out.keys[key] = text
	}
	return &out
}

// Frozen reports whether the version can be changed only by force.
func (m *Manifest) Frozen() bool {
	var frozen bool
	return json.Unmarshal(m.keys["frozen?"], &frozen) == nil && frozen
}

// Metadata returns the metadata as raw JSON; nil if there is none.
func (m *Manifest) Metadata() json.RawMessage { return bytes.Clone(m.keys["metadata"]) }

// Files returns the files, in the order of the manifest.
func (m *Manifest) Files() []File {
	out := make([]File, len(m.files))
	for i, f := range m.files {
		out[i] = f.File
	}
	return out
}

// Checksums returns the distinct checksums of the files, sorted, in lower case.
func (m *Manifest) Checksums() []string {
	set := map[string]bool{}
	for _, f := range m.files {
		set[f.Checksum] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// Content returns what makes two copies of a cookbook version equal, as JSON to
// be compared by value: {"frozen?":…, "metadata":…, "files":[{"path",
// "specificity", "checksum"}…]}, the files sorted and each once. Names of files
// are not in it, since servers change them. Of a cookbook artifact also "name",
// "identifier" and "version" are.
func (m *Manifest) Content() (json.RawMessage, error) {
	type file struct {
		Path        string `json:"path"`
		Specificity string `json:"specificity"`
		Checksum    string `json:"checksum"`
	}
	type artifact struct {
		Name       string `json:"name"`
		Identifier string `json:"identifier"`
		Version    string `json:"version"`
	}
	files := make([]file, 0, len(m.files))
	for _, f := range m.files {
		files = append(files, file{f.Path, f.Specificity, f.Checksum})
	}
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Specificity, b.Specificity), cmp.Compare(a.Checksum, b.Checksum))
	})
	metadata := m.keys["metadata"]
	if metadata == nil {
		metadata = json.RawMessage("null")
	}
	var of *artifact
	if id := m.Identifier(); id != "" {
		of = &artifact{m.CookbookName(), id, stringAt(m.keys, "version")}
	}
	return encodeJSON(struct {
		*artifact
		Frozen   bool            `json:"frozen?"`
		Metadata json.RawMessage `json:"metadata"`
		Files    []file          `json:"files"`
	}{of, m.Frozen(), metadata, slices.Compact(files)})
}
