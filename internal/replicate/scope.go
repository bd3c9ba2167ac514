package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// ErrNothing says that none of the kinds that a pair wants can be held by both
// servers.
var ErrNothing = errors.New("there is nothing that both servers can hold of what this pair replicates")

// reprobe is how long a server is believed to lack a kind; it may be upgraded.
// What it can hold it will not forget.
const reprobe = time.Hour

// Scope returns what the pair replicates: what it wants, without the kinds that
// one of the servers cannot hold, and without what nobody may copy (see
// untouchable). The servers are asked once. Returns [ErrNothing] if nothing is
// left.
func (e *Engine) Scope(ctx context.Context) (object.Scope, error) {
	primary, replica, err := e.Lacks(ctx)
	if err != nil {
		return object.Scope{}, err
	}
	return e.scope(primary, replica)
}

func (e *Engine) scope(primaryLacks, replicaLacks []object.Kind) (object.Scope, error) {
	s, ok := e.Wanted.Without(slices.Concat(primaryLacks, replicaLacks))
	if !ok {
		return object.Scope{}, ErrNothing
	}
	s.Exclude = slices.Concat(s.Exclude, e.untouchable())
	return s, nil
}

// untouchable are globs of what is never copied and never deleted, whatever a
// pair wants: the validators, which each server makes for itself and whose name
// is the organization's, the clients that we sign with, a group that no admin
// may read, and the policy that we make groups with.
func (e *Engine) untouchable() []string {
	out := []string{
		"/groups/billing-admins",
		"/policies/" + kinds.Placeholder, "/policies/*/revisions/" + kinds.Placeholder, "/policy_groups/*/policies/" + kinds.Placeholder,
	}
	for _, c := range []*chef.Client{e.Primary, e.Replica} {
		out = append(out, "/clients/"+c.User())
		if org := c.Organization(); org != "" {
			out = append(out, "/clients/"+org+"-validator")
		}
	}
	return out
}

// Lacks returns the kinds that the pair wants to replicate and each server cannot
// hold.
func (e *Engine) Lacks(ctx context.Context) (primary, replica []object.Kind, err error) {
	of := e.Wanted.InOrder()
	if primary, err = e.primaryKnows.lacks(ctx, e.Primary, of, e.clock); err != nil {
		return nil, nil, onSide("primary", err)
	}
	if replica, err = e.replicaKnows.lacks(ctx, e.Replica, of, e.clock); err != nil {
		return nil, nil, onSide("replica", err)
	}
	return primary, replica, nil
}

// knowledge is which kinds a server can hold. The zero value knows nothing.
type knowledge struct {
	mu     sync.Mutex
	holds  map[object.Kind]bool
	lacked []object.Kind
	asked  time.Time
}

// lacks returns those of the given kinds that a server cannot hold.
func (k *knowledge) lacks(ctx context.Context, c *chef.Client, of []object.Kind, clock func() time.Time) ([]object.Kind, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since := clock().Sub(k.asked); !k.asked.IsZero() && since >= 0 && (len(k.lacked) == 0 || since < reprobe) {
		return k.lacked, nil
	}
	if k.holds == nil {
		k.holds = map[object.Kind]bool{}
	}
	var lacked []object.Kind
	for _, kind := range of {
		p, ok := kinds.For(kind).(kinds.Prober)
		if !ok || k.holds[kind] {
			continue
		}
		holds, err := p.Supported(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%w (asked whether the server can hold objects of kind %s)", err, kind)
		}
		if k.holds[kind] = holds; !holds {
			lacked = append(lacked, kind)
		}
	}
	k.lacked, k.asked = lacked, clock()
	return lacked, nil
}

// kindList prints kinds for [object.Identity.Lacks].
func kindList(of []object.Kind) string {
	words := make([]string, len(of))
	for i, k := range of {
		words[i] = string(k)
	}
	return strings.Join(words, ",")
}
