package kinds

import (
	"context"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Replica is the server that objects are written to, and what has been learnt of
// it, for as long as one batch takes. It is safe for concurrent use.
type Replica struct {
	Client *chef.Client

	// Scope is what the pair replicates: what is not in it is not made for the
	// sake of something that names it.
	Scope object.Scope

	actors    once[*Actors]
	artifacts once[map[object.Ref]bool]
}

// Actors are the names that groups and ACLs of an organization may hold.
type Actors struct {
	Users, Clients, Groups map[string]bool
}

// once is the outcome of a question that is asked once; an error is not kept.
type once[T any] struct {
	mu    sync.Mutex
	known bool
	value T
}

func (o *once[T]) get(ask func() (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known {
		return o.value, nil
	}
	v, err := ask()
	if err == nil {
		o.known, o.value = true, v
	}
	return v, err
}

// Artifacts returns the cookbook artifacts that the replica holds.
func (r *Replica) Artifacts(ctx context.Context) (map[object.Ref]bool, error) {
	return r.artifacts.get(func() (map[object.Ref]bool, error) {
		refs, err := For(object.KindArtifact).List(ctx, r.Client)
		out := make(map[object.Ref]bool, len(refs))
		for _, ref := range refs {
			out[ref] = true
		}
		return out, err
	})
}
