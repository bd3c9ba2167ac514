package chef

import (
	"context"
	"encoding/json"
	"net/http"
)

// ListNodes returns the names of all nodes, sorted.
// See https://docs.chef.io/server/api_chef_server/#nodes.
func (c *Client) ListNodes(ctx context.Context) ([]string, error) { return c.list(ctx, "nodes") }

// GetNode returns a node as it is stored; [IsNotFound] if there is none.
func (c *Client) GetNode(ctx context.Context, name string) (json.RawMessage, error) {
	return c.getObject(ctx, "name", "nodes", name)
}

// CreateNode creates the node that body describes; [IsConflict] if it exists. A
// node that is not created by its own client is one that this client may not
// write until somebody gives it the right.
func (c *Client) CreateNode(ctx context.Context, body json.RawMessage) error {
	return c.write(ctx, http.MethodPost, body, "nodes")
}

// UpdateNode replaces a node and may be repeated; [IsNotFound] if there is none,
// [ErrInvalid] if body has another name.
func (c *Client) UpdateNode(ctx context.Context, name string, body json.RawMessage) error {
	if err := checkName(body, "name", name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPut, body, "nodes", name)
}

// DeleteNode deletes a node, and not its client; [IsNotFound] if there is none.
func (c *Client) DeleteNode(ctx context.Context, name string) error {
	return c.remove(ctx, "nodes", name)
}
