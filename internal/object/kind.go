package object

import "strings"

// Kind is one of the kinds of objects that are replicated. The zero Kind is
// not a kind.
type Kind string

// The kinds, by the name that configuration, status and reports use.
const (
	KindCookbook    Kind = "cookbook"      // one version of a cookbook: /cookbooks/NAME/VERSION
	KindDataBag     Kind = "data_bag"      // the bag itself, without its items: /data/BAG
	KindDataBagItem Kind = "data_bag_item" // /data/BAG/ITEM
	KindRole        Kind = "role"          // /roles/NAME
	KindEnvironment Kind = "environment"   // /environments/NAME, never _default
)

// A kindSpec says how a kind is spelled as a path and when it may be written.
type kindSpec struct {
	kind Kind

	// path has a "*" in each place of a name: "/cookbooks/*/*".
	path string

	// rank orders writes: everything of a lower rank is on the replica before
	// anything of a higher rank is written. Deletes run in reverse.
	rank int
}

// kinds is the one table of kinds. A new kind is a line here and a handler in
// package kinds.
var kinds = []kindSpec{
	{KindCookbook, "/cookbooks/*/*", 0},
	{KindDataBag, "/data/*", 0},
	{KindDataBagItem, "/data/*/*", 1},
	{KindRole, "/roles/*", 1},
	{KindEnvironment, "/environments/*", 1},
}

// Kinds returns all kinds in the order in which they are written.
func Kinds() []Kind {
	out := make([]Kind, len(kinds))
	for i, k := range kinds {
		out[i] = k.kind
	}
	return out
}

// Rank returns the place of k in the order of writes, from 0 (first). Objects
// of one rank do not depend on each other. An unknown kind comes last.
func (k Kind) Rank() int {
	for _, s := range kinds {
		if s.kind == k {
			return s.rank
		}
	}
	return len(kinds)
}

// Valid reports whether k is one of [Kinds].
func (k Kind) Valid() bool { return k.Rank() < len(kinds) }

// names returns how many names a ref of kind k has; 0 for an unknown kind.
func (k Kind) names() int {
	for _, s := range kinds {
		if s.kind == k {
			return strings.Count(s.path, "*")
		}
	}
	return 0
}

// match returns the names in path's "*" places and whether path has the form
// of s.
func (s kindSpec) match(path string) (names []string, ok bool) {
	want := strings.Split(s.path, "/")
	have := strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i, w := range want {
		switch {
		case w == "*" && have[i] != "":
			names = append(names, have[i])
		case w != have[i]:
			return nil, false
		}
	}
	return names, true
}
