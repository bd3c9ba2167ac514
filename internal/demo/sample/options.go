package sample

import (
	"context"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// DefaultParallel is how many requests [Load] has in flight. More gives no more
// speed on a server of two cores.
const DefaultParallel = 4

// DefaultPolicies is how many policies [Load] writes. With these come 2 or 3
// revisions each, and the cookbook artifacts that they lock.
const DefaultPolicies = 3

// Options says which part of the sample is meant, and how fast it is loaded.
// The zero value is all of it, at [DefaultParallel].
type Options struct {
	// Segments leaves out what a server of API version 0 or 1 cannot hold:
	// cookbook files outside the nine classic segments. It also leaves out three
	// objects that goiardi, the one such server in use, refuses or changes, and
	// all policies: goiardi has none.
	Segments bool

	// Policies is the number of policies; 0 means [DefaultPolicies], and less
	// than 0 none. Without policies there are no cookbook artifacts and no
	// policy groups.
	Policies int

	// Parallel is the most requests in flight; 0 means [DefaultParallel]. A
	// goiardi without a database needs 1: it loses writes that come side by
	// side.
	Parallel int
}

// SkipFor returns the options for a server that speaks an API version, as
// [chef.Client.APIVersion] tells it.
func SkipFor(apiVersion int) Options { return Options{Segments: apiVersion < 2} }

// optionsFor asks the server.
func optionsFor(ctx context.Context, c *chef.Client) (Options, error) {
	v, err := c.APIVersion(ctx)
	if err != nil {
		return Options{}, fmt.Errorf("find the API version: %w", err)
	}
	return SkipFor(v), nil
}

// Counts is the size of the sample.
type Counts struct {
	Cookbooks        int // names
	CookbookVersions int
	CookbookFiles    int // entries of manifests
	Blobs            int // distinct contents of files
	Roles            int
	Environments     int // without _default
	DataBags         int
	DataBagItems     int
	Artifacts        int
	Policies         int
	PolicyRevisions  int
	PolicyGroups     int
	PolicyPointers   int // revisions that groups point to
}

// Objects is the number of objects that a replicator has to copy.
func (c Counts) Objects() int {
	return c.CookbookVersions + c.Roles + c.Environments + c.DataBags + c.DataBagItems +
		c.Artifacts + c.Policies + c.PolicyRevisions + c.PolicyGroups + c.PolicyPointers
}

// Count returns the size of the part of the sample that o means.
func Count(o Options) (Counts, error) {
	r, err := readRepo(o)
	if err != nil {
		return Counts{}, err
	}
	out := Counts{
		CookbookVersions: len(r.cookbooks),
		Blobs:            len(r.blobs()),
		Roles:            len(r.roles),
		Environments:     len(r.environments),
		DataBags:         len(r.bags),
		Artifacts:        len(r.artifacts),
		Policies:         len(r.policies),
	}
	for _, p := range r.policies {
		out.PolicyRevisions += len(p.revisions)
	}
	if out.Policies > 0 {
		out.PolicyGroups = len(policyGroups)
		out.PolicyPointers = (len(policyGroups) - 1) * out.Policies // One group is empty.
	}
	names := map[string]bool{}
	for _, cb := range r.cookbooks {
		names[cb.name] = true
		out.CookbookFiles += len(cb.files)
	}
	out.Cookbooks = len(names)
	for _, b := range r.bags {
		out.DataBagItems += len(b.items)
	}
	return out, nil
}
