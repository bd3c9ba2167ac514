package object

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownPath is wrapped by the error of [ParseRef] for a path that names no
// object of a known kind. Feeds print such paths (nodes, clients of a newer
// server); they are counted and passed over, never an error of the pair.
var ErrUnknownPath = errors.New("no object of a known kind")

// Ref names one object inside an organization. Refs are comparable and may be
// map keys. The text and JSON form is the path as a feed prints it.
type Ref struct {
	Kind Kind
	Name string // cookbook, role, bag, policy, policy group …; of an ACL, the type: roles
	Sub  string // version, item, revision, policy, or whose ACL; "" where the kind has none
}

// NewRef returns the ref of the given kind and names. sub is ignored by kinds
// that have one name only.
func NewRef(k Kind, name string, sub ...string) Ref {
	r := Ref{Kind: k, Name: name}
	if len(sub) > 0 && k.names() != 1 {
		r.Sub = sub[0]
	}
	return r
}

// ParseRef reads a path as feeds print it, such as /data/users/alice. It
// returns [ErrUnknownPath] for a path of no known kind, and an error for a name
// that could escape its place in a URL, or mean something else than itself
// there. Names are taken as they are: Chef's name rules leave nothing that needs
// percent-encoding. A cookbook's version gets three numbers, the form of Chef's
// lists, so that one version has one ref: some store 1.0, and all list 1.0.0.
//
// The environment _default, which every organization has and nobody can change,
// is an unknown path. A path that ends in /_acl is an ACL, also below a data bag.
func ParseRef(path string) (Ref, error) {
	if strings.HasSuffix(path, aclSuffix) {
		return parseACL(path)
	}
	for _, s := range kinds {
		names, n, ok := s.match(path)
		if !ok {
			continue
		}
		for _, n := range names[:n] {
			if !validName(n) {
				return Ref{}, fmt.Errorf("path %q: %q is not a legal name", path, n)
			}
		}
		r := Ref{Kind: s.kind, Name: names[0], Sub: names[1]}
		switch {
		case r == defaultEnvironment, r.Kind == KindACL:
			return Ref{}, fmt.Errorf("path %q: %w", path, ErrUnknownPath)
		case r.Kind == KindCookbook:
			if r.Sub, ok = fullVersion(r.Sub); !ok {
				return Ref{}, fmt.Errorf("path %q: %q is not a cookbook version", path, names[1])
			}
		}
		return r, nil
	}
	return Ref{}, fmt.Errorf("path %q: %w", path, ErrUnknownPath)
}

// defaultEnvironment is no object that can be replicated.
var defaultEnvironment = Ref{Kind: KindEnvironment, Name: "_default"}

// fullVersion gives a cookbook version three numbers without leading zeros. Not
// ok is what is no version, such as _latest, for which servers answer another.
func fullVersion(v string) (full string, ok bool) {
	parts := strings.Split(v, ".")
	if len(parts) > 3 {
		return "", false
	}
	for i, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return "", false
		}
		if parts[i] = strings.TrimLeft(p, "0"); parts[i] == "" {
			parts[i] = "0"
		}
	}
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	return strings.Join(parts, "."), true
}

// MustRef is [ParseRef] for constants in tests; it panics on an error.
func MustRef(path string) Ref {
	r, err := ParseRef(path)
	if err != nil {
		panic(err)
	}
	return r
}

// validName reports whether n has only characters that some Chef server allows
// in a name, and is neither of the two names that a URL would resolve.
func validName(n string) bool {
	if n == "." || n == ".." {
		return false
	}
	for _, c := range n {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return n != ""
}

// Path returns the ref as a feed prints it: "/roles/web". A ref of an unknown
// kind has the path "".
func (r Ref) Path() string {
	if r.Kind == KindACL && r.Sub == "" {
		return "/" + r.Name + aclSuffix
	}
	for _, s := range kinds {
		if s.kind != r.Kind {
			continue
		}
		p := strings.Replace(s.path, "*", r.Name, 1)
		return strings.Replace(p, "*", r.Sub, 1)
	}
	return ""
}

// String is Path, for messages.
func (r Ref) String() string { return r.Path() }

// MarshalText makes the path the JSON form, also of map keys. The zero Ref is
// "". It returns an error for a ref of an unknown kind, which nobody could read.
func (r Ref) MarshalText() ([]byte, error) {
	if r != (Ref{}) && !r.Kind.Valid() {
		return nil, fmt.Errorf("kind %q: %w", r.Kind, ErrUnknownPath)
	}
	return []byte(r.Path()), nil
}

// UnmarshalText reads the path form; see [ParseRef] for its errors. "" is the
// zero Ref.
func (r *Ref) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	parsed, err := ParseRef(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// Parent returns the ref of what r is in: the bag of an item, the policy of a
// revision, the group of a pointer. Servers delete it together with its parent,
// and make the parent of the last two with it.
func (r Ref) Parent() (parent Ref, ok bool) {
	switch r.Kind {
	case KindDataBagItem:
		return Ref{Kind: KindDataBag, Name: r.Name}, true
	case KindPolicyRevision:
		return Ref{Kind: KindPolicy, Name: r.Name}, true
	case KindPolicyPointer:
		return Ref{Kind: KindPolicyGroup, Name: r.Name}, true
	default:
		return Ref{}, false
	}
}

// Compare orders refs by the order of writes, then by path: negative if r comes
// first.
func (r Ref) Compare(o Ref) int {
	if d := r.Kind.Rank() - o.Kind.Rank(); d != 0 {
		return d
	}
	if r.Kind == o.Kind && r.Kind != KindACL { // the same, most of the time, without making paths
		switch {
		case r.Name == o.Name:
			return strings.Compare(r.Sub, o.Sub)
		case !strings.HasPrefix(r.Name, o.Name) && !strings.HasPrefix(o.Name, r.Name):
			return strings.Compare(r.Name, o.Name)
		}
	}
	return strings.Compare(r.Path(), o.Path())
}
