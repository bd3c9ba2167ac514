package replicate

import (
	"context"
	"slices"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// Comparison is what [Engine.Check] and [Engine.Compare] found.
type Comparison struct {
	// Counts has one entry per replicated kind, in writing order.
	Counts []KindCount `json:"counts"`

	// Primary and Replica are sums over all objects that were read, by ref and
	// digest: they are equal if and only if both sides hold the same.
	Primary plan.Sum `json:"primary_digest"`
	Replica plan.Sum `json:"replica_digest"`

	// Files counts the distinct cookbook files that were read on the replica and
	// match their MD5.
	Files int `json:"files"`

	// Differences are objects that are not equal, by ref.
	Differences []Difference `json:"differences,omitempty"`

	// Left is what the replica cannot hold of objects that count as equal.
	Left []Left `json:"left,omitempty"`
}

// KindCount counts the objects of a kind.
type KindCount struct {
	Kind    object.Kind `json:"kind"`
	Primary int         `json:"primary"`
	Replica int         `json:"replica"`
	Equal   int         `json:"equal"`
}

// Case says in which way an object is not equal.
type Case string

// The cases.
const (
	CaseMissing   Case = "missing"   // the replica has no such object
	CaseExtra     Case = "extra"     // only the replica has it
	CaseDifferent Case = "different" // the two are not equal
	CaseDamaged   Case = "damaged"   // the two are equal, and a file of one is lost or not what its MD5 says
	CaseUnknown   Case = "unknown"   // one of the two could not be read
)

// Difference is one object that is not equal on both sides.
type Difference struct {
	Ref  object.Ref `json:"ref"`
	Case Case       `json:"case"`

	// What is the case in words: which file is damaged, why it could not be told.
	What string `json:"what"`

	// Primary and Replica are the digests of what the sides hold; "" = nothing, or
	// not known.
	Primary object.Digest `json:"primary_digest,omitempty"`
	Replica object.Digest `json:"replica_digest,omitempty"`

	// Absent is the side that has no such object, also where the other side's could
	// not be read: primary, replica, or "" = none.
	Absent string `json:"absent,omitempty"`

	// Fields are what differs inside, if a [CheckOptions.Detail] fills them in.
	Fields []plan.Field `json:"fields,omitempty"`
}

// Equal reports whether everything was compared and nothing differs.
func (c Comparison) Equal() bool { return len(c.Differences) == 0 }

// Unknown reports whether some objects could not be compared.
func (c Comparison) Unknown() bool {
	return slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.Case == CaseUnknown })
}

// CheckOptions modifies [Engine.Check].
type CheckOptions struct {
	// Files reads the files of equal cookbooks on both sides; nil reads none. One
	// is shared by all calls of one comparison: a content is read once.
	Files *FileChecks

	// Listed says that what to look at is what both sides have listed just now. Then
	// an object that is nothing but a name is not read once more.
	Listed bool

	// Detail is called for each object that is missing, extra or different, and may
	// add to d. want is what the replica should hold: the primary's object, as far
	// as the replica can hold it; held is what it holds. The zero Object is nothing.
	// It is called from several goroutines.
	Detail func(d *Difference, want, held kinds.Object)
}

// Compare reads both organizations completely, objects and files, and says
// where they differ. It writes nothing. Changes made meanwhile may show as
// differences.
func (e *Engine) Compare(ctx context.Context, progress Progress) (Comparison, error) {
	survey, err := e.Survey(ctx)
	if err != nil {
		return Comparison{}, err
	}
	return e.Check(ctx, survey.All(), CheckOptions{Files: &FileChecks{}, Listed: true}, progress)
}

// Check reads objects on both sides and says where they differ. The action says
// who has an object by its name: create, only the primary; update, both; delete,
// only the replica. It writes nothing.
func (e *Engine) Check(ctx context.Context, look []object.Change, o CheckOptions, progress Progress) (Comparison, error) {
	scope, err := e.Scope(ctx)
	if err != nil {
		return Comparison{}, err
	}
	c := &comparison{
		e: e, opts: o, counts: map[object.Kind]*KindCount{},
		replica: &kinds.Replica{Client: e.Replica, Scope: scope},
	}
	for _, k := range scope.InOrder() {
		c.counts[k] = &KindCount{Kind: k}
	}
	err = e.each(ctx, len(look), func(ctx context.Context, i int) error {
		defer progress(look[i].Ref)
		if !scope.Has(look[i].Ref) {
			return nil
		}
		return c.one(ctx, look[i])
	})
	if err != nil {
		return Comparison{}, err
	}
	return c.result(scope), nil
}

// comparison is the state of one Check.
type comparison struct {
	e       *Engine
	opts    CheckOptions
	replica *kinds.Replica
	left    lefts

	mu     sync.Mutex
	counts map[object.Kind]*KindCount
	out    Comparison
}

