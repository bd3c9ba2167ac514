package object

import "strings"

// Kind is one of the kinds of objects that are replicated. The zero Kind is
// not a kind.
type Kind string

// The kinds, by the name that configuration, status and reports use.
const (
	KindCookbook       Kind = "cookbook"            // one version of a cookbook: /cookbooks/NAME/VERSION
	KindArtifact       Kind = "cookbook_artifact"   // /cookbook_artifacts/NAME/IDENTIFIER
	KindDataBag        Kind = "data_bag"            // the bag itself, without its items: /data/BAG
	KindDataBagItem    Kind = "data_bag_item"       // /data/BAG/ITEM
	KindRole           Kind = "role"                // /roles/NAME
	KindEnvironment    Kind = "environment"         // /environments/NAME, never _default
	KindPolicyRevision Kind = "policy_revision"     // /policies/NAME/revisions/ID
	KindPolicy         Kind = "policy"              // the policy itself, without its revisions: /policies/NAME
	KindPolicyPointer  Kind = "policy_group_policy" // which revision a group uses: /policy_groups/GROUP/policies/POLICY
	KindPolicyGroup    Kind = "policy_group"        // the group itself, without its pointers: /policy_groups/GROUP

	// On request: who may do what, and what is of one server more than of an
	// organization.
	KindClient       Kind = "client"       // with all its keys: /clients/NAME
	KindGroup        Kind = "group"        // with its members: /groups/NAME
	KindContainer    Kind = "container"    // /containers/NAME
	KindNode         Kind = "node"         // /nodes/NAME
	KindOrganization Kind = "organization" // the organization's full name: /organization
	KindACL          Kind = "acl"          // of one object: /roles/NAME/_acl; of the organization: /organizations/_acl
)

// A kindSpec says how a kind is spelled as a path and when it may be written.
type kindSpec struct {
	kind Kind

	// path has a "*" in each place of a name: "/cookbooks/*/*".
	path string

	// rank orders writes: everything of a lower rank is on the replica before
	// anything of a higher rank is written. Deletes run in reverse.
	rank int

	// onRequest kinds are replicated only where a pair says so.
	onRequest bool
}

// kinds is the one table of kinds. A new kind is a line here and a handler in
// package kinds.
//
// What is made implicitly with what it holds comes after it: a policy with its
// first revision, a policy group with its first pointer. So an empty one costs
// extra, and nothing else does; and its delete, which takes along what it holds,
// comes first.
var kinds = []kindSpec{
	{KindCookbook, "/cookbooks/*/*", 0, false},
	{KindArtifact, "/cookbook_artifacts/*/*", 0, false},
	{KindDataBag, "/data/*", 0, false},
	{KindContainer, "/containers/*", 0, true},
	{KindClient, "/clients/*", 0, true},
	{KindOrganization, "/organization", 0, true},
	{KindDataBagItem, "/data/*/*", 1, false},
	{KindRole, "/roles/*", 1, false},
	{KindEnvironment, "/environments/*", 1, false},
	{KindPolicyRevision, "/policies/*/revisions/*", 1, false},
	{KindGroup, "/groups/*", 1, true},
	{KindPolicy, "/policies/*", 2, false},
	{KindPolicyPointer, "/policy_groups/*/policies/*", 3, false},
	{KindPolicyGroup, "/policy_groups/*", 4, false},
	{KindNode, "/nodes/*", 5, true},
	{KindACL, "/*/*/_acl", 6, true},
}

// Kinds returns all kinds in the order in which they are written.
func Kinds() []Kind {
	out := make([]Kind, len(kinds))
	for i, k := range kinds {
		out[i] = k.kind
	}
	return out
}

// DefaultKinds returns the kinds that are replicated unless a pair says
// otherwise, in the order in which they are written. A kind that could lock
// somebody out is never one of them.
func DefaultKinds() []Kind {
	var out []Kind
	for _, s := range kinds {
		if !s.onRequest {
			out = append(out, s.kind)
		}
	}
	return out
}

// OnRequest reports whether k is replicated only where a pair says so.
func (k Kind) OnRequest() bool {
	for _, s := range kinds {
		if s.kind == k {
			return s.onRequest
		}
	}
	return false
}

// Deletable reports whether an object of kind k can be deleted. An ACL goes with
// its object, and the name of an organization stays.
func (k Kind) Deletable() bool { return k != KindACL && k != KindOrganization }

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

// Contains returns the kind of what an object of kind k holds: a data bag holds
// items, a policy revisions, a policy group pointers. It is the way back from
// [Ref.Parent].
func (k Kind) Contains() (Kind, bool) {
	switch k {
	case KindDataBag:
		return KindDataBagItem, true
	case KindPolicy:
		return KindPolicyRevision, true
	case KindPolicyGroup:
		return KindPolicyPointer, true
	default:
		return "", false
	}
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
func (s kindSpec) match(path string) (names [2]string, n int, ok bool) {
	for want, have := s.path, path; ; {
		w, wantMore, more := strings.Cut(want, "/")
		h, haveMore, also := strings.Cut(have, "/")
		switch {
		case more != also:
			return names, 0, false
		case w == "*" && h != "":
			names[n] = h
			n++
		case w != h:
			return names, 0, false
		}
		if !more {
			return names, n, true
		}
		want, have = wantMore, haveMore
	}
}
