package chef

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// ListPolicyGroups returns which revision each policy group uses of each policy:
// group, policy, revision id. A group without pointers has an empty map.
// See https://docs.chef.io/server/api_chef_server/#policy_groups.
func (c *Client) ListPolicyGroups(ctx context.Context) (map[string]map[string]string, error) {
	body, err := c.get(ctx, "policy_groups")
	if err != nil {
		return nil, err
	}
	var list map[string]json.RawMessage
	if !isObject(body) || json.Unmarshal(body, &list) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of policy groups", "policy_groups")
	}
	out := make(map[string]map[string]string, len(list))
	for group, raw := range list {
		pointers, ok := pointersOf(raw)
		if !ok {
			return nil, c.unexpected(http.MethodGet, "a list of policy groups without URLs or revisions", "policy_groups")
		}
		out[group] = pointers
	}
	return out, nil
}

// pointersOf reads one policy group. Without pointers it may lack the key
// policies, but not its URL: so an error text is none.
func pointersOf(raw json.RawMessage) (revisions map[string]string, ok bool) {
	var group map[string]json.RawMessage
	if json.Unmarshal(raw, &group) != nil || !strings.Contains(stringAt(group, "uri"), "/") {
		return nil, false
	}
	revisions = map[string]string{}
	text, has := group["policies"]
	if !has {
		return revisions, true
	}
	var policies map[string]*struct {
		RevisionID string `json:"revision_id"`
	}
	if json.Unmarshal(text, &policies) != nil || !areObjects(policies) {
		return nil, false
	}
	for name, p := range policies {
		if p.RevisionID == "" {
			return nil, false
		}
		revisions[name] = p.RevisionID
	}
	return revisions, true
}

// GetPolicyGroup returns the revision ids that a policy group uses, by policy;
// [IsNotFound] if there is no such group.
func (c *Client) GetPolicyGroup(ctx context.Context, group string) (map[string]string, error) {
	body, err := c.get(ctx, "policy_groups", group)
	if err != nil {
		return nil, err
	}
	pointers, ok := pointersOf(body)
	if !ok {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a policy group", "policy_groups", group)
	}
	return pointers, nil
}

// GetPointer returns the whole revision that a policy group uses of a policy, as
// it is stored; [IsNotFound] if it uses none. A policy_group_list in it, stored
// by somebody who copied one, is left out.
func (c *Client) GetPointer(ctx context.Context, group, policy string) (json.RawMessage, error) {
	raw, err := c.getObject(ctx, "name", "policy_groups", group, "policies", policy)
	if err != nil {
		return nil, err
	}
	return withoutGroups(raw)
}

// PutPointer makes a policy group use the revision that body is, and creates
// what is missing of group, policy and revision; it may be repeated. Of a
// revision that exists only the id counts: what else body says is dropped, and
// the server's answer repeats it all the same. [ErrInvalid] if body is of another
// policy.
func (c *Client) PutPointer(ctx context.Context, group, policy string, body json.RawMessage) error {
	if err := checkName(body, "name", policy); err != nil {
		return err
	}
	body, err := withoutGroups(body)
	if err != nil {
		return invalid("the body for policy %q is not a JSON object", policy)
	}
	return c.write(ctx, http.MethodPut, body, "policy_groups", group, "policies", policy)
}

// DeletePointer makes a policy group use no revision of a policy, and leaves
// group, policy and revision; [IsNotFound] if it uses none.
func (c *Client) DeletePointer(ctx context.Context, group, policy string) error {
	return c.remove(ctx, "policy_groups", group, "policies", policy)
}

// DeletePolicyGroup deletes a policy group with its pointers, and no policy;
// [IsNotFound] if there is none.
func (c *Client) DeletePolicyGroup(ctx context.Context, group string) error {
	return c.remove(ctx, "policy_groups", group)
}
