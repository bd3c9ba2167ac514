package activities

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/report"
)

// VerifyListInput asks for the lists of both organizations.
type VerifyListInput struct {
	Pair object.Pair `json:"pair"`
}

// VerifyPlace is a verification under way: what it is about, and where its list
// is.
type VerifyPlace struct {
	ID         string            `json:"id"` // of the list in the staging store
	Queue      string            `json:"queue,omitempty"`
	Total      int               `json:"total"`
	Identities object.Identities `json:"identities"`
	Lacking    []report.Lacking  `json:"lacking,omitempty"`

	// DeleteExtras says that the pair deletes what only the replica has.
	DeleteExtras bool `json:"delete_extras,omitempty"`

	Version string `json:"version"` // of chef-sync
}

// VerifyInput asks for objects to be compared: those of the list from Offset on,
// or those of Again.
type VerifyInput struct {
	Pair   object.Pair  `json:"pair"`
	Place  VerifyPlace  `json:"place"`
	Offset int          `json:"offset,omitempty"`
	Again  []object.Ref `json:"again,omitempty"`

	// Named is how many differences are named already: a report names
	// [report.MostDifferences], and the rest would only fill the history.
	Named int `json:"named,omitempty"`
}

// VerifyResult is what was found. Of many differences only the first are named.
type VerifyResult struct {
	Next  int                  `json:"next"` // offset of the next objects
	Found replicate.Comparison `json:"found"`

	// More counts the differences that Found does not name.
	More int `json:"more,omitempty"`
}

// verifyPage is how many objects one Verify compares: some ten seconds of work,
// which is what a crash repeats.
const verifyPage = 500

// VerifyList lists both organizations completely and keeps the list in staging
// for [Activities.Verify]. Repeating it makes another list; an old one is purged.
func (a *Activities) VerifyList(ctx context.Context, in VerifyListInput) (VerifyPlace, error) {
	c, err := a.connect(ctx, in.Pair)
	if err != nil {
		return VerifyPlace{}, asTemporalLater(err)
	}
	defer beating(ctx, c.itself, func() any { return "listing both organizations" })()
	place, err := a.verifyList(ctx, c, in.Pair)
	return place, asTemporalLater(err)
}

func (a *Activities) verifyList(ctx context.Context, c *Connection, p object.Pair) (VerifyPlace, error) {
	ids, err := c.Engine.Identities(ctx)
	if err != nil {
		return VerifyPlace{}, err
	}
	survey, err := c.Engine.Survey(ctx)
	if err != nil {
		return VerifyPlace{}, err
	}
	all := survey.All()
	place := VerifyPlace{
		ID: rand.Text(), Queue: a.HostQueue, Total: len(all), Identities: ids,
		DeleteExtras: c.DeleteExtras, Version: a.Version,
	}
	if place.Lacking, err = lacking(ctx, c); err != nil {
		return VerifyPlace{}, err
	}
	owner := verifyOwner(p)
	if err := c.Engine.Staging.PurgeSnapshots(ctx, owner, 24*time.Hour); err != nil {
		return VerifyPlace{}, err
	}
	return place, c.Engine.Staging.PutList(ctx, owner, place.ID, all)
}

func verifyOwner(p object.Pair) string { return "verify/" + p.Replica + "/" + p.Destination }

// lacking counts what one server cannot hold and the other has.
func lacking(ctx context.Context, c *Connection) ([]report.Lacking, error) {
	primary, replica, err := c.Engine.Lacks(ctx)
	if err != nil {
		return nil, err
	}
	var out []report.Lacking
	for _, k := range primary {
		out = append(out, report.Lacking{Side: "primary", Kind: k, Objects: -1})
	}
	for _, k := range replica {
		n := -1
		refs, err := replicate.List(ctx, c.Engine.Primary, object.Scope{Kinds: []object.Kind{k}})
		switch {
		case err == nil:
			n = len(refs)
		case chef.Classify(err) == chef.ClassRetry:
			return nil, fmt.Errorf("primary: %w", err)
		}
		out = append(out, report.Lacking{Side: "replica", Kind: k, Objects: n})
	}
	return out, nil
}

// Verify compares some objects completely, cookbook files included, on both
// sides. It writes nothing. Its heartbeat counts the objects done; a repeated
// attempt begins its objects anew. Returns an error of type [TypeStagingLost] if
// the list is gone: begin with another [Activities.VerifyList].
func (a *Activities) Verify(ctx context.Context, in VerifyInput) (VerifyResult, error) {
	c, err := a.connectTo(ctx, in.Pair, in.Place.Identities)
	if err != nil {
		return VerifyResult{}, asTemporalLater(err)
	}
	defer measure(ctx, "verify")()
	var n counter
	defer beating(ctx, c.itself, n.say)()
	out, err := a.verify(ctx, c, in, &n)
	return out, asTemporalLater(err)
}

func (a *Activities) verify(ctx context.Context, c *Connection, in VerifyInput, n *counter) (VerifyResult, error) {
	look, next, err := a.toLookAt(ctx, c, in)
	if err != nil {
		return VerifyResult{}, err
	}
	opts := replicate.CheckOptions{Files: a.filesOf(in), Listed: len(in.Again) == 0}
	found, err := c.Engine.Check(ctx, look, opts, n.count)
	if err != nil {
		return VerifyResult{}, err
	}
	out := VerifyResult{Next: next, Found: found}
	if room := max(report.MostDifferences-in.Named, 0); len(found.Differences) > room {
		out.Found.Differences, out.More = found.Differences[:room], len(found.Differences)-room
	}
	return out, nil
}

// toLookAt returns the objects of one call, and the offset of the next ones.
func (a *Activities) toLookAt(ctx context.Context, c *Connection, in VerifyInput) ([]object.Change, int, error) {
	if len(in.Again) > 0 {
		look := make([]object.Change, len(in.Again))
		for i, ref := range in.Again {
			look[i] = object.Change{Action: object.ActionUpdate, Ref: ref}
		}
		return look, in.Offset, nil
	}
	to := min(in.Offset+verifyPage, in.Place.Total)
	look, err := c.Engine.Staging.ListPage(ctx, verifyOwner(in.Pair), in.Place.ID, in.Offset, to)
	return look, to, err
}

// filesOf is the memory of files of a verification, so that a content is read
// once. A worker that starts in its middle reads some again. A second look reads
// all of its own: a file may have been mended.
func (a *Activities) filesOf(in VerifyInput) *replicate.FileChecks {
	if len(in.Again) > 0 {
		return &replicate.FileChecks{}
	}
	a.checks.mu.Lock()
	defer a.checks.mu.Unlock()
	if a.checks.of == nil {
		a.checks.of = map[object.Pair]verification{}
	}
	if v := a.checks.of[in.Pair]; v.id == in.Place.ID {
		return v.files
	}
	v := verification{id: in.Place.ID, files: &replicate.FileChecks{}}
	a.checks.of[in.Pair] = v
	return v.files
}

// verification is the latest verification of a pair.
type verification struct {
	id    string
	files *replicate.FileChecks
}
