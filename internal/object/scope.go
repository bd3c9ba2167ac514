package object

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Scope says which objects of an organization a pair replicates. The zero Scope
// is all objects of [DefaultKinds].
type Scope struct {
	// Kinds, in any order; nil means [DefaultKinds].
	Kinds []Kind

	// Include and Exclude are globs over refs; see [CheckGlob]. An object is
	// replicated if one of Include matches it (or Include is empty) and none of
	// Exclude does.
	Include, Exclude []string
}

// Has reports whether the object is replicated. An ACL is if the kind is and the
// object it belongs to is; a pointer to an excluded policy is not. What an
// included object is in (the bag of an item) is included with it.
func (s Scope) Has(ref Ref) bool {
	if !s.HasKind(ref.Kind) {
		return false
	}
	p := ref.Path()
	if ref.Kind == KindACL {
		k, ok := aclKind(ref.Name)
		if !ok || k != "" && !s.HasKind(k) {
			return false
		}
		p = strings.TrimSuffix(p, aclSuffix)
	}
	if ref.Kind == KindPolicyPointer && s.excludes("/policies/"+ref.Sub) {
		return false // a pointer cannot be without its policy
	}
	return !s.excludes(p) && s.includes(p)
}

// excludes and includes apply the globs to a path.
func (s Scope) excludes(p string) bool {
	return slices.ContainsFunc(s.Exclude, func(g string) bool {
		ok, whole := matches(g, p)
		return ok && whole
	})
}

func (s Scope) includes(p string) bool {
	return len(s.Include) == 0 || slices.ContainsFunc(s.Include, func(g string) bool {
		ok, _ := matches(g, p)
		return ok
	})
}

// matches compares as many words as both have; whole says that these are all
// words of the glob.
func matches(glob, p string) (ok, whole bool) {
	for {
		g, globMore, more := strings.Cut(glob, "/")
		w, pathMore, also := strings.Cut(p, "/")
		if ok, err := path.Match(g, w); !ok || err != nil {
			return false, false
		}
		if !more || !also {
			return true, !more
		}
		glob, p = globMore, pathMore
	}
}

// HasKind reports whether objects of kind k are replicated at all.
func (s Scope) HasKind(k Kind) bool {
	if len(s.Kinds) > 0 {
		return slices.Contains(s.Kinds, k)
	}
	return slices.ContainsFunc(kinds, func(s kindSpec) bool { return s.kind == k && !s.onRequest })
}

// InOrder returns the kinds that are replicated, in the order in which they are
// written.
func (s Scope) InOrder() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !s.HasKind(k) })
}

// Without returns s without some kinds. One that has none left has the nil Kinds
// of no scope at all, and ok is false.
func (s Scope) Without(out []Kind) (rest Scope, ok bool) {
	s.Kinds = slices.DeleteFunc(s.InOrder(), func(k Kind) bool { return slices.Contains(out, k) })
	return s, len(s.Kinds) > 0
}

// String names the scope: two that replicate different objects have different
// names. It is short enough for workflow history, whatever the globs are.
func (s Scope) String() string {
	words := make([]string, 0, len(s.Kinds))
	for _, k := range s.InOrder() {
		words = append(words, string(k))
	}
	out := strings.Join(words, ",")
	if len(s.Include)+len(s.Exclude) == 0 {
		return out
	}
	globs := fmt.Sprintf("%q %q", sorted(s.Include), sorted(s.Exclude))
	sum := sha256.Sum256([]byte(globs))
	return out + " filter:" + hex.EncodeToString(sum[:6])
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// CheckGlob says what is wrong with a glob over refs; nil if nothing. A glob is
// a path whose names may have *, ? and [a-z], none of which crosses a slash:
// /roles/web-*, /data/secrets, /cookbooks/*/1.*. One that is shorter than a path
// covers all that is below: /data/secrets is the bag with all its items.
func CheckGlob(glob string) error {
	words := strings.Split(glob, "/")
	if len(words) < 2 || words[0] != "" || slices.Contains(words[1:], "") {
		return fmt.Errorf("%q is no path: it begins with a slash and ends without one, as /roles/web-*", glob)
	}
	for _, w := range words[1:] {
		if _, err := path.Match(w, ""); errors.Is(err, path.ErrBadPattern) {
			return fmt.Errorf("%q has a bracket or a backslash that is not completed", glob)
		}
	}
	for _, s := range kinds {
		if ok, _ := matches("/"+words[1], s.path); ok && s.kind != KindACL {
			return nil
		}
	}
	return fmt.Errorf("%q can match no object: it has to begin with one of %s", glob, strings.Join(firstWords(), ", "))
}

// firstWords returns how paths begin.
func firstWords() []string {
	var out []string
	for _, s := range kinds {
		if s.kind != KindACL {
			out = append(out, "/"+strings.Split(s.path, "/")[1])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
