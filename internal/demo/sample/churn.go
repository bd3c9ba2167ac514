package sample

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// A Churn makes small changes to an organization that holds the sample, of the
// kind that people make: it edits attributes, hires and dismisses, releases and
// freezes cookbook versions, opens and closes environments.
//
// It changes nothing but objects of the sample and such as it has made, deletes
// only the latter, and has at most [MaxExtra] of them at a time. What somebody
// else has deleted or frozen meanwhile it leaves alone, and of what somebody
// else has edited it keeps the rest.
//
// A Churn is not safe for concurrent use.
type Churn struct {
	client *chef.Client
	rng    *rand.Rand
	repo   *repo // nil before the first step
	next   int   // the place in the order of changes
	hired  int   // gives everybody a uid

	items, roles, environments, bags pool

	versions []madeVersion  // oldest first
	minors   map[string]int // the last minor number by cookbook
}

// MaxExtra is the most objects, data bags and cookbook versions included, that
// an organization has beyond the sample while one [Churn] changes it.
const MaxExtra = 28

// NewChurn returns a Churn for the client's organization. Two with one seed
// make the same changes, if nobody else makes any. It does not talk to the
// server yet.
func NewChurn(c *chef.Client, seed uint64) *Churn {
	return &Churn{
		client:       c,
		rng:          rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // nothing is secret here
		items:        newPool(4, people),
		roles:        newPool(1, workers),
		environments: newPool(1, branches),
		bags:         newPool(1, campaigns),
		minors:       map[string]int{"webshop": 10, "monitoring": 0},
	}
}

// A change makes one change and says which; it says nothing if there was no
// occasion for it.
type change func(*Churn, context.Context) (string, error)

// changes are made in turn. Each round makes one thing of a kind and, once there
// are enough, deletes one: unless steps fail, about half of [MaxExtra] are there.
var changes = []change{
	(*Churn).editRole,
	(*Churn).addItem,
	(*Churn).editItem,
	(*Churn).addVersion,
	(*Churn).editEnvironment,
	(*Churn).editRecipe,
	(*Churn).addEnvironment,
	(*Churn).addRole,
	(*Churn).deleteItem,
	(*Churn).freezeVersion,
	(*Churn).addBag,
	(*Churn).deleteEnvironment,
	(*Churn).editItem,
	(*Churn).deleteVersion,
	(*Churn).deleteRole,
	(*Churn).deleteBag,
}

// errNothing cannot happen as long as the sample is there.
var errNothing = errors.New("nothing of the sample is left to be changed")

// Step makes one change and returns a sentence about it for people, such as
// "role web_server: worker_processes 4 -> 8".
//
// After an error the next step goes on with another kind of change, so that one
// refusal does not end all changes. The change of a failed step may or may not
// have been made; both are fine for those that follow.
func (ch *Churn) Step(ctx context.Context) (string, error) {
	if err := ch.prepare(ctx); err != nil {
		return "", fmt.Errorf("change the sample: %w", err)
	}
	for range changes {
		do := changes[ch.next%len(changes)]
		ch.next++
		said, err := do(ch, ctx)
		switch {
		case chef.IsNotFound(err) || chef.IsConflict(err):
			continue // somebody else was here
		case err != nil:
			return "", fmt.Errorf("change the sample: %w", err)
		case said != "":
			return said, nil
		}
	}
	return "", fmt.Errorf("change the sample: %w", errNothing)
}

// prepare reads the part of the sample that the server can hold.
func (ch *Churn) prepare(ctx context.Context) error {
	if ch.repo != nil {
		return nil
	}
	o, err := optionsFor(ctx, ch.client)
	if err != nil {
		return err
	}
	ch.repo, err = readRepo(o)
	return err
}

// A pool is what a Churn may make of one kind. Names come from a fixed set, so
// that there cannot be more, also after changes of which nobody knows whether
// they were made.
type pool struct {
	free  []thing // sorted
	held  []thing // oldest first
	least int     // so many are held before the first one goes
}

// A thing is what a pool has: a name, and how people call it.
type thing struct{ name, label string }

func newPool(least int, things []thing) pool { return pool{free: slices.Clone(things), least: least} }

// take moves one of the free things to those held, before it is made: should
// that fail half way, it will be deleted all the same.
func (p *pool) take(rng *rand.Rand) (thing, bool) {
	if len(p.free) == 0 {
		return thing{}, false
	}
	i := rng.IntN(len(p.free))
	t := p.free[i]
	p.free = slices.Delete(p.free, i, i+1)
	p.held = append(p.held, t)
	return t, true
}

// oldest is what is to go next, if anything.
func (p *pool) oldest() (thing, bool) {
	if len(p.held) <= p.least {
		return thing{}, false
	}
	return p.held[0], true
}

// gone moves the oldest back, if deleting it ended with err: it is gone also if
// it never was there.
func (p *pool) gone(err error) {
	if err == nil || chef.IsNotFound(err) {
		p.free = append(p.free, p.held[0])
		p.held = p.held[1:]
	}
}
