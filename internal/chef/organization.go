package chef

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
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
