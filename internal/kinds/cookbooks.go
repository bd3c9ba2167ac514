package kinds

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// ErrThaw says that the replica's cookbook version is frozen and the primary's
// is not. No Chef server can thaw a version; only delete and recreate does, and
// that is the operator's decision.
var ErrThaw = fmt.Errorf("%w on the replica but not on the primary and %w; "+
	"with thaw true chef-sync deletes it and makes it anew", chef.ErrFrozen, ErrRecreate)

// cookbooks is the handler of cookbook versions. Their files go ahead of them,
// through a sandbox, and are not this handler's business.
type cookbooks struct{}

func (cookbooks) Kind() object.Kind { return object.KindCookbook }

func (cookbooks) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	versions, err := c.ListCookbooks(ctx)
	if err != nil {
		return nil, err
	}
	refs := make([]object.Ref, len(versions))
	for i, v := range versions {
		if refs[i], err = listed(object.KindCookbook, v.Name, v.Version); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

func (cookbooks) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	m, err := c.GetCookbook(ctx, ref.Name, ref.Sub)
	if err != nil {
		return Object{}, err
	}
	return manifestObject(ref, m)
}

// manifestObject makes the object of a cookbook version or artifact.
func manifestObject(ref object.Ref, m *chef.Manifest) (Object, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return Object{}, fmt.Errorf("read %s: %w", ref, err)
	}
	digest, err := cookbookDigest(m)
	if err != nil {
		return Object{}, fmt.Errorf("read %s: %w", ref, err)
	}
	return Object{Ref: ref, Raw: raw, Digest: digest, Files: m.Files(), Frozen: m.Frozen()}, nil
}

// cookbookDigest is over what makes two cookbook versions equal: the frozen
// flag, the metadata, and the set of files by path, specificity and checksum; of
// a cookbook artifact also its name, identifier and version. File names are left
// out: servers print them differently for versions that were stored through
// different API versions. So is an empty long description, which goiardi adds
// where there is none.
func cookbookDigest(m *chef.Manifest) (object.Digest, error) {
	content, err := m.Content()
	if err != nil {
		return "", err
	}
	v, err := plan.Decode(content)
	if err != nil {
		return "", err
	}
	if doc, ok := v.(map[string]any); ok {
		if metadata, ok := doc["metadata"].(map[string]any); ok && metadata["long_description"] == "" {
			delete(metadata, "long_description")
		}
	}
	return plan.DigestValue(v), nil
}

func (cookbooks) Create(ctx context.Context, c *chef.Client, o Object) error {
	return put(ctx, c, o, chef.PutCookbookOptions{})
}

// Update forces the write where the replica's version is frozen: the primary's
// content was forced too, or the replica holds half a cookbook (a create that
// failed leaves its manifest behind).
func (cookbooks) Update(ctx context.Context, c *chef.Client, o, held Object) error {
	if held.Frozen && !o.Frozen {
		return fmt.Errorf("put %s: %w", o.Ref, ErrThaw)
	}
	return put(ctx, c, o, chef.PutCookbookOptions{Force: held.Frozen})
}

func put(ctx context.Context, c *chef.Client, o Object, opts chef.PutCookbookOptions) error {
	var m chef.Manifest
	if err := json.Unmarshal(o.Raw, &m); err != nil {
		return fmt.Errorf("put %s: %w", o.Ref, err)
	}
	return c.PutCookbook(ctx, &m, opts)
}

func (cookbooks) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteCookbook(ctx, ref.Name, ref.Sub)
}
