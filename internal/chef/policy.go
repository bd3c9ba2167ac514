package chef

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// ListPolicies returns the policies and the ids of their revisions, sorted.
// erchef makes this list out of the revisions: a policy without any is not in it,
// although it exists; see [Client.GetPolicy].
// See https://docs.chef.io/server/api_chef_server/#policies.
func (c *Client) ListPolicies(ctx context.Context) (map[string][]string, error) {
	body, err := c.get(ctx, "policies")
	if err != nil {
		return nil, err
	}
	var list map[string]struct {
		URI       string               `json:"uri"`
		Revisions map[string]*struct{} `json:"revisions"`
	}
	if !isObject(body) || json.Unmarshal(body, &list) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of policies", "policies")
	}
	out := make(map[string][]string, len(list))
	for name, policy := range list {
		if !strings.Contains(policy.URI, "/") || !areObjects(policy.Revisions) {
			return nil, c.unexpected(http.MethodGet, "a list of policies without URLs or revisions", "policies")
		}
		out[name] = slices.Sorted(maps.Keys(policy.Revisions))
	}
	return out, nil
}

// areObjects reports whether a map was there, with an object under every name.
func areObjects[T any](entries map[string]*T) bool {
	if entries == nil {
		return false
	}
	for name, e := range entries {
		if name == "" || e == nil {
			return false
		}
	}
	return true
}

// GetPolicy returns the ids of a policy's revisions, sorted; there may be none.
// [IsNotFound] if there is no such policy.
func (c *Client) GetPolicy(ctx context.Context, name string) (revisions []string, err error) {
	body, err := c.get(ctx, "policies", name)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	var ids map[string]*struct{}
	switch {
	case !isObject(body) || json.Unmarshal(body, &keys) != nil:
	case len(keys) == 0: // so erchef says that there are none
		return []string{}, nil
	case json.Unmarshal(keys["revisions"], &ids) == nil && areObjects(ids):
		return slices.Sorted(maps.Keys(ids)), nil
	}
	return nil, c.unexpected(http.MethodGet, "JSON that is not a list of revisions", "policies", name)
}

// GetPolicyRevision returns a revision as it is stored, without the list of
// policy groups that erchef adds (of all organizations, and it would store what
// it is sent back); [IsNotFound] if there is no such policy or revision.
func (c *Client) GetPolicyRevision(ctx context.Context, policy, id string) (json.RawMessage, error) {
	raw, err := c.getObject(ctx, "revision_id", "policies", policy, "revisions", id)
	if err != nil {
		return nil, err
	}
	if err := checkName(raw, "name", policy); err != nil {
		return nil, fmt.Errorf("GET /policies/%s/revisions/%s: %w: its name is another", policy, id, ErrWrongObject)
	}
	return withoutGroups(raw)
}

// groupList is what erchef adds to revisions that are read, since 14.10.
const groupList = "policy_group_list"

// withoutGroups takes the groupList out of a revision, and leaves one without as
// it is.
func withoutGroups(raw json.RawMessage) (json.RawMessage, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, err
	}
	if _, has := keys[groupList]; !has {
		return raw, nil
	}
	delete(keys, groupList)
	return encodeJSON(keys)
}

// CreatePolicyRevision creates the revision that body describes, and its policy
// where that is missing; [IsConflict] if it exists, which no server ever changes.
// [ErrInvalid] if body is of another policy.
func (c *Client) CreatePolicyRevision(ctx context.Context, policy string, body json.RawMessage) error {
	if err := checkName(body, "name", policy); err != nil {
		return err
	}
	body, err := withoutGroups(body)
	if err != nil {
		return invalid("the body for a revision of policy %q is not a JSON object", policy)
	}
	return c.write(ctx, http.MethodPost, body, "policies", policy, "revisions")
}

// DeletePolicyRevision deletes a revision and the pointers to it, and leaves the
// policy, even if it has no other; [IsNotFound] if there is none.
func (c *Client) DeletePolicyRevision(ctx context.Context, policy, id string) error {
	return c.remove(ctx, "policies", policy, "revisions", id)
}

// DeletePolicy deletes a policy with all its revisions and all pointers to them;
// [IsNotFound] if there is none.
func (c *Client) DeletePolicy(ctx context.Context, name string) error {
	return c.remove(ctx, "policies", name)
}
