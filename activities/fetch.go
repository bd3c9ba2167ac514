package activities

import (
	"context"
	"sync"

	"go.temporal.io/sdk/activity"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// Fetch reads a batch of objects from the primary into staging; see
// [replicate.Engine.Fetch]. Its heartbeat counts the objects and files done. A
// repeated attempt reads the objects again and downloads only files that are
// not staged yet.
func (a *Activities) Fetch(ctx context.Context, in FetchInput) (FetchResult, error) {
	c, err := a.connectTo(ctx, in.Pair, in.Identities)
	if err != nil {
		return FetchResult{}, asTemporal(err)
	}
	defer measure(ctx, "fetch")()
	var n counter
	defer beating(ctx, c.itself, n.say)()
	got, err := c.Engine.Fetch(ctx, in.Changes, n.count)
	if err != nil {
		return FetchResult{}, asTemporal(err)
	}
	return FetchResult{Fetched: got, Queue: a.HostQueue}, nil
}

// counter is the heartbeat of an activity that only counts.
type counter struct {
	mu   sync.Mutex
	done int
}

func (n *counter) count(object.Ref) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done++
}

func (n *counter) say() any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return map[string]int{"done": n.done}
}

// Apply writes a staged batch to the replica, or deletes; see
// [replicate.Engine.Apply] and [replicate.Engine.Delete]. Its heartbeat holds
// the refs that are done, and a repeated attempt skips them; of the others, an
// earlier attempt may have written any, so they are compared first. The batch
// is dropped from staging when it is done.
func (a *Activities) Apply(ctx context.Context, in ApplyInput) (ApplyResult, error) {
	c, err := a.connectTo(ctx, in.Pair, in.Identities)
	if err != nil {
		return ApplyResult{}, asTemporal(err)
	}
	done := earlier(ctx)
	defer beating(ctx, c.itself, done.say)()
	opts := replicate.ApplyOptions{Skip: done.before, Doubt: activity.GetInfo(ctx).Attempt > 1}
	if len(in.Deletes) > 0 {
		defer measure(ctx, "delete")()
		out, err := c.Engine.Delete(ctx, in.Deletes, opts, done.add)
		return out, asTemporal(err)
	}
	defer measure(ctx, "apply")()
	out, err := c.Engine.Apply(ctx, in.Batch, opts, done.add)
	if err != nil {
		activity.RecordHeartbeat(ctx, done.say())
		return ApplyResult{}, asTemporal(err)
	}
	if err := c.Engine.Staging.DropBatch(ctx, in.Batch); err != nil {
		a.log(in.Pair).WarnContext(ctx, "staged batch stays until it is purged", "err", err)
	}
	return out, nil
}

// doneRefs is the heartbeat of Apply.
type doneRefs struct {
	before map[object.Ref]bool // done by earlier attempts

	mu   sync.Mutex
	refs []object.Ref
}

// earlier returns what earlier attempts of this activity reported.
func earlier(ctx context.Context) *doneRefs {
	d := &doneRefs{before: map[object.Ref]bool{}}
	if activity.HasHeartbeatDetails(ctx) {
		// Unreadable details mean a repetition, which is harmless.
		_ = activity.GetHeartbeatDetails(ctx, &d.refs)
	}
	for _, ref := range d.refs {
		d.before[ref] = true
	}
	return d
}

func (d *doneRefs) add(ref object.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refs = append(d.refs, ref)
}

func (d *doneRefs) say() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]object.Ref{}, d.refs...)
}
