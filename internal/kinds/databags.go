package kinds

import (
	"context"
	"fmt"
	"slices"

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
	return listedAll(object.KindDataBag, names)
}

func (dataBags) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	// Listing its items is the only way to ask for a bag.
	if _, err := c.ListDataBagItems(ctx, ref.Name); err != nil {
		return Object{}, err
	}
	return nameOnly(ref, false)
}

// Listed returns the bag, which is in a list.
func (dataBags) Listed(ref object.Ref) (Object, error) { return nameOnly(ref, false) }

func (dataBags) Create(ctx context.Context, c *chef.Client, o Object) error {
	return c.CreateDataBag(ctx, o.Ref.Name)
}

// Update has nothing to do: see [dataBags].
func (dataBags) Update(context.Context, *chef.Client, Object, Object) error { return nil }

func (dataBags) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteDataBag(ctx, ref.Name)
}

// Contents returns the bag's items.
func (dataBags) Contents(ctx context.Context, c *chef.Client, ref object.Ref) ([]object.Ref, error) {
	ids, err := c.ListDataBagItems(ctx, ref.Name)
	if chef.IsNotFound(err) {
		return nil, nil
	}
	return contents(object.KindDataBagItem, ref.Name, ids, err)
}

// dataBagItems is the handler of items. An item is whatever its author stored:
// nothing is normalized and nothing is stripped.
type dataBagItems struct{}

func (dataBagItems) Kind() object.Kind { return object.KindDataBagItem }

// List asks for the bags and then for the items of each, some side by side. A
// bag that answers 404 was deleted since the bags were listed, but only if a new
// list of the bags says so: its items would count as deleted.
func (dataBagItems) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	bags, err := c.ListDataBags(ctx)
	if err != nil {
		return nil, err
	}
	items, absent, err := itemsOf(ctx, c, bags)
	if err != nil || len(absent) == 0 {
		return items, err
	}
	if bags, err = c.ListDataBags(ctx); err != nil {
		return nil, err
	}
	absent = slices.DeleteFunc(absent, func(bag string) bool { return !slices.Contains(bags, bag) })
	more, absent, err := itemsOf(ctx, c, absent) // perhaps made anew meanwhile
	if err != nil {
		return nil, err
	}
	if len(absent) > 0 {
		return nil, fmt.Errorf("list data bag items: the server lists the bag %s and answers 404 for it", absent[0])
	}
	return append(items, more...), nil
}

// itemsOf lists the items of bags, and names the bags that answered 404.
func itemsOf(ctx context.Context, c *chef.Client, bags []string) (refs []object.Ref, absent []string, err error) {
	lists := make([][]object.Ref, len(bags))
	gone := make([]bool, len(bags))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4) // the client bounds requests too; this bounds goroutines
	for i, bag := range bags {
		g.Go(func() error {
			ids, err := c.ListDataBagItems(gctx, bag)
			if gone[i] = chef.IsNotFound(err); gone[i] {
				return nil
			}
			if err != nil {
				return err
			}
			for _, id := range ids {
				ref, err := listed(object.KindDataBagItem, bag, id)
				if err != nil {
					return err
				}
				lists[i] = append(lists[i], ref)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i, bag := range bags {
		if gone[i] {
			absent = append(absent, bag)
		}
	}
	return slices.Concat(lists...), absent, nil
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

// Create also makes the bag where it is missing: somebody may have deleted it on
// this server, and no change of the bag itself would ever bring it back.
func (dataBagItems) Create(ctx context.Context, c *chef.Client, o Object) error {
	err := c.CreateDataBagItem(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
	if !chef.IsNotFound(err) {
		return err
	}
	if err := c.CreateDataBag(ctx, o.Ref.Name); err != nil && !chef.IsConflict(err) {
		return err
	}
	return c.CreateDataBagItem(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
}

func (dataBagItems) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return c.UpdateDataBagItem(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
}

func (dataBagItems) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteDataBagItem(ctx, ref.Name, ref.Sub)
}
