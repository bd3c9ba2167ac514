package sample

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// Load writes the sample into the client's organization, leaving out what the
// server cannot hold (see [SkipFor]). It calls progress, unless that is nil,
// after each file and each object that is on the server; done rises from 1 to
// total, and calls do not overlap.
//
// The organization should be empty. Objects of the sample that are there
// already are overwritten, so Load may be repeated, also after an error; other
// objects stay.
func Load(ctx context.Context, c *chef.Client, progress func(done, total int)) error {
	o, err := optionsFor(ctx, c)
	if err != nil {
		return fmt.Errorf("load the sample: %w", err)
	}
	return LoadWith(ctx, c, o, progress)
}

// LoadWith is [Load] of the part of the sample that o means.
func LoadWith(ctx context.Context, c *chef.Client, o Options, progress func(done, total int)) error {
	r, err := readRepo(o)
	if err != nil {
		return fmt.Errorf("read the sample: %w", err)
	}
	blobs := r.blobs()
	stages := [][]call{
		r.cookbookCalls(c), r.artifactCalls(c), r.bagCalls(c), append(r.itemCalls(c), r.namedCalls(c)...),
		r.revisionCalls(c), r.pointerCalls(c),
	}
	total := len(blobs)
	for _, calls := range stages {
		total += len(calls)
	}
	count := counter(total, progress)
	parallel := cmp.Or(o.Parallel, DefaultParallel)
	if err := uploadBlobs(ctx, c, blobs, parallel, count); err != nil {
		return fmt.Errorf("load the sample: upload files: %w", err)
	}
	for _, calls := range stages {
		for i, do := range calls {
			calls[i] = func(ctx context.Context) error {
				if err := do(ctx); err != nil {
					return err
				}
				count()
				return nil
			}
		}
		if err := inParallel(ctx, parallel, calls); err != nil {
			return fmt.Errorf("load the sample: %w", err)
		}
	}
	return nil
}

// counter returns a function that tells progress about one more.
func counter(total int, progress func(done, total int)) func() {
	var mu sync.Mutex
	done := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done++
		if progress != nil {
			progress(done, total)
		}
	}
}

func (r *repo) cookbookCalls(c *chef.Client) []call {
	var calls []call
	for _, cb := range r.cookbooks {
		calls = append(calls, func(ctx context.Context) error { return cb.replace(ctx, c) })
	}
	return calls
}

func (r *repo) bagCalls(c *chef.Client) []call {
	var calls []call
	for _, b := range r.bags {
		calls = append(calls, func(ctx context.Context) error { return putBag(ctx, c, b.name) })
	}
	return calls
}

func (r *repo) itemCalls(c *chef.Client) []call {
	var calls []call
	for _, b := range r.bags {
		for _, it := range b.items {
			calls = append(calls, func(ctx context.Context) error { return putItem(ctx, c, b.name, it.name, it.body) })
		}
	}
	return calls
}

func (r *repo) namedCalls(c *chef.Client) []call {
	var calls []call
	for _, role := range r.roles {
		calls = append(calls, func(ctx context.Context) error { return putRole(ctx, c, role.name, role.body) })
	}
	for _, env := range r.environments {
		calls = append(calls, func(ctx context.Context) error { return putEnvironment(ctx, c, env.name, env.body) })
	}
	return calls
}

func putBag(ctx context.Context, c *chef.Client, name string) error {
	if err := c.CreateDataBag(ctx, name); err != nil && !chef.IsConflict(err) {
		return fmt.Errorf("put data bag %s: %w", name, err)
	}
	return nil
}

func putItem(ctx context.Context, c *chef.Client, bag, id string, body json.RawMessage) error {
	err := c.CreateDataBagItem(ctx, bag, id, body)
	if chef.IsConflict(err) {
		err = c.UpdateDataBagItem(ctx, bag, id, body)
	}
	if err != nil {
		return fmt.Errorf("put data bag item %s/%s: %w", bag, id, err)
	}
	return nil
}

func putRole(ctx context.Context, c *chef.Client, name string, body json.RawMessage) error {
	err := c.CreateRole(ctx, body)
	if chef.IsConflict(err) {
		err = c.UpdateRole(ctx, name, body)
	}
	if err != nil {
		return fmt.Errorf("put role %s: %w", name, err)
	}
	return nil
}

func putEnvironment(ctx context.Context, c *chef.Client, name string, body json.RawMessage) error {
	err := c.CreateEnvironment(ctx, body)
	if chef.IsConflict(err) {
		err = c.UpdateEnvironment(ctx, name, body)
	}
	if err != nil {
		return fmt.Errorf("put environment %s: %w", name, err)
	}
	return nil
}
