package chef

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// An ArtifactVersion names one cookbook artifact: a cookbook as policies use it.
type ArtifactVersion struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
}

// ListArtifacts returns all cookbook artifacts, sorted by name and identifier.
// See https://docs.chef.io/server/api_chef_server/#cookbook_artifacts.
func (c *Client) ListArtifacts(ctx context.Context) ([]ArtifactVersion, error) {
	body, err := c.get(ctx, "cookbook_artifacts")
	if err != nil {
		return nil, err
	}
	var list map[string]*struct {
		Versions *[]struct {
			Identifier string `json:"identifier"`
		} `json:"versions"`
	}
	if !isObject(body) || json.Unmarshal(body, &list) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of cookbook artifacts", "cookbook_artifacts")
	}
	out := []ArtifactVersion{}
	for name, artifact := range list {
		if artifact == nil || artifact.Versions == nil {
			return nil, c.unexpected(http.MethodGet, "a list of cookbook artifacts without versions", "cookbook_artifacts")
		}
		for _, v := range *artifact.Versions {
			if v.Identifier == "" {
				return nil, c.unexpected(http.MethodGet, "a list of cookbook artifacts with an empty identifier", "cookbook_artifacts")
			}
			out = append(out, ArtifactVersion{Name: name, Identifier: v.Identifier})
		}
	}
	slices.SortFunc(out, func(a, b ArtifactVersion) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Identifier, b.Identifier))
	})
	return out, nil
}

// GetArtifact reads the manifest of one cookbook artifact, in whatever form the
// server has it; [IsNotFound] if there is none. The URLs of its files expire, as
// those of [Client.GetCookbook].
func (c *Client) GetArtifact(ctx context.Context, name, identifier string) (*Manifest, error) {
	m, err := c.getManifest(ctx, "cookbook_artifacts", name, identifier)
	if err != nil {
		return nil, err
	}
	if m.CookbookName() != name || m.Identifier() != identifier {
		return nil, fmt.Errorf("GET /cookbook_artifacts/%s/%s: %w: its name or identifier is another", name, identifier, ErrWrongObject)
	}
	return m, nil
}

// PutArtifact creates a cookbook artifact under the name and identifier that m
// holds; [IsConflict] if there is one, which no server ever changes. Whether its
// content is the same nobody has compared: an identifier is a hash by convention
// only.
//
// Its files have to be on the server already, or it fails with
// [ErrMissingFiles] and leaves nothing behind. It fails with [ErrDropsFiles] if
// the server's API version has no place for some files.
func (c *Client) PutArtifact(ctx context.Context, m *Manifest) error {
	name, identifier := m.CookbookName(), m.Identifier()
	path, err := objectPath("cookbook_artifacts", name, identifier)
	if err != nil {
		return err
	}
	if _, err := c.APIVersion(ctx); err != nil {
		return fmt.Errorf("put cookbook artifact %s %s: find the API version: %w", name, identifier, err)
	}
	_, err = c.do(ctx, &request{method: http.MethodPut, path: c.orgPath(path), encode: m.encodeFor})
	return err
}

// DeleteArtifact deletes a cookbook artifact, also one that a policy revision
// needs, and those of its files that no other cookbook of the organization has;
// [IsNotFound] if there is none.
func (c *Client) DeleteArtifact(ctx context.Context, name, identifier string) error {
	return c.remove(ctx, "cookbook_artifacts", name, identifier)
}
