package kinds

import (
	"context"
	"fmt"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// defaultContainers are what new objects of each kind take their rights from: no
// organization can do without them.
// Source: https://docs.chef.io/server/server_orgs/#object-permissions
var defaultContainers = []string{
	"clients", "containers", "cookbook_artifacts", "cookbooks", "data", "environments",
	"groups", "nodes", "policies", "policy_groups", "roles", "sandboxes",
}

// ErrNeeded says that something is not deleted because the organization, or we,
// could not go on without it. Its class is that of the object.
var ErrNeeded = fmt.Errorf("%w: the organization cannot do without it", chef.ErrInvalid)

// containers is the handler of containers, which have a name and nothing else.
// Nothing ever changes in one; its ACL is an object of its own.
type containers struct{}

func (containers) Kind() object.Kind { return object.KindContainer }

func (containers) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "containers")
}

func (containers) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	names, err := c.ListContainers(ctx)
	if err != nil {
		return nil, err
	}
	return listedAll(object.KindContainer, names)
}

func (containers) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	if _, err := c.GetContainer(ctx, ref.Name); err != nil {
		return Object{}, err
	}
	return document(ref, map[string]string{"name": ref.Name})
}

func (containers) Create(ctx context.Context, c *chef.Client, o Object) error {
	return c.CreateContainer(ctx, o.Ref.Name)
}

// Update has nothing to do: see [containers].
func (containers) Update(context.Context, *chef.Client, Object, Object) error { return nil }

// Delete never deletes a container of every organization: nobody but the superuser
// could list or create objects of that kind any more.
func (containers) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	if slices.Contains(defaultContainers, ref.Name) {
		return fmt.Errorf("delete %s: %w", ref, ErrNeeded)
	}
	return c.DeleteContainer(ctx, ref.Name)
}
