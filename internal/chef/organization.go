package chef

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// An Organization is what a server says about one organization.
type Organization struct {
	Name     string `json:"name"`
	FullName string `json:"full_name"`

	// GUID is different on every server, also for organizations of one name;
	// an organization that was deleted and made again has another.
	GUID string `json:"guid"`
}

// GetOrganization reads the client's organization; [ErrOrgNotFound] if there is
// none. A client without organization gets the zero Organization, without
// asking the server.
// See https://docs.chef.io/server/api_chef_server/#organizations.
func (c *Client) GetOrganization(ctx context.Context) (Organization, error) {
	if c.organization == "" {
		return Organization{}, nil
	}
	answer, err := c.DoGlobal(ctx, http.MethodGet, "/organizations/"+url.PathEscape(c.organization), nil, nil)
	if err != nil {
		return Organization{}, err
	}
	var out Organization
	if json.Unmarshal(answer.Body, &out) != nil || out.Name == "" {
		return Organization{}, c.WithOrganization("").unexpected(http.MethodGet,
			"JSON that is not an organization", "organizations", c.organization)
	}
	return out, nil
}

// ListOrganizations returns the names of all organizations of the server, sorted; a
// 403 unless asked by the superuser or a server admin.
func (c *Client) ListOrganizations(ctx context.Context) ([]string, error) {
	return c.global().list(ctx, "organizations")
}

// UpdateOrganization gives the client's organization another full name, the only
// thing that can be changed of it, and may be repeated. A client without
// organization is refused with [ErrInvalid].
func (c *Client) UpdateOrganization(ctx context.Context, fullName string) error {
	if c.organization == "" {
		return invalid("the server has no organizations")
	}
	body := map[string]string{"name": c.organization, "full_name": fullName}
	_, err := c.DoGlobal(ctx, http.MethodPut, "/organizations/"+url.PathEscape(c.organization), nil, body)
	return err
}

// ListMembers returns the names of the users of the organization, sorted. The
// superuser is none of them. Without organization they are all users.
// See https://docs.chef.io/server/api_chef_server/#users.
func (c *Client) ListMembers(ctx context.Context) ([]string, error) {
	if c.organization == "" {
		return c.list(ctx, "users")
	}
	body, err := c.get(ctx, "users")
	if err != nil {
		return nil, err
	}
	var members []*struct {
		User *struct {
			Username string `json:"username"`
		} `json:"user"`
	}
	if json.Unmarshal(body, &members) != nil || members == nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of members", "users")
	}
	names := make([]string, len(members))
	for i, m := range members {
		if m == nil || m.User == nil || m.User.Username == "" {
			return nil, c.unexpected(http.MethodGet, "a list of members without names", "users")
		}
		names[i] = m.User.Username
	}
	slices.Sort(names)
	return names, nil
}
