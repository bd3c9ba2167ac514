package chefserver

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// segmentNames are the classic parts of a cookbook. At API versions 0 and 1 a
// manifest has one list of files for each; since version 2 it has one list of
// all files, whose names begin with the part.
var segmentNames = [...]string{
	"recipes", "definitions", "libraries", "attributes", "files",
	"templates", "resources", "providers", "root_files",
}

func isSegment(name string) bool { return slices.Contains(segmentNames[:], name) }

// versionNumber is a cookbook version without its spelling: 1.0 is 1.0.0.
type versionNumber [3]int64

var reVersion = regexp.MustCompile(`^\d+(\.\d+){0,2}$`)

// parseVersion reads one to three integers of up to 63 bits.
func parseVersion(s string) (versionNumber, bool) {
	var v versionNumber
	if !reVersion.MatchString(s) {
		return v, false
	}
	for i, part := range strings.Split(s, ".") {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return v, false
		}
		v[i] = n
	}
	return v, true
}

func (v versionNumber) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

func (v versionNumber) compare(w versionNumber) int {
	return cmp.Or(cmp.Compare(v[0], w[0]), cmp.Compare(v[1], w[1]), cmp.Compare(v[2], w[2]))
}

// satisfies reports whether v fits a constraint such as "~> 1.2".
func (v versionNumber) satisfies(constraint string) bool {
	m := reConstraint.FindStringSubmatch(constraint)
	if m == nil {
		return false
	}
	w, _ := parseVersion(m[3])
	c := v.compare(w)
	switch m[1] + m[2] {
	case ">":
		return c > 0
	case "<":
		return c < 0
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case "~>":
		upper := versionNumber{w[0] + 1, 0, 0}
		if strings.Count(m[3], ".") == 2 {
			upper = versionNumber{w[0], w[1] + 1, 0}
		}
		return c >= 0 && v.compare(upper) < 0
	}
	return c == 0
}

// fileLists calls yield for each list of files of a manifest, in either form.
func fileLists(m *object, yield func(segment string, files []any)) {
	for _, k := range m.keys {
		if k != "all_files" && !isSegment(k) {
			continue
		}
		if files, ok := m.vals[k].([]any); ok {
			yield(k, files)
		}
	}
}

// manifestSums returns the distinct checksums of a manifest in their order.
func manifestSums(m *object) []string {
	var sums []string
	seen := map[string]bool{}
	fileLists(m, func(_ string, files []any) {
		for _, f := range files {
			sum := f.(*object).str("checksum")
			if !seen[sum] {
				seen[sum] = true
				sums = append(sums, sum)
			}
		}
	})
	return sums
}

// render returns the manifest as the API version shows it, with our own url in
// every file. Versions 0 and 1 have no place for a file outside of the classic
// parts, such as compliance/…: it is missing from the answer without a word.
func (r *request) render(m *object) *object {
	out := m.clone()
	for _, s := range append(segmentNames[:], "all_files") {
		out.remove(s)
	}
	if r.api >= 2 {
		all := []any{}
		fileLists(m, func(segment string, files []any) {
			for _, f := range files {
				e := r.withURL(f.(*object))
				if segment != "all_files" {
					e.set("name", segment+"/"+e.str("name"))
				}
				all = append(all, e)
			}
		})
		out.set("all_files", all)
		return out
	}
	if _, modern := m.get("all_files"); modern {
		for _, s := range segmentNames {
			out.set(s, []any{})
		}
	}
	fileLists(m, func(segment string, files []any) {
		if segment != "all_files" {
			out.set(segment, []any{})
		}
		for _, f := range files {
			e, s := r.withURL(f.(*object)), segment
			if segment == "all_files" {
				s = classicName(e)
			}
			if list, ok := out.vals[s].([]any); ok {
				out.set(s, append(list, e))
			}
		}
	})
	return out
}

// classicName takes the part off the file's name and returns it. A name without
// a part is a root file.
func classicName(file *object) string {
	segment, rest, ok := strings.Cut(file.str("name"), "/")
	if !ok {
		return "root_files"
	}
	if isSegment(segment) {
		file.set("name", rest)
	}
	return segment
}

func (r *request) withURL(file *object) *object {
	e := file.clone()
	e.set("url", r.downloadURL(e.str("checksum")))
	return e
}

