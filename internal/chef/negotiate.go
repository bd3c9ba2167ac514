package chef

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

const (
	// newestAPIVersion is the newest version of the API that we speak; all
	// down to 0 will do. Version 2 is the first that holds every file of a
	// cookbook. See https://docs.chef.io/server/api_chef_server/#api-versions.
	newestAPIVersion = 2

	versionUnknown = -1

	// versionHeader carries our version in requests, and what the server
	// supports in answers.
	versionHeader = "X-Ops-Server-Api-Version"
)

// requestVersion is the API version to send: the newest until known better. A
// server that has never heard of versions ignores it.
func (c *Client) requestVersion() int {
	if v := c.apiVersion.Load(); v != versionUnknown {
		return int(v)
	}
	return newestAPIVersion
}

// negotiate learns from an answer which versions the server supports, and
// reports whether it was refused for a version that it does not and is worth
// sending again with another one.
func (c *Client) negotiate(status int, h http.Header, body []byte, used int) bool {
	oldest, newest, ok := parseVersionRange([]byte(h.Get(versionHeader)))
	if !ok && status == http.StatusNotAcceptable {
		oldest, newest, ok = parseVersionRange(body)
	}
	if !ok || oldest > newestAPIVersion {
		return false
	}
	version := min(newest, newestAPIVersion)
	c.apiVersion.Store(int32(version))
	return status == http.StatusNotAcceptable && version != used
}

// parseVersionRange reads the two spellings in which servers state what they
// support: {"min_version":"0","max_version":"2",…} in the header and in 406
// answers, with strings or numbers, and {"min_api_version":0,"max_api_version":2}.
func parseVersionRange(text []byte) (oldest, newest int, ok bool) {
	var v struct {
		Min    flexInt `json:"min_version"`
		Max    flexInt `json:"max_version"`
		MinAPI flexInt `json:"min_api_version"`
		MaxAPI flexInt `json:"max_api_version"`
	}
	v.Max, v.MaxAPI = -1, -1
	if json.Unmarshal(text, &v) != nil {
		return 0, 0, false
	}
	oldest, newest = max(int(v.Min), int(v.MinAPI)), max(int(v.Max), int(v.MaxAPI))
	return oldest, newest, newest >= oldest && newest >= 0
}

// A flexInt is a number that may come as a string.
type flexInt int

func (i *flexInt) UnmarshalJSON(text []byte) error {
	if string(text) == "null" { // says nothing, and is not 0
		return nil
	}
	var n int
	if err := json.Unmarshal([]byte(strings.Trim(string(text), `"`)), &n); err != nil {
		return err
	}
	*i = flexInt(n)
	return nil
}

// APIVersion returns the API version in use with the server, 0 to 2. It asks
// the server if no answer has told so far, and remembers it.
//
//	the server                            version
//	states its range                      its newest, at most 2
//	answers the question with empty 200   1 (goiardi)
//	does not know the question: 404       0 (Chef Server 12.0)
func (c *Client) APIVersion(ctx context.Context) (int, error) {
	if v := c.apiVersion.Load(); v != versionUnknown {
		return int(v), nil
	}
	answer, err := c.DoGlobal(ctx, http.MethodGet, "/server_api_version", nil, nil)
	if v := c.apiVersion.Load(); v != versionUnknown && (err == nil || errors.Is(err, ErrNoRoute)) {
		return int(v), nil
	}
	var e *APIError
	version := versionUnknown
	switch {
	case err == nil:
		oldest, newest, ok := parseVersionRange(answer.Body)
		if !ok || oldest > newestAPIVersion {
			return 0, c.WithOrganization("").unexpected(http.MethodGet, "no range of API versions", "server_api_version")
		}
		version = min(newest, newestAPIVersion)
	case errors.As(err, &e) && e.Status == http.StatusOK && e.empty:
		version = 1
	case errors.As(err, &e) && e.Status == http.StatusNotFound && !errors.Is(err, ErrOrgNotFound):
		version = 0
	default:
		return 0, err
	}
	c.apiVersion.CompareAndSwap(versionUnknown, int32(version))
	return version, nil
}
