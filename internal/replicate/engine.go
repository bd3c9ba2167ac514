package replicate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// DefaultParallel is how many objects of a batch are worked on at once. Chef
// servers gain nothing from more than 8 requests at a time, and start to answer
// 500 and 403 at 16.
const DefaultParallel = 8

// Engine replicates one pair. Its methods are safe for concurrent use.
type Engine struct {
	Primary, Replica *chef.Client
	Staging          *staging.Store

	// Wanted is what the pair wants to replicate. What a server cannot hold is
	// left out of it; see [Engine.Scope].
	Wanted object.Scope

	// Recreate lets what no server changes (a frozen cookbook version that is no
	// longer frozen on the primary, an artifact, a revision) be deleted and made
	// anew where it differs.
	Recreate bool

	// Parallel is how many objects are worked on at once; 0 = [DefaultParallel].
	Parallel int

	// Uploads keeps uploads of one file apart, for all engines that write to one
	// replica server; required.
	Uploads *Uploads

	// Downloads has a file that several organizations need at the same time brought
	// into Staging once, for all engines that share it; nil = each brings its own.
	Downloads *Downloads

	// Now is the clock by which upload URLs expire; nil = time.Now.
	Now func() time.Time

	// Meter counts what is done; nil = nobody counts.
	Meter Meter

	sandboxFiles int // most files of one sandbox; 0 = maxSandboxFiles

	primaryKnows, replicaKnows knowledge
}

// Failure is an object that could not be made equal, and why.
type Failure struct {
	Ref    object.Ref `json:"ref"`
	Reason string     `json:"reason"`

	// Hint is what an operator can do; "" if nothing but wait.
	Hint string `json:"hint,omitempty"`

	// Again says that trying again at once will help.
	Again bool `json:"again,omitempty"`

	// Half says that the replica may hold half of what was to be written, and that
	// nobody can tell by looking: it is to be taken with [object.ActionReplace].
	Half bool `json:"half,omitempty"`
}

// Progress is called after each object of a batch, from several goroutines.
type Progress func(object.Ref)

func (e *Engine) parallel() int {
	if e.Parallel <= 0 {
		return DefaultParallel
	}
	return e.Parallel
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// each calls f for every index below n, some at once, until one returns an
// error, which each returns.
func (e *Engine) each(ctx context.Context, n int, f func(context.Context, int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.parallel())
	for i := range n {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			return f(gctx, i)
		})
	}
	return g.Wait()
}

// failures gathers the failures of a batch. The zero value is ready.
type failures struct {
	mu   sync.Mutex
	list []Failure
	refs map[object.Ref]bool // of list
}

// add sorts an error about one object: nil if it is the object's own and was
// recorded, the error itself if the whole operation has to end.
//
// An error that may pass (network, 5xx; the client has tried several times) is
// the object's own only if the server answers something else meanwhile.
// Otherwise the server is down, and parking every object would only make noise.
// An error that no server made (a full disk) is nobody's own.
func (f *failures) add(ctx context.Context, c *chef.Client, ref object.Ref, err error) error {
	if err == nil {
		return nil
	}
	if !ownFault(ctx, c, err) {
		return err
	}
	f.record(ref, err)
	return nil
}

// record adds a failure that is the object's own. The first one of an object
// counts.
func (f *failures) record(ref object.Ref, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs[ref] {
		return
	}
	if f.refs == nil {
		f.refs = map[object.Ref]bool{}
	}
	f.refs[ref] = true
	f.list = append(f.list, Failure{
		Ref: ref, Reason: reason(err), Hint: chef.Hint(err), Again: errors.Is(err, ErrRemoved), Half: errors.Is(err, errHalf),
	})
}

func (f *failures) has(ref object.Ref) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refs[ref]
}

// sorted returns the failures by ref.
func (f *failures) sorted() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(f.list, func(a, b Failure) int { return a.Ref.Compare(b.Ref) })
	return f.list
}

// ownFault reports whether an error concerns one object or file, and others may
// go on. See [failures.add].
func ownFault(ctx context.Context, c *chef.Client, err error) bool {
	switch chef.Classify(err) {
	case chef.ClassObject:
		return ctx.Err() == nil
	case chef.ClassRetry:
		return ctx.Err() == nil && fromServer(err) && alive(ctx, c)
	default:
		return false
	}
}

// alive asks the server for the shortest list there is.
func alive(ctx context.Context, c *chef.Client) bool {
	_, err := c.ListEnvironments(ctx)
	return err == nil
}

// fromServer reports whether an error is about an exchange with a server.
func fromServer(err error) bool {
	var api *chef.APIError
	return errors.As(err, &api)
}

// maxReason bounds what one failure adds to workflow history, in bytes.
const maxReason = 400

func reason(err error) string {
	s := err.Error()
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}

// handler is [kinds.For] for a ref.
func handler(ref object.Ref) kinds.Handler { return kinds.For(ref.Kind) }
