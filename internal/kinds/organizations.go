package kinds

import (
	"context"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// organizations is the handler of the organization's own properties, of which the
// full name is the only one that can be copied. There is exactly one object, and
// it is never made or deleted.
type organizations struct{}

type organizationBody struct {
	FullName string `json:"full_name"`
}

func (organizations) Kind() object.Kind { return object.KindOrganization }

// Supported is true of a server with organizations.
func (organizations) Supported(_ context.Context, c *chef.Client) (bool, error) {
	return c.Organization() != "", nil
}

func (organizations) List(_ context.Context, c *chef.Client) ([]object.Ref, error) {
	if c.Organization() == "" {
		return nil, nil
	}
	return []object.Ref{{Kind: object.KindOrganization}}, nil
}

func (organizations) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	org, err := c.GetOrganization(ctx)
	if err != nil {
		return Object{}, err
	}
	return document(ref, organizationBody{FullName: org.FullName})
}

// Create is Update: the organization is there.
func (h organizations) Create(ctx context.Context, c *chef.Client, o Object) error {
	return h.Update(ctx, c, o, Object{})
}

func (organizations) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	var want organizationBody
	if err := undocument(o, &want); err != nil {
		return err
	}
	return c.UpdateOrganization(ctx, want.FullName)
}

// Delete does nothing: see [organizations].
func (organizations) Delete(context.Context, *chef.Client, object.Ref) error { return nil }
