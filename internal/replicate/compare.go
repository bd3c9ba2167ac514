package replicate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Comparison is what [Engine.Compare] found.
type Comparison struct {
	// Counts has one entry per replicated kind, in writing order.
	Counts []KindCount `json:"counts"`

	// Files counts the distinct cookbook files that were read on the replica and
	// match their MD5.
	Files int `json:"files"`

	// Differences are objects that are not equal, by ref.
	Differences []Difference `json:"differences,omitempty"`
}

// KindCount counts the objects of a kind.
type KindCount struct {
	Kind    object.Kind `json:"kind"`
	Primary int         `json:"primary"`
	Replica int         `json:"replica"`
	Equal   int         `json:"equal"`
}

// Difference is one object that is not equal on both sides.
type Difference struct {
	Ref object.Ref `json:"ref"`

	// What is one of "missing on the replica", "only on the replica",
	// "different", which file of a cookbook is lost or damaged on the replica, or
	// why it could not be told.
	What string `json:"what"`

	// Unknown says that the two could not be compared.
	Unknown bool `json:"unknown,omitempty"`
}

// Equal reports whether everything was compared and nothing differs.
func (c Comparison) Equal() bool { return len(c.Differences) == 0 }

// Compare reads both organizations completely, objects and files, and says
// where they differ. It writes nothing. Changes made meanwhile may show as
// differences.
func (e *Engine) Compare(ctx context.Context, progress Progress) (Comparison, error) {
	survey, err := e.Survey(ctx)
	if err != nil {
		return Comparison{}, err
	}
	scope, err := e.Scope(ctx)
	if err != nil {
		return Comparison{}, err
	}
	c := &comparison{e: e, scope: scope, counts: map[object.Kind]*KindCount{}, checked: map[string]error{}}
	for _, k := range scope.InOrder() {
		c.counts[k] = &KindCount{Kind: k, Replica: survey.Totals[k]}
	}
	for _, w := range survey.Writes {
		c.counts[w.Ref.Kind].Primary++
		if w.Action == object.ActionCreate {
			c.differ(Difference{Ref: w.Ref, What: "missing on the replica"})
		}
	}
	for _, ref := range survey.Extras {
		c.differ(Difference{Ref: ref, What: "only on the replica"})
	}
	err = e.each(ctx, len(survey.Writes), func(ctx context.Context, i int) error {
		defer progress(survey.Writes[i].Ref)
		if survey.Writes[i].Action == object.ActionCreate {
			return nil
		}
		return c.one(ctx, survey.Writes[i].Ref)
	})
	if err != nil {
		return Comparison{}, err
	}
	return c.result(), nil
}

// comparison is the state of one Compare.
type comparison struct {
	e     *Engine
	scope object.Scope

	mu      sync.Mutex
	counts  map[object.Kind]*KindCount
	diffs   []Difference
	checked map[string]error // files of the replica that were read, by MD5
}

func (c *comparison) one(ctx context.Context, ref object.Ref) error {
	h := kinds.For(ref.Kind)
	src, err := h.Get(ctx, c.e.Primary, ref)
	if err != nil {
		return c.unknown(ctx, ref, c.e.Primary, onSide("primary", err))
	}
	held, err := h.Get(ctx, c.e.Replica, ref)
	if err != nil {
		return c.unknown(ctx, ref, c.e.Replica, onSide("replica", err))
	}
	if src.Digest != held.Digest {
		c.differ(Difference{Ref: ref, What: "different"})
		return nil
	}
	for _, f := range held.Files {
		err := c.file(ctx, f)
		if err == nil {
			continue
		}
		err = fmt.Errorf("replica: file %s: %w", f.Path, err)
		if errors.Is(err, chef.ErrFileMissing) || errors.Is(err, chef.ErrChecksum) {
			c.differ(Difference{Ref: ref, What: reason(err)})
			return nil
		}
		return c.unknown(ctx, ref, c.e.Replica, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[ref.Kind].Equal++
	return nil
}

// file reads one of the replica's files, once per content. Two goroutines may
// read the same file; that costs a request and nothing else.
func (c *comparison) file(ctx context.Context, f chef.File) error {
	c.mu.Lock()
	err, seen := c.checked[f.Checksum]
	c.mu.Unlock()
	if seen {
		return err
	}
	_, err = c.e.Replica.DownloadFile(ctx, f.URL, f.Checksum, io.Discard)
	if err != nil && brokeOff(err) {
		_, err = c.e.Replica.DownloadFile(ctx, f.URL, f.Checksum, io.Discard)
	}
	if chef.Classify(err) == chef.ClassRetry { // may be another for the next cookbook
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked[f.Checksum] = err
	return err
}

// unknown records an object that could not be compared with what server has;
// errors that are not about the object end the comparison.
func (c *comparison) unknown(ctx context.Context, ref object.Ref, server *chef.Client, err error) error {
	if !ownFault(ctx, server, err) {
		return err
	}
	c.differ(Difference{Ref: ref, What: reason(err), Unknown: true})
	return nil
}

func (c *comparison) differ(d Difference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.diffs = append(c.diffs, d)
}

func (c *comparison) result() Comparison {
	out := Comparison{Differences: c.diffs}
	slices.SortFunc(out.Differences, func(a, b Difference) int { return a.Ref.Compare(b.Ref) })
	for _, k := range c.scope.InOrder() {
		out.Counts = append(out.Counts, *c.counts[k])
	}
	for _, err := range c.checked {
		if err == nil {
			out.Files++
		}
	}
	return out
}