// recipes names the recipes of a manifest the way run lists do, sorted.
func recipes(name string, m *object) []string {
	var out []string
	fileLists(m, func(segment string, files []any) {
		for _, f := range files {
			file := f.(*object).str("name")
			if segment == "all_files" {
				rest, ok := strings.CutPrefix(file, "recipes/")
				if !ok {
					continue
				}
				file = rest
			} else if segment != "recipes" {
				continue
			}
			recipe, ok := strings.CutSuffix(file, ".rb")
			switch {
			case !ok:
			case recipe == "default":
				out = append(out, name)
			default:
				out = append(out, name+"::"+recipe)
			}
		}
	})
	slices.Sort(out)
	return out
}

// checkManifest validates the body of a cookbook's PUT as erchef does.
func checkManifest(r *request, name, version string) *reply {
	o := r.in
	fileKeys := segmentNames[:]
	if r.api >= 2 {
		fileKeys = []string{"all_files"}
	}
	allowed := append([]string{"chef_type", "cookbook_name", "frozen?", "json_class", "metadata", "name", "version"}, fileKeys...)
	p := firstOf(onlyKeys(o, allowed...),
		mustEqual(o, "name", name+"-"+version), mustEqual(o, "cookbook_name", name),
		fixed(o, "json_class", "Chef::CookbookVersion"), fixed(o, "chef_type", "cookbook_version"))
	if p != nil {
		return p
	}
	if _, ok := o.get("version"); ok {
		if p := mustEqual(o, "version", version); p != nil {
			return p
		}
	}
	o.setDefault("frozen?", false)
	if _, ok := o.vals["frozen?"].(bool); !ok {
		return badRequest("Field 'frozen?' invalid")
	}
	for _, k := range fileKeys {
		if p := checkFiles(o, k); p != nil {
			return p
		}
	}
	return checkMetadata(r, version)
}

func mustEqual(o *object, field, want string) *reply {
	v, ok := o.get(field)
	if !ok {
		return badRequest("Field '%s' missing", field)
	}
	if s, ok := v.(string); !ok || s != want {
		return badRequest("Field '%s' invalid", field)
	}
	return nil
}

// checkFiles validates one list of files. Keys beyond the four are kept.
func checkFiles(o *object, field string) *reply {
	v, ok := o.get(field)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return badRequest("Field '%s' invalid", field)
	}
	for _, e := range list {
		f, ok := e.(*object)
		if ok {
			for _, k := range []string{"name", "path", "checksum", "specificity"} {
				_, isString := f.vals[k].(string)
				ok = ok && isString
			}
		}
		if !ok || !reChecksum.MatchString(f.str("checksum")) {
			return badRequest("Invalid element in array value of '%s'.", field)
		}
	}
	return nil
}

func checkMetadata(r *request, version string) *reply {
	v, ok := r.in.get("metadata")
	if !ok {
		return badRequest("Field 'metadata' missing")
	}
	m, ok := v.(*object)
	if !ok {
		return badRequest("Field 'metadata' invalid")
	}
	have, ok := m.get("version")
	if !ok {
		return badRequest("Field 'metadata.version' missing")
	}
	if have != version {
		return badRequest("Field 'metadata.version' invalid")
	}
	if n, ok := m.get("name"); ok {
		if s, isString := n.(string); !isString || !reSimple.MatchString(s) {
			return badRequest("Field 'metadata.name' invalid")
		}
	}
	for _, k := range []string{"description", "long_description", "maintainer", "maintainer_email", "license"} {
		if v, ok := m.get(k); ok {
			if _, isString := v.(string); !isString {
				return badRequest("Field 'metadata.%s' invalid", k)
			}
		}
	}
	maps := []string{"platforms", "dependencies"}
	if r.api < 2 {
		// Since version 2 nobody looks at these any more.
		maps = append(maps, "recommendations", "suggestions", "conflicting", "replacing")
	}
	for _, k := range maps {
		if p := checkConstraints(m, k); p != nil {
			return p
		}
	}
	return nil
}

func checkConstraints(m *object, field string) *reply {
	v, ok := m.get(field)
	if !ok {
		return nil
	}
	o, ok := v.(*object)
	if !ok {
		return badRequest("Field 'metadata.%s' invalid", field)
	}
	for _, name := range o.keys {
		if field != "platforms" && !reSimple.MatchString(name) {
			return badRequest("Invalid key '%s' for metadata.%s", name, field)
		}
		if s, ok := o.vals[name].(string); !ok || !reConstraint.MatchString(s) {
			return badRequest("Invalid value '%s' for metadata.%s", plain(o.vals[name]), field)
		}
	}
	return nil
}
