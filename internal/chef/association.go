package chef

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"slices"
)

// An Invitation is one of a user into an organization that was not answered yet.
type Invitation struct {
	ID           string
	User         string
	Organization string
}

// AddMember makes a user a member of the organization without asking it, which
// only the superuser may; [IsConflict] if it is one, [IsNotFound] if there is no
// such user.
// See https://docs.chef.io/server/api_chef_server/#organizations.
func (c *Client) AddMember(ctx context.Context, user string) error {
	return c.write(ctx, http.MethodPost, map[string]string{"username": user}, "users")
}

// Invite invites a user into the organization, which needs the permission update
// on it; [IsConflict] if the user is a member or invited already, [IsNotFound] if
// there is no such user.
func (c *Client) Invite(ctx context.Context, user string) (Invitation, error) {
	body, err := c.send(ctx, http.MethodPost, nil, map[string]string{"user": user}, "association_requests")
	if IsConflict(err) && isUncertain(err) { // ours, whose answer was lost
		open, listErr := c.ListInvitations(ctx)
		if listErr != nil {
			return Invitation{}, listErr
		}
		if n := slices.IndexFunc(open, func(i Invitation) bool { return i.User == user }); n >= 0 {
			return open[n], nil
		}
	}
	if err != nil {
		return Invitation{}, err
	}
	var answer struct {
		URI string `json:"uri"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.URI == "" {
		return Invitation{}, c.unexpected(http.MethodPost, "JSON that names no invitation", "association_requests")
	}
	return Invitation{ID: path.Base(answer.URI), User: user, Organization: c.organization}, nil
}

// ListInvitations returns the open invitations into the organization.
func (c *Client) ListInvitations(ctx context.Context) ([]Invitation, error) {
	return c.invitations(ctx, "association_requests")
}

// ListOwnInvitations returns the open invitations of the user who signs, into
// whatever organization.
func (c *Client) ListOwnInvitations(ctx context.Context) ([]Invitation, error) {
	return c.global().invitations(ctx, "users", c.User(), "association_requests")
}

// invitations reads a list in which either the user or the organization is named.
func (c *Client) invitations(ctx context.Context, names ...string) ([]Invitation, error) {
	body, err := c.get(ctx, names...)
	if err != nil {
		return nil, err
	}
	var list []*struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		OrgName  string `json:"orgname"`
	}
	if json.Unmarshal(body, &list) != nil || list == nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of invitations", names...)
	}
	out := make([]Invitation, len(list))
	for i, v := range list {
		if v == nil || v.ID == "" || v.Username == "" && v.OrgName == "" {
			return nil, c.unexpected(http.MethodGet, "a list of invitations of nobody", names...)
		}
		out[i] = Invitation{ID: v.ID, User: v.Username, Organization: v.OrgName}
		if out[i].User == "" {
			out[i].User = c.User()
		} else {
			out[i].Organization = c.organization
		}
	}
	return out, nil
}

// AcceptInvitation makes the user who signs a member of the organization that
// invited it; [IsNotFound] if the invitation was answered or taken back. It is
// refused with 403 if whoever sent it has lost the right to.
func (c *Client) AcceptInvitation(ctx context.Context, id string) error {
	err := c.global().write(ctx, http.MethodPut, map[string]string{"response": "accept"}, "users", c.User(), "association_requests", id)
	if IsNotFound(err) && isUncertain(err) {
		return nil
	}
	return err
}
