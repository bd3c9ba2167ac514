package replicate

import (
	"context"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Identities asks both servers who they are and what they can hold. A server that
// lets us not see its organization (or has none) is known by its URL alone.
func (e *Engine) Identities(ctx context.Context) (object.Identities, error) {
	primary, err := identity(ctx, e.Primary)
	if err != nil {
		return object.Identities{}, onSide("primary", err)
	}
	replica, err := identity(ctx, e.Replica)
	if err != nil {
		return object.Identities{}, onSide("replica", err)
	}
	primaryLacks, replicaLacks, err := e.Lacks(ctx)
	if err != nil {
		return object.Identities{}, err
	}
	scope, err := e.scope(primaryLacks, replicaLacks)
	if err != nil {
		return object.Identities{}, err
	}
	primary.Lacks, replica.Lacks = kindList(primaryLacks), kindList(replicaLacks)
	return object.Identities{Primary: primary, Replica: replica, Scope: scope.String()}, nil
}

func identity(ctx context.Context, c *chef.Client) (object.Identity, error) {
	id := object.Identity{URL: c.URL()}
	if c.Organization() == "" {
		return id, nil
	}
	org, err := c.GetOrganization(ctx)
	switch {
	case err == nil:
		id.OrgGUID = org.GUID
		return id, nil
	case chef.Classify(err) == chef.ClassObject: // no right to read it
		return id, nil
	default:
		return id, err
	}
}
