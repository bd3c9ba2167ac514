package chef

import (
	"context"
	"encoding/json"
	"net/http"
)

// ListContainers returns the names of all containers, sorted.
// See https://docs.chef.io/server/api_chef_server/#containers.
func (c *Client) ListContainers(ctx context.Context) ([]string, error) {
	return c.list(ctx, "containers")
}

// GetContainer returns a container, which has a name and nothing else that
// matters; [IsNotFound] if there is none.
func (c *Client) GetContainer(ctx context.Context, name string) (json.RawMessage, error) {
	return c.getObject(ctx, "containername", "containers", name)
}

// CreateContainer creates a container; [IsConflict] if it exists.
func (c *Client) CreateContainer(ctx context.Context, name string) error {
	if _, err := objectPath("containers", name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPost, map[string]string{"containername": name, "containerpath": name}, "containers")
}

// DeleteContainer deletes a container, be it one that the organization cannot do
// without; [IsNotFound] if there is none.
func (c *Client) DeleteContainer(ctx context.Context, name string) error {
	return c.remove(ctx, "containers", name)
}