// one compares one object.
func (c *comparison) one(ctx context.Context, look object.Change) error {
	src, held := sideRead{absent: look.Action == object.ActionDelete}, sideRead{absent: look.Action == object.ActionCreate}
	var both sync.WaitGroup // one server need not wait for the other
	both.Go(func() { c.read(ctx, c.e.Primary, look.Ref, &src) })
	c.read(ctx, c.e.Replica, look.Ref, &held)
	both.Wait()
	d := Difference{Ref: look.Ref}
	switch {
	case src.absent:
		d.Absent = "primary"
	case held.absent:
		d.Absent = "replica"
	}
	switch {
	case src.err != nil:
		return c.unknown(ctx, d, true, c.e.Primary, onSide("primary", src.err))
	case held.err != nil:
		return c.unknown(ctx, d, true, c.e.Replica, onSide("replica", held.err))
	}
	return c.compared(ctx, d, src, held)
}

// compared compares an object that was read on both sides.
func (c *comparison) compared(ctx context.Context, d Difference, src, held sideRead) error {
	wanted, have, err := c.adapted(ctx, src.object, held.object, src.absent)
	if err != nil {
		return c.unknown(ctx, d, true, c.e.Replica, onSide("replica", err))
	}
	want := wanted.Digest
	c.sum(d.Ref, want, have)
	c.count(d.Ref.Kind, KindCount{Primary: btoi(!src.absent), Replica: btoi(!held.absent)})
	d.Primary, d.Replica = want, have
	switch {
	case src.absent && held.absent: // gone from both sides since they were listed
		return nil
	case held.absent:
		d.Case, d.What = CaseMissing, "missing on the replica"
	case src.absent:
		d.Case, d.What = CaseExtra, "only on the replica"
	case want != have:
		d.Case, d.What = CaseDifferent, "different"
	default:
		return c.files(ctx, d, src.object, held.object)
	}
	c.differ(d, wanted, held.object)
	return nil
}

// sideRead is what one side was found to hold of an object.
type sideRead struct {
	object kinds.Object
	absent bool
	err    error
}

func (s *sideRead) read(ctx context.Context, server *chef.Client, ref object.Ref) {
	s.object, s.absent, s.err = lookup(ctx, server, ref)
}

// read reads an object unless it is known to be absent, or its being listed is all
// there is to know.
func (c *comparison) read(ctx context.Context, server *chef.Client, ref object.Ref, into *sideRead) {
	if into.absent {
		return
	}
	if l, ok := handler(ref).(kinds.Lister); ok && c.opts.Listed {
		into.object, into.err = l.Listed(ref)
		return
	}
	into.read(ctx, server, ref)
}

// adapted returns what the replica should hold, and the digest of what it holds.
func (c *comparison) adapted(ctx context.Context, src, held kinds.Object, noSrc bool) (want kinds.Object, have object.Digest, err error) {
	if noSrc {
		return kinds.Object{}, held.Digest, nil
	}
	a, adapts := handler(src.Ref).(kinds.Adapter)
	if !adapts {
		return src, held.Digest, nil
	}
	got, err := a.Adapt(ctx, c.replica, src, held)
	if err != nil {
		return kinds.Object{}, "", err
	}
	c.left.add(src.Ref, got.Left)
	return got.Want, got.Held, nil
}

// count adds to the counts of a kind.
func (c *comparison) count(k object.Kind, n KindCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have := c.counts[k]
	have.Primary += n.Primary
	have.Replica += n.Replica
	have.Equal += n.Equal
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *comparison) sum(ref object.Ref, primary, replica object.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.Primary = c.out.Primary.Add(ref, primary)
	c.out.Replica = c.out.Replica.Add(ref, replica)
}

// unknown records an object that could not be compared with what server has, and
// counts it if it was not counted before; errors that are not about the object
// end the comparison.
func (c *comparison) unknown(ctx context.Context, d Difference, count bool, server *chef.Client, err error) error {
	if !ownFault(ctx, server, err) {
		return err
	}
	if count {
		c.count(d.Ref.Kind, KindCount{Primary: btoi(d.Absent != "primary"), Replica: btoi(d.Absent != "replica")})
	}
	d.Case, d.What = CaseUnknown, reason(err)
	c.differ(d, kinds.Object{}, kinds.Object{})
	return nil
}

func (c *comparison) differ(d Difference, src, held kinds.Object) {
	if c.opts.Detail != nil && d.Case != CaseUnknown && d.Case != CaseDamaged {
		c.opts.Detail(&d, src, held)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.Differences = append(c.out.Differences, d)
}

func (c *comparison) result(scope object.Scope) Comparison {
	slices.SortFunc(c.out.Differences, func(a, b Difference) int { return a.Ref.Compare(b.Ref) })
	for _, k := range scope.InOrder() {
		c.out.Counts = append(c.out.Counts, *c.counts[k])
	}
	c.out.Files = c.opts.Files.intact()
	c.out.Left = c.left.sorted()
	return c.out
}
