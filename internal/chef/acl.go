package chef

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Permission is one of the five of an ACL.
type Permission string

// Grant is the permission to read and to change the ACL itself.
const Grant Permission = "grant"

// Permissions returns all five, [Grant] last.
func Permissions() []Permission { return []Permission{"create", "read", "update", "delete", Grant} }

// Allowed is who has a permission. The lists are sorted by nobody.
type Allowed struct {
	Users   []string `json:"users"`
	Clients []string `json:"clients"`
	Groups  []string `json:"groups"`
}

// An ACL is who may do what with one object.
type ACL map[Permission]Allowed

// granular asks for users and clients apart: one name may be both.
var granular = url.Values{"detail": {"granular"}}

// aclPath returns the names of the path of an ACL; the one of the organization
// itself has the type organizations and no name.
func aclPath(kind, name string) []string {
	if name == "" {
		return []string{kind, "_acl"}
	}
	return []string{kind, name, "_acl"}
}

// GetACL reads the ACL of an object by the word of its path, such as roles, and
// its name; "organizations" and "" for that of the organization. [IsNotFound] if
// there is no such object, a 403 without [Grant] on it, [ErrPlainACL] from a
// server that is too old to tell users from clients.
// Source: https://docs.chef.io/server/api_chef_server/#acls
func (c *Client) GetACL(ctx context.Context, kind, name string) (ACL, error) {
	names := aclPath(kind, name)
	body, err := c.send(ctx, http.MethodGet, granular, nil, names...)
	if err != nil {
		return nil, err
	}
	var sets map[Permission]*struct {
		Actors, Users, Clients, Groups *[]string
	}
	if !isObject(body) || json.Unmarshal(body, &sets) != nil || len(sets) != len(Permissions()) {
		return nil, c.unexpected(http.MethodGet, "JSON that is not an ACL", names...)
	}
	out := ACL{}
	for _, p := range Permissions() {
		switch s := sets[p]; {
		case s == nil || s.Groups == nil || s.Actors == nil && s.Users == nil:
			return nil, c.unexpected(http.MethodGet, "JSON that is not an ACL", names...)
		case s.Users == nil || s.Clients == nil:
			return nil, ErrPlainACL
		default:
			out[p] = Allowed{Users: *s.Users, Clients: *s.Clients, Groups: *s.Groups}
		}
	}
	return out, nil
}

// PutACL replaces who has one permission on an object and may be repeated. The
// server refuses it with 400 if it does not know one of the names, and with 403 if
// we have no [Grant] or would take it from the group admins; [IsNotFound] if there
// is no such object.
func (c *Client) PutACL(ctx context.Context, kind, name string, p Permission, a Allowed) error {
	body := map[Permission]any{p: map[string][]string{
		"actors": {}, "users": listOf(a.Users), "clients": listOf(a.Clients), "groups": listOf(a.Groups),
	}}
	return c.write(ctx, http.MethodPut, body, append(aclPath(kind, name), string(p))...)
}

// ListACLs returns the names of all objects of a type that have ACLs, by the word
// of their path, sorted: those of cookbooks and artifacts each once, and the
// environment _default too.
func (c *Client) ListACLs(ctx context.Context, kind string) ([]string, error) {
	body, err := c.get(ctx, kind)
	if err != nil {
		return nil, err
	}
	var list map[string]json.RawMessage
	if !isObject(body) || json.Unmarshal(body, &list) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of names", kind)
	}
	for _, entry := range list {
		if !strings.Contains(urlOf(entry), "/") {
			return nil, c.unexpected(http.MethodGet, "a list of names without URLs", kind)
		}
	}
	return slices.Sorted(maps.Keys(list)), nil
}

// urlOf returns the URL in a list's entry: itself, or what it has as url or uri.
func urlOf(entry json.RawMessage) string {
	var text string
	if json.Unmarshal(entry, &text) == nil {
		return text
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(entry, &object) != nil {
		return ""
	}
	return stringAt(object, "url") + stringAt(object, "uri")
}
