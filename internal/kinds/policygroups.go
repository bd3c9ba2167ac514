package kinds

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// policyGroups is the handler of the policy groups themselves, which have a name
// and nothing else. Servers make one with its first pointer, and it stays when
// its last one goes.
type policyGroups struct{}

func (policyGroups) Kind() object.Kind { return object.KindPolicyGroup }

func (policyGroups) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "policy_groups")
}

func (policyGroups) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	list, err := c.ListPolicyGroups(ctx)
	if err != nil {
		return nil, err
	}
	return listedAll(object.KindPolicyGroup, slices.Collect(maps.Keys(list)))
}

func (policyGroups) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	pointers, err := c.GetPolicyGroup(ctx, ref.Name)
	if err != nil {
		return Object{}, err
	}
	_, half := pointers[Placeholder]
	return nameOnly(ref, half)
}

// groupTries is how often a group is made that others, who make groups in the
// same way, get into the way of: whoever is done first deletes the policy.
const groupTries = 3

// Create makes an empty policy group. It mostly finds that there is one, because
// the pointers were written before; else it makes one with a pointer to a policy
// that it deletes at once, with the pointer. A crash in between leaves both,
// until the next time a group is made or this one is updated.
func (h policyGroups) Create(ctx context.Context, c *chef.Client, o Object) error {
	for try := 1; ; try++ {
		pointers, err := c.GetPolicyGroup(ctx, o.Ref.Name)
		switch {
		case err == nil && pointers[Placeholder] == "":
			return nil
		case err == nil: // made, by us or by somebody who was interrupted
			return h.clean(ctx, c, o.Ref.Name)
		case !chef.IsNotFound(err):
			return err
		}
		err = c.PutPointer(ctx, o.Ref.Name, Placeholder, placeholderOf(Placeholder))
		switch {
		case err == nil:
			return h.clean(ctx, c, o.Ref.Name)
		case chef.IsConflict(err) && try < groupTries, chef.IsNotFound(err) && try < groupTries:
			// another deletes the policy at this moment
		default:
			return cleanAfter(err, h.clean(ctx, c, o.Ref.Name))
		}
	}
}

// cleanAfter returns why a group was not made, whether or not it was possible to
// clean up.
func cleanAfter(err, cleanErr error) error {
	if cleanErr != nil {
		return fmt.Errorf("%w (and policy %s may be left: %v)", err, Placeholder, cleanErr)
	}
	return err
}

// Update is for what a Create left that was interrupted, and nothing else can
// differ.
func (h policyGroups) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return h.Create(ctx, c, o)
}

// clean removes the placeholder, with all pointers to it. A 404 mostly means that
// another was faster.
func (policyGroups) clean(ctx context.Context, c *chef.Client, group string) error {
	err := c.DeletePolicy(ctx, Placeholder)
	if !chef.IsNotFound(err) {
		return err
	}
	pointers, err := c.GetPolicyGroup(ctx, group)
	if err == nil && pointers[Placeholder] != "" {
		return stillThere(object.NewRef(object.KindPolicy, Placeholder))
	}
	return err
}

func (policyGroups) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeletePolicyGroup(ctx, ref.Name)
}

// Contents returns the group's pointers.
func (policyGroups) Contents(ctx context.Context, c *chef.Client, ref object.Ref) ([]object.Ref, error) {
	pointers, err := c.GetPolicyGroup(ctx, ref.Name)
	if chef.IsNotFound(err) {
		return nil, nil
	}
	return contents(object.KindPolicyPointer, ref.Name, slices.Sorted(maps.Keys(pointers)), err)
}

// pointers is the handler of which revision of a policy a group uses. A pointer's
// body is the whole revision, because that is what is written; what it says is the
// revision's id.
type pointers struct{}

func (pointers) Kind() object.Kind { return object.KindPolicyPointer }

func (pointers) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "policy_groups")
}

func (pointers) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	groups, err := c.ListPolicyGroups(ctx)
	if err != nil {
		return nil, err
	}
	list := make(map[string][]string, len(groups))
	for group, of := range groups {
		list[group] = slices.Collect(maps.Keys(of))
	}
	return subsOf(object.KindPolicyPointer, list)
}

func (pointers) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	raw, err := c.GetPointer(ctx, ref.Name, ref.Sub)
	if err != nil {
		return Object{}, err
	}
	doc, err := decodeObject(ref, raw)
	if err != nil {
		return Object{}, err
	}
	id, _ := doc["revision_id"].(string)
	if id == "" {
		return Object{}, fmt.Errorf("read %s: %w: a revision without an id", ref, chef.ErrWrongObject)
	}
	return Object{Ref: ref, Raw: raw, Digest: plan.DigestValue(map[string]any{"revision_id": id})}, nil
}

func (pointers) Create(ctx context.Context, c *chef.Client, o Object) error {
	return c.PutPointer(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
}

func (pointers) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	return c.PutPointer(ctx, o.Ref.Name, o.Ref.Sub, o.Raw)
}

func (pointers) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeletePointer(ctx, ref.Name, ref.Sub)
}

// Ready returns [ErrNotReady] if a cookbook artifact that the revision locks is
// not on the replica: no server checks that, and every node of the group would
// fail.
func (pointers) Ready(ctx context.Context, r *Replica, o Object) error {
	var revision struct {
		Locks map[string]struct {
			Identifier string `json:"identifier"`
		} `json:"cookbook_locks"`
	}
	if err := json.Unmarshal(o.Raw, &revision); err != nil {
		return fmt.Errorf("put %s: %w: its cookbook_locks cannot be read", o.Ref, chef.ErrWrongObject)
	}
	if len(revision.Locks) == 0 {
		return nil
	}
	held, err := r.Artifacts(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for cookbook, lock := range revision.Locks {
		if ref := object.NewRef(object.KindArtifact, cookbook, lock.Identifier); !held[ref] {
			missing = append(missing, ref.Path())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("put %s: %w: %s", o.Ref, ErrNotReady, FirstFew(missing))
}

// FirstFew names three, and says how many more there are.
func FirstFew(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
