package kinds

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// named is the handler of a kind that is one JSON document under one name:
// roles, environments and nodes.
type named struct {
	kind   object.Kind
	list   func(*chef.Client, context.Context) ([]string, error)
	get    func(*chef.Client, context.Context, string) (json.RawMessage, error)
	create func(*chef.Client, context.Context, json.RawMessage) error
	update func(*chef.Client, context.Context, string, json.RawMessage) error
	remove func(*chef.Client, context.Context, string) error

	// normalize brings a decoded body into the form in which Chef servers store
	// it, so that a body stored by an older server compares equal to its copy.
	normalize func(map[string]any)
}

var roles = named{
	kind: object.KindRole,
	list: (*chef.Client).ListRoles, get: (*chef.Client).GetRole,
	create: (*chef.Client).CreateRole, update: (*chef.Client).UpdateRole,
	remove:    (*chef.Client).DeleteRole,
	normalize: normalizeRole,
}

var environments = named{
	kind: object.KindEnvironment,
	list: (*chef.Client).ListEnvironments, get: (*chef.Client).GetEnvironment,
	create: (*chef.Client).CreateEnvironment, update: (*chef.Client).UpdateEnvironment,
	remove:    (*chef.Client).DeleteEnvironment,
	normalize: normalizeEnvironment,
}

var nodes = named{
	kind: object.KindNode,
	list: (*chef.Client).ListNodes, get: (*chef.Client).GetNode,
	create: (*chef.Client).CreateNode, update: (*chef.Client).UpdateNode,
	remove:    (*chef.Client).DeleteNode,
	normalize: normalizeNode,
}

func (h named) Kind() object.Kind { return h.kind }

func (h named) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	names, err := h.list(c, ctx)
	if err != nil {
		return nil, err
	}
	return listedAll(h.kind, names)
}

func (h named) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	raw, err := h.get(c, ctx, ref.Name)
	if err != nil {
		return Object{}, err
	}
	doc, err := decodeObject(ref, raw)
	if err != nil {
		return Object{}, err
	}
	h.normalize(doc)
	return Object{Ref: ref, Raw: raw, Digest: plan.DigestValue(doc)}, nil
}

func (h named) Create(ctx context.Context, c *chef.Client, o Object) error {
	return h.create(c, ctx, o.Raw)
}

func (h named) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return h.update(c, ctx, o.Ref.Name, o.Raw)
}

func (h named) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return h.remove(c, ctx, ref.Name)
}

// decodeObject decodes a body that has to be a JSON object, with every digit of
// its numbers.
func decodeObject(ref object.Ref, raw json.RawMessage) (map[string]any, error) {
	v, err := plan.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, err)
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read %s: the server answered JSON that is not an object: %w", ref, chef.ErrNotChef)
	}
	return doc, nil
}
