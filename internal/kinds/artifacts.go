package kinds

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// artifacts is the handler of cookbook artifacts. One is never changed, and
// another under its identifier is possible all the same: servers do not check
// that the identifier is the hash of the content. Files go ahead, as those of
// cookbooks do.
type artifacts struct{}

func (artifacts) Kind() object.Kind { return object.KindArtifact }

func (artifacts) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "cookbook_artifacts")
}

func (artifacts) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	versions, err := c.ListArtifacts(ctx)
	if err != nil {
		return nil, err
	}
	refs := make([]object.Ref, len(versions))
	for i, v := range versions {
		if refs[i], err = listed(object.KindArtifact, v.Name, v.Identifier); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

func (artifacts) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	m, err := c.GetArtifact(ctx, ref.Name, ref.Sub)
	if err != nil {
		return Object{}, err
	}
	o, err := manifestObject(ref, m)
	o.Frozen = true // whatever its own flag says
	return o, err
}

func (artifacts) Create(ctx context.Context, c *chef.Client, o Object) error {
	var m chef.Manifest
	if err := json.Unmarshal(o.Raw, &m); err != nil {
		return fmt.Errorf("put %s: %w", o.Ref, err)
	}
	return c.PutArtifact(ctx, &m)
}

// Update has nothing to do where only files were missing, which have been
// uploaded by now.
func (h artifacts) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return unchanged(ctx, h, c, o)
}

func (artifacts) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteArtifact(ctx, ref.Name, ref.Sub)
}

// unchanged is Update of a kind of which no object is ever changed: nothing to do
// if the server's is o, [ErrRecreate] if it is another.
func unchanged(ctx context.Context, h Handler, c *chef.Client, o Object) error {
	held, err := h.Get(ctx, c, o.Ref)
	switch {
	case err != nil:
		return err
	case held.Digest != o.Digest:
		return fmt.Errorf("put %s: %w, and the server holds another under this name", o.Ref, ErrRecreate)
	default:
		return nil
	}
}
