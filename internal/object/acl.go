package object

import (
	"fmt"
	"strings"
)

// aclSuffix ends the path of every ACL.
const aclSuffix = "/_acl"

// ACLOrganization is the type of the organization's own ACL, which has no name
// besides.
const ACLOrganization = "organizations"

// aclTypes are the types that have ACLs, by the word of their path, with the
// kind whose replication an ACL goes with; "" = it needs none. All versions of a
// cookbook share one ACL, and so do all identifiers of an artifact.
// Source: https://docs.chef.io/server/api_chef_server/#acls
var aclTypes = []struct {
	word string
	kind Kind
}{
	{"clients", KindClient},
	{"containers", ""}, // every organization has the same ones, and they are what new objects start with
	{"cookbook_artifacts", KindArtifact},
	{"cookbooks", KindCookbook},
	{"data", KindDataBag},
	{"environments", KindEnvironment},
	{"groups", KindGroup},
	{"nodes", KindNode},
	{ACLOrganization, ""},
	{"policies", KindPolicy},
	{"policy_groups", KindPolicyGroup},
	{"roles", KindRole},
}

// ACLTypes returns the words of the types that have ACLs, sorted.
func ACLTypes() []string {
	out := make([]string, len(aclTypes))
	for i, t := range aclTypes {
		out[i] = t.word
	}
	return out
}

// aclKind returns the kind that an ACL of the given type goes with.
func aclKind(word string) (k Kind, ok bool) {
	for _, t := range aclTypes {
		if t.word == word {
			return t.kind, true
		}
	}
	return "", false
}

// parseACL reads the path of an ACL.
func parseACL(path string) (Ref, error) {
	of := strings.TrimSuffix(path, aclSuffix)
	word, name, named := strings.Cut(strings.TrimPrefix(of, "/"), "/")
	_, known := aclKind(word)
	switch {
	case !strings.HasPrefix(of, "/"), !known, named == (word == ACLOrganization):
		return Ref{}, fmt.Errorf("path %q: %w", path, ErrUnknownPath)
	case named && !validName(name):
		return Ref{}, fmt.Errorf("path %q: %q is not a legal name", path, name)
	}
	return Ref{Kind: KindACL, Name: word, Sub: name}, nil
}
