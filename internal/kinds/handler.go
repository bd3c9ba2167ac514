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

	// Files are those of a cookbook or artifact, with URLs that expire; nil otherwise.
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

// A Prober is a handler of a kind that not every Chef server can hold.
type Prober interface {
	// Supported reports whether the server can hold objects of the kind at all.
	// An error says nothing either way.
	Supported(ctx context.Context, c *chef.Client) (bool, error)
}

// An Adapter is a handler of a kind whose objects name users, clients and groups,
// so that a replica's should be another than the primary's. Create and Update
// are given what Adapt wants.
type Adapter interface {
	// Adapt says what the replica should hold of the primary's object src where
	// it holds held now (the zero Object: nothing). It writes nothing.
	Adapt(ctx context.Context, r *Replica, src, held Object) (Adapted, error)
}

// Adapted is an object of the primary as a replica should hold it.
type Adapted struct {
	// Want is what to write; its digest equals Held if there is nothing to write.
	Want Object
	Held object.Digest

	// Left says what of the primary's object the replica cannot hold, in words
	// that are the same for all objects with that lack: "user bob is not on the
	// replica". It is no failure.
	Left []string

	// Waits are the paths of objects that src names, the pair replicates and the
	// replica lacks yet: src has to be taken again when they have come.
	Waits []string
}

// A Gate is a handler of a kind whose objects point at others.
type Gate interface {
	// Ready returns an error if the replica lacks something that o points at, so
	// that o must not be written yet.
	Ready(ctx context.Context, r *Replica, o Object) error
}

// A Replacer is a handler of a kind whose delete takes along what points at the
// object, and whose objects need no files.
type Replacer interface {
	// Replace deletes what the server holds in the place of o and makes it anew,
	// with what pointed at it. A crash in between leaves it, or some of that,
	// deleted; so whoever calls Replace asks Takes first, and comes back to it.
	// Without back, what pointed at it is not written.
	Replace(ctx context.Context, c *chef.Client, o Object, back bool) error

	// Takes returns the refs of what points at the object.
	Takes(ctx context.Context, c *chef.Client, ref object.Ref) ([]object.Ref, error)
}

// A Container is a handler of a kind whose objects hold others, which a server
// deletes with them.
type Container interface {
	// Contents returns the refs of what an object holds; none if the object does
	// not exist.
	Contents(ctx context.Context, c *chef.Client, ref object.Ref) ([]object.Ref, error)
}

// A Lister is a handler of a kind whose objects have a name and nothing else, so
// that a list proves as much of an object as reading it.
type Lister interface {
	// Listed returns an object that a server listed; no request is made.
	Listed(ref object.Ref) (Object, error)
}

// ErrRecreate says that a server holds another object in the place of one that it
// never changes. Only delete and recreate does, and that is the operator's
// decision. Its class is that of the object.
var ErrRecreate = fmt.Errorf("%w: no Chef server changes it", chef.ErrInvalid)

// ErrNotReady says that an object points at something that the replica lacks. Its
// class is that of the object.
var ErrNotReady = fmt.Errorf("%w: the replica lacks what it points at", chef.ErrInvalid)

// Delete removes an object, if it is there. A 404 is no proof that it is not:
// whoever believes a wrong one has forgotten the delete for ever.
func Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	h := For(ref.Kind)
	err := h.Delete(ctx, c, ref)
	if !chef.IsNotFound(err) {
		return err
	}
	switch _, err := h.Get(ctx, c, ref); {
	case chef.IsNotFound(err):
		return nil
	case err != nil:
		return err
	default:
		return stillThere(ref)
	}
}

// stillThere is the error of a delete that a server answers with 404 while it has
// the object. Its class is that of the object.
func stillThere(ref object.Ref) error {
	return fmt.Errorf("delete %s: %w: the server answers 404 and has it", ref, chef.ErrInvalid)
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
	object.KindCookbook:       cookbooks{},
	object.KindArtifact:       artifacts{},
	object.KindDataBag:        dataBags{},
	object.KindDataBagItem:    dataBagItems{},
	object.KindRole:           roles,
	object.KindEnvironment:    environments,
	object.KindPolicyRevision: policyRevisions{},
	object.KindPolicy:         policies{},
	object.KindPolicyPointer:  pointers{},
	object.KindPolicyGroup:    policyGroups{},
	object.KindNode:           nodes,
	object.KindClient:         clients{},
	object.KindGroup:          groups{},
	object.KindContainer:      containers{},
	object.KindOrganization:   organizations{},
	object.KindACL:            acls{},
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
