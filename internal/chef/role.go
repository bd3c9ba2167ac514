package chef

import (
	"context"
	"encoding/json"
	"net/http"
)

// ListRoles returns the names of all roles, sorted.
// See https://docs.chef.io/server/api_chef_server/#roles.
func (c *Client) ListRoles(ctx context.Context) ([]string, error) { return c.list(ctx, "roles") }

// GetRole returns a role as it is stored; [IsNotFound] if there is none.
func (c *Client) GetRole(ctx context.Context, name string) (json.RawMessage, error) {
	return c.getObject(ctx, "name", "roles", name)
}

// CreateRole creates the role that body describes; [IsConflict] if it exists.
func (c *Client) CreateRole(ctx context.Context, body json.RawMessage) error {
	return c.write(ctx, http.MethodPost, body, "roles")
}

// UpdateRole replaces a role and may be repeated; [IsNotFound] if there is none,
// [ErrInvalid] if body has another name.
func (c *Client) UpdateRole(ctx context.Context, name string, body json.RawMessage) error {
	if err := checkName(body, "name", name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPut, body, "roles", name)
}

// DeleteRole deletes a role; [IsNotFound] if there is none.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	return c.remove(ctx, "roles", name)
}
