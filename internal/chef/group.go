package chef

import (
	"context"
	"encoding/json"
	"net/http"
)

// A Group is who belongs to a group. The lists are sorted by nobody.
type Group struct {
	Name    string
	Users   []string
	Clients []string
	Groups  []string // nested groups, the hidden ones of users included
}

// ListGroups returns the names of all groups, sorted. The hidden group of each
// user of the organization is among them: 32 hexadecimal digits.
// See https://docs.chef.io/server/api_chef_server/#groups.
func (c *Client) ListGroups(ctx context.Context) ([]string, error) { return c.list(ctx, "groups") }

// GetGroup returns a group with all its members; [IsNotFound] if there is none.
func (c *Client) GetGroup(ctx context.Context, name string) (Group, error) {
	body, err := c.getObject(ctx, "name", "groups", name)
	if err != nil {
		return Group{}, err
	}
	var lists struct {
		Users, Clients, Groups *[]string
	}
	if json.Unmarshal(body, &lists) != nil || lists.Users == nil || lists.Clients == nil || lists.Groups == nil {
		return Group{}, c.unexpected(http.MethodGet, "JSON that is not a group with its members", "groups", name)
	}
	return Group{Name: name, Users: *lists.Users, Clients: *lists.Clients, Groups: *lists.Groups}, nil
}

// CreateGroup creates a group without members, which servers ignore at that
// point; [IsConflict] if it exists.
func (c *Client) CreateGroup(ctx context.Context, name string) error {
	if _, err := objectPath("groups", name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPost, map[string]string{"groupname": name}, "groups")
}

// UpdateGroup replaces all members of a group and may be repeated; [IsNotFound]
// if there is none. Success says little: the server skips names that it does not
// know, and nothing keeps it from taking away rights of whoever asks. Read the
// group to find out what it holds.
func (c *Client) UpdateGroup(ctx context.Context, g Group) error {
	body := map[string]any{"groupname": g.Name, "actors": map[string][]string{
		"users": listOf(g.Users), "clients": listOf(g.Clients), "groups": listOf(g.Groups),
	}}
	return c.write(ctx, http.MethodPut, body, "groups", g.Name)
}

// listOf makes nil an empty list: servers leave a list unchanged that is null or
// not there.
func listOf(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// DeleteGroup deletes a group, be it one that the organization cannot do without;
// [IsNotFound] if there is none. It leaves all ACLs and groups it was in.
func (c *Client) DeleteGroup(ctx context.Context, name string) error {
	return c.remove(ctx, "groups", name)
}
