package kinds

import (
	"context"
	"encoding/json"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// dataBags is the handler of the bags themselves. A bag has a name and nothing
// else, so that two bags of one name are always equal.
type dataBags struct{}

func (dataBags) Kind() object.Kind { return object.KindDataBag }

func (dataBags) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	names, err := c.ListDataBags(ctx)
	if err != nil {
		return nil, err
	}
	refs := make([]object.Ref, len(names))
	for i, n := range names {
		refs[i] = object.NewRef(object.KindDataBag, n)
	}
	return refs, nil
}

func (dataBags) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	// Listing its items is the only way to ask for a bag.
	if _, err := c.ListDataBagItems(ctx, ref.Name); err != nil {
		return Object{}, err
	}
	raw, err := json.Marshal(map[string]string{"name": ref.Name})
	if err != nil {
		return Object{}, err
	}
	digest, err := plan.Digest(raw)
	return Object{Ref: ref, Raw: raw, Digest: digest}, err
}

func (dataBags) Create(ctx context.Context, c *chef.Client, o Object) error {
	return c.CreateDataBag(ctx, o.Ref.Name)
}

// Update has nothing to do: see [dataBags].
func (dataBags) Update(context.Context, *chef.Client, Object, Object) error { return nil }

func (dataBags) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteDataBag(ctx, ref.Name)
}

// dataBagItems is the handler of items. An item is whatever its author stored:
// nothing is normalized and nothing is stripped.
type dataBagItems struct{}

func (dataBagItems) Kind() object.Kind { return object.KindDataBagItem }

// List asks for the bags and then for the items of each, some side by side.
func (dataBagItems) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	bags, err := c.ListDataBags(ctx)
	if err != nil {
		return nil, err
	}
	items := make([][]string, len(bags))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4) // the client bounds requests too; this bounds goroutines
	for i, bag := range bags {
		g.Go(func() (err error) {
			items[i], err = c.ListDataBagItems(gctx, bag)
			if chef.IsNotFound(err) { // deleted since the bags were listed
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var refs []object.Ref
	for i, bag := range bags {
		for _, id := range items[i] {
			refs = append(refs, object.NewRef(object.KindDataBagItem, bag, id))
		}
	}
	return refs, nil
}

func (dataBagItems) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	raw, err := c.GetDataBagItem(ctx, ref.Name, ref.Sub)
	if err != nil {
		return Object{}, err
	}
	doc, err := decodeObject(ref, raw)
	if err != nil {
		return Object{}, err
	}
	return Object{Ref: ref, Raw: raw, Digest: plan.DigestValue(doc)}, nil
}

func (dataBagItems) Create(ctx context.Context, c *chef.Client, o Object) error {
	return c.CreateDataBagItem(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
}

func (dataBagItems) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return c.UpdateDataBagItem(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
}

func (dataBagItems) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteDataBagItem(ctx, ref.Name, ref.Sub)
}
