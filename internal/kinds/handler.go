package kinds

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Object is one object as a server holds it.
type Object struct {
	Ref object.Ref

	// Raw is the body as it is written to another server: what the server sent,
	// without what belongs to that server only (file URLs).
	Raw json.RawMessage

	// Digest is over the meaning of the body, so that two servers that spell it
	// differently (defaults, run list forms, floats) agree.
	Digest object.Digest

	// Files are those of a cookbook, with URLs that expire; nil otherwise.
	Files []chef.File

	// Frozen says that the server refuses changes to the object unless forced.
	Frozen bool
}

// Handler is one kind's way to and from a server. All methods are safe for
// concurrent use. Errors are those of package chef, with the ref in them; see
// [chef.Classify].
type Handler interface {
	Kind() object.Kind

	// List returns every object of the kind, in no particular order. It is
	// complete or an error, never a part: only a complete list proves that an
	// object is gone.
	List(ctx context.Context, c *chef.Client) ([]object.Ref, error)

	// Get reads one object. [chef.IsNotFound] is true of the error if the
	// server says that it has no such object; that alone is no proof.
	Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error)

	// Create writes an object that the server does not hold. [chef.IsConflict]
	// is true of the error if it does.
	Create(ctx context.Context, c *chef.Client, o Object) error

	// Update makes the server's object equal to o; held is what the server holds
	// now. [chef.IsNotFound] is true of the error if it holds none.
	Update(ctx context.Context, c *chef.Client, o, held Object) error

	// Delete removes an object; [chef.IsNotFound] is true of the error if it
	// was gone already.
	Delete(ctx context.Context, c *chef.Client, ref object.Ref) error
}

// listed makes the ref of what a server listed. A name that no Chef server
// allows is an error of the whole list: its ref would have no path that can be
// read back, and a list without it would not be complete.
func listed(k object.Kind, names ...string) (object.Ref, error) {
	ref, err := object.ParseRef(object.NewRef(k, names[0], names[1:]...).Path())
	if err != nil || ref.Kind != k || ref.Name != names[0] {
		return object.Ref{}, fmt.Errorf("list %s: %q is no name: %w", k, names, chef.ErrNotChef)
	}
	return ref, nil
}

// listedAll is [listed] for a list of names.
func listedAll(k object.Kind, names []string) ([]object.Ref, error) {
	refs := make([]object.Ref, len(names))
	for i, n := range names {
		var err error
		if refs[i], err = listed(k, n); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// handlers is the one table of handlers.
var handlers = map[object.Kind]Handler{
	object.KindCookbook:    cookbooks{},
	object.KindDataBag:     dataBags{},
	object.KindDataBagItem: dataBagItems{},
	object.KindRole:        roles,
	object.KindEnvironment: environments,
}

// For returns the handler of k. It panics if k is not one of [object.Kinds],
// which cannot be had from [object.ParseRef].
func For(k object.Kind) Handler {
	h, ok := handlers[k]
	if !ok {
		panic(fmt.Sprintf("kinds: no handler for %q", k))
	}
	return h
}
