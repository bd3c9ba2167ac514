package chef

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A CookbookVersion names one version of a cookbook.
type CookbookVersion struct {
	Name string `json:"name"`

	// Version is in the form of lists, always with three numbers. What is
	// stored may be shorter; see [Manifest.Version].
	Version string `json:"version"`
}

// ListCookbooks returns all versions of all cookbooks, sorted by name and by
// version, oldest first. A version in the list need not be a good copy: a
// failed upload may leave a version behind whose files are missing.
// See https://docs.chef.io/server/api_chef_server/#cookbooks.
func (c *Client) ListCookbooks(ctx context.Context) ([]CookbookVersion, error) {
	body, err := c.send(ctx, http.MethodGet, url.Values{"num_versions": {"all"}}, nil, "cookbooks")
	if err != nil {
		return nil, err
	}
	var list map[string]*struct {
		Versions *[]struct {
			Version string `json:"version"`
		} `json:"versions"`
	}
	if !isObject(body) || json.Unmarshal(body, &list) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of cookbooks", "cookbooks")
	}
	out := []CookbookVersion{}
	for name, cookbook := range list {
		if cookbook == nil || cookbook.Versions == nil {
			return nil, c.unexpected(http.MethodGet, "a list of cookbooks without versions", "cookbooks")
		}
		for _, v := range *cookbook.Versions {
			if v.Version == "" {
				return nil, c.unexpected(http.MethodGet, "a list of cookbooks with an empty version", "cookbooks")
			}
			out = append(out, CookbookVersion{Name: name, Version: v.Version})
		}
	}
	slices.SortFunc(out, func(a, b CookbookVersion) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), compareVersions(a.Version, b.Version))
	})
	return out, nil
}

// compareVersions compares dotted numbers by value: 1.9.0 comes before 1.10.0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.ParseUint(as[i], 10, 64)
		y, errY := strconv.ParseUint(bs[i], 10, 64)
		if errX != nil || errY != nil {
			if d := cmp.Compare(as[i], bs[i]); d != 0 {
				return d
			}
			continue
		}
		if d := cmp.Compare(x, y); d != 0 {
			return d
		}
	}
	return cmp.Or(cmp.Compare(len(as), len(bs)), cmp.Compare(a, b))
}

// GetCookbook reads the manifest of one version, in whatever form the server
// has it; [IsNotFound] if there is none. The URLs of its files last for hours,
// mostly: see [ErrURLExpired].
func (c *Client) GetCookbook(ctx context.Context, name, version string) (*Manifest, error) {
	return c.getManifest(ctx, "cookbooks", name, version)
}

// getManifest reads the manifest at a path.
func (c *Client) getManifest(ctx context.Context, names ...string) (*Manifest, error) {
	body, err := c.get(ctx, names...)
	if err != nil {
		return nil, err
	}
	var m Manifest
	switch err := json.Unmarshal(body, &m); {
	case errors.Is(err, ErrManifest):
		return nil, fmt.Errorf("GET /%s: %w", strings.Join(names, "/"), err)
	case err != nil:
		return nil, c.unexpected(http.MethodGet, "JSON that is not a manifest", names...)
	}
	if v := c.apiVersion.Load(); m.segmented && v >= 2 {
		// Versions 0 and 1 leave out files, so this manifest may be incomplete.
		return nil, c.unexpected(http.MethodGet,
			"the manifest of an older API version than was asked for (does a proxy take out X-Ops-Server-API-Version?)", names...)
	}
	return &m, nil
}

// PutCookbookOptions are for [Client.PutCookbook]; the zero value is an
// ordinary upload.
type PutCookbookOptions struct {
	// Force also replaces a version that is frozen. It stays frozen.
	Force bool
}

// PutCookbook creates or replaces a version of a cookbook, under the name and
// version that m holds, and may be repeated. Its files have to be on the server
// already (see [Client.CreateSandbox]), or it fails with [ErrMissingFiles] and
// may leave behind a version without files, or an older one that loses its own.
//
// It fails with [ErrFrozen] if the version is frozen on the server, and with
// [ErrDropsFiles] if the server's API version has no place for some files.
func (c *Client) PutCookbook(ctx context.Context, m *Manifest, o PutCookbookOptions) error {
	name, version := m.CookbookName(), m.Version()
	path, err := objectPath("cookbooks", name, version)
	if err != nil {
		return err
	}
	if _, err := c.APIVersion(ctx); err != nil {
		return fmt.Errorf("put cookbook %s %s: find the API version: %w", name, version, err)
	}
	// A goiardi prints name and version of 1.0 as 1.0.0 and leaves the metadata
	// as they are; every server wants the three to agree with the path.
	m = m.addressed(name, version)
	r := &request{
		method: http.MethodPut,
		path:   c.orgPath(path),
		encode: m.encodeFor,
	}
	if o.Force {
		r.query = url.Values{"force": {"true"}}
	}
	_, err = c.do(ctx, r)
	return err
}

// DeleteCookbook deletes one version, and those of its files that no other
// cookbook of the organization has; [IsNotFound] if there is none.
func (c *Client) DeleteCookbook(ctx context.Context, name, version string) error {
	return c.remove(ctx, "cookbooks", name, version)
}
