package kinds

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// policies is the handler of the policies themselves, which have a name and
// nothing else. Servers make one with its first revision, and it stays when its
// last one goes; then erchef does not list it any more.
type policies struct{}

func (policies) Kind() object.Kind { return object.KindPolicy }

func (policies) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "policies")
}

func (policies) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	list, err := c.ListPolicies(ctx)
	if err != nil {
		return nil, err
	}
	return listedAll(object.KindPolicy, slices.Collect(maps.Keys(list)))
}

func (policies) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	revisions, err := c.GetPolicy(ctx, ref.Name)
	if err != nil {
		return Object{}, err
	}
	return nameOnly(ref, slices.Contains(revisions, Placeholder))
}

// Create makes an empty policy. It mostly finds that there is one, because the
// revisions were written before; else it makes one with a revision that it
// deletes at once. A crash in between leaves that revision, until the next Create
// or Update of the same policy.
func (h policies) Create(ctx context.Context, c *chef.Client, o Object) error {
	revisions, err := c.GetPolicy(ctx, o.Ref.Name)
	switch {
	case chef.IsNotFound(err):
		err := c.CreatePolicyRevision(ctx, o.Ref.Name, placeholderOf(o.Ref.Name))
		if err != nil && !chef.IsConflict(err) { // a conflict: somebody does the same
			return err
		}
	case err != nil:
		return err
	case !slices.Contains(revisions, Placeholder):
		return nil
	}
	return h.clean(ctx, c, o.Ref.Name)
}

// Update is for what a Create left that was interrupted, and nothing else can
// differ.
func (h policies) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return h.Create(ctx, c, o)
}

// clean removes the placeholder revision. A 404 may mean that there is no policy.
func (policies) clean(ctx context.Context, c *chef.Client, name string) error {
	err := c.DeletePolicyRevision(ctx, name, Placeholder)
	if !chef.IsNotFound(err) {
		return err
	}
	revisions, err := c.GetPolicy(ctx, name)
	if err == nil && slices.Contains(revisions, Placeholder) {
		return stillThere(object.NewRef(object.KindPolicyRevision, name, Placeholder))
	}
	return err
}

func (policies) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeletePolicy(ctx, ref.Name)
}

// Contents returns the policy's revisions.
func (policies) Contents(ctx context.Context, c *chef.Client, ref object.Ref) ([]object.Ref, error) {
	ids, err := c.GetPolicy(ctx, ref.Name)
	if chef.IsNotFound(err) {
		return nil, nil
	}
	return contents(object.KindPolicyRevision, ref.Name, ids, err)
}

// contents makes the refs of what an object holds.
func contents(k object.Kind, name string, subs []string, err error) ([]object.Ref, error) {
	if err != nil {
		return nil, err
	}
	var refs []object.Ref
	for _, sub := range subs {
		if sub == Placeholder && k != object.KindDataBagItem {
			continue
		}
		ref, err := listed(k, name, sub)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// nameOnly is an object that has a name and nothing else. One that was left
// half-made equals none that is complete.
func nameOnly(ref object.Ref, half bool) (Object, error) {
	v := map[string]any{"name": ref.Name}
	if half {
		v[Placeholder] = true
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return Object{}, err
	}
	return Object{Ref: ref, Raw: raw, Digest: plan.DigestValue(v)}, nil
}

// policyRevisions is the handler of the revisions of policies, which are never
// changed.
type policyRevisions struct{}

func (policyRevisions) Kind() object.Kind { return object.KindPolicyRevision }

func (policyRevisions) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "policies")
}

func (policyRevisions) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	list, err := c.ListPolicies(ctx)
	if err != nil {
		return nil, err
	}
	return subsOf(object.KindPolicyRevision, list)
}

// subsOf makes the refs of a list of lists.
func subsOf(k object.Kind, list map[string][]string) ([]object.Ref, error) {
	var refs []object.Ref
	for name, subs := range list {
		more, err := contents(k, name, subs, nil)
		if err != nil {
			return nil, err
		}
		refs = append(refs, more...)
	}
	return refs, nil
}

func (policyRevisions) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	raw, err := c.GetPolicyRevision(ctx, ref.Name, ref.Sub)
	if err != nil {
		return Object{}, err
	}
	doc, err := decodeObject(ref, raw)
	if err != nil {
		return Object{}, err
	}
	delete(doc, "policy_group") // some servers store it and others take it out
	return Object{Ref: ref, Raw: raw, Digest: plan.DigestValue(doc), Frozen: true}, nil
}

func (policyRevisions) Create(ctx context.Context, c *chef.Client, o Object) error {
	return c.CreatePolicyRevision(ctx, o.Ref.Name, o.Raw)
}

func (h policyRevisions) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return unchanged(ctx, h, c, o)
}

// Replace writes the revision through the pointers that its delete took along: a
// pointer that is written makes the revision that it names.
func (h policyRevisions) Replace(ctx context.Context, c *chef.Client, o Object, back bool) error {
	taken, err := h.Takes(ctx, c, o.Ref)
	if err != nil {
		return err
	}
	if err := Delete(ctx, c, o.Ref); err != nil {
		return err
	}
	if err := h.Create(ctx, c, o); err != nil && !chef.IsConflict(err) {
		return err
	}
	if !back {
		return nil
	}
	for _, pointer := range taken {
		if err := c.PutPointer(ctx, pointer.Name, o.Ref.Name, o.Raw); err != nil {
			return err
		}
	}
	return nil
}

// Takes returns the pointers at a revision.
func (policyRevisions) Takes(ctx context.Context, c *chef.Client, ref object.Ref) ([]object.Ref, error) {
	groups, err := c.ListPolicyGroups(ctx)
	if err != nil {
		return nil, err
	}
	var out []object.Ref
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		if groups[group][ref.Name] == ref.Sub {
			out = append(out, object.NewRef(object.KindPolicyPointer, group, ref.Name))
		}
	}
	return out, nil
}

func (policyRevisions) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeletePolicyRevision(ctx, ref.Name, ref.Sub)
}

// placeholderOf is a revision with as little as servers accept.
func placeholderOf(policy string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"revision_id":%q,"name":%q,"run_list":[],"cookbook_locks":{}}`, Placeholder, policy))
}
