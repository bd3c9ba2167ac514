package chef

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
)

// defaultEnvironment is in every organization and cannot be written.
const defaultEnvironment = "_default"

// ListEnvironments returns the names of all environments, sorted, but for
// _default, which is in every organization and cannot be changed.
// See https://docs.chef.io/server/api_chef_server/#environments.
func (c *Client) ListEnvironments(ctx context.Context) ([]string, error) {
	names, err := c.list(ctx, "environments")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == defaultEnvironment }), nil
}

// GetEnvironment returns an environment as it is stored; [IsNotFound] if there
// is none.
func (c *Client) GetEnvironment(ctx context.Context, name string) (json.RawMessage, error) {
	return c.getObject(ctx, "name", "environments", name)
}

// CreateEnvironment creates the environment that body describes; [IsConflict] if
// it exists.
func (c *Client) CreateEnvironment(ctx context.Context, body json.RawMessage) error {
	return c.write(ctx, http.MethodPost, body, "environments")
}

// UpdateEnvironment replaces an environment and may be repeated; [IsNotFound] if
// there is none. A body with another name is refused with [ErrInvalid], since
// servers would rename the environment.
func (c *Client) UpdateEnvironment(ctx context.Context, name string, body json.RawMessage) error {
	if err := checkName(body, "name", name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPut, body, "environments", name)
}

// DeleteEnvironment deletes an environment, also while nodes are in it;
// [IsNotFound] if there is none.
func (c *Client) DeleteEnvironment(ctx context.Context, name string) error {
	return c.remove(ctx, "environments", name)
}
