package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// copier copies one organization.
type copier struct {
	from, to *server
	parallel int

	objects, files atomic.Int64
}

// all copies everything, in the order in which Chef's own tools do.
func (c *copier) all(ctx context.Context) error {
	if err := c.cookbooks(ctx); err != nil {
		return err
	}
	for _, kind := range []string{"roles", "environments"} {
		missing, err := c.missing(ctx, "/"+kind)
		if err != nil {
			return err
		}
		if err := c.copy(ctx, "/"+kind, missing); err != nil {
			return err
		}
	}
	return c.bags(ctx)
}

// each calls f for every element, some at once, until one call fails.
func each[T any](ctx context.Context, parallel int, list []T, f func(context.Context, T) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, x := range list {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			return f(gctx, x)
		})
	}
	return g.Wait()
}

// missing lists both sides and returns the names that only the first has.
func (c *copier) missing(ctx context.Context, path string) ([]string, error) {
	var have, held map[string]any
	if err := c.from.api(ctx, http.MethodGet, path, "", nil, &have); err != nil {
		return nil, err
	}
	if err := c.to.api(ctx, http.MethodGet, path, "", nil, &held); err != nil {
		return nil, err
	}
	return lacking(have, held), nil
}

func lacking(have, held map[string]any) []string {
	names := slices.Sorted(maps.Keys(have))
	return slices.DeleteFunc(names, func(n string) bool { _, ok := held[n]; return ok })
}

// copy reads and writes the named objects below a path.
func (c *copier) copy(ctx context.Context, path string, names []string) error {
	return each(ctx, c.parallel, names, func(ctx context.Context, name string) error {
		var body json.RawMessage
		if err := c.from.api(ctx, http.MethodGet, path+"/"+name, "", nil, &body); err != nil {
			return err
		}
		c.objects.Add(1)
		return c.to.api(ctx, http.MethodPost, path, "", body, nil)
	})
}

// bags copies data bags and their items.
func (c *copier) bags(ctx context.Context) error {
	var have, held map[string]any
	if err := c.from.api(ctx, http.MethodGet, "/data", "", nil, &have); err != nil {
		return err
	}
	if err := c.to.api(ctx, http.MethodGet, "/data", "", nil, &held); err != nil {
		return err
	}
	for _, bag := range slices.Sorted(maps.Keys(have)) {
		_, there := held[bag]
		if err := c.bag(ctx, bag, there); err != nil {
			return err
		}
	}
	return nil
}

// bag copies a bag. The items of a new one need not be listed on both sides.
func (c *copier) bag(ctx context.Context, bag string, there bool) error {
	path := "/data/" + bag
	if there {
		missing, err := c.missing(ctx, path)
		if err != nil {
			return err
		}
		return c.copy(ctx, path, missing)
	}
	body, err := json.Marshal(map[string]string{"name": bag})
	if err != nil {
		return err
	}
	if err := c.to.api(ctx, http.MethodPost, "/data", "", body, nil); err != nil {
		return err
	}
	c.objects.Add(1)
	var items map[string]any
	if err := c.from.api(ctx, http.MethodGet, path, "", nil, &items); err != nil {
		return err
	}
	return c.copy(ctx, path, slices.Sorted(maps.Keys(items)))
}
