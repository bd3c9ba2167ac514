package chef

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// A Sandbox is where files are brought to a server before the cookbooks that
// have them. It may be stored and used by another process.
// See https://docs.chef.io/server/api_chef_server/#sandboxes.
type Sandbox struct {
	ID string `json:"id"`

	// Uploads has the MD5 of each file that the server lacks, and the URL to
	// upload it to; usable for 15 minutes, mostly, and a secret while it lasts.
	Uploads map[string]string `json:"uploads"`
}

// CreateSandbox asks which of the given files, by MD5 in hex, the server lacks.
// Files of many cookbooks may share a sandbox; 20,000 fit in the smallest limit
// on bodies that servers have. Repeating it makes another sandbox, which is
// harmless: those that are never committed are forgotten. [ErrInvalid] without
// any checksum.
func (c *Client) CreateSandbox(ctx context.Context, md5s []string) (*Sandbox, error) {
	wanted := map[string]*struct{}{}
	for _, sum := range md5s {
		sum = strings.ToLower(sum)
		if !isMD5(sum) {
			return nil, invalid("%q is not an MD5", sum)
		}
		wanted[sum] = nil
	}
	if len(wanted) == 0 {
		return nil, invalid("a sandbox needs a checksum")
	}
	body, err := c.send(ctx, http.MethodPost, nil, map[string]any{"checksums": wanted}, "sandboxes")
	if err != nil {
		return nil, err
	}
	var answer struct {
		ID        string `json:"sandbox_id"`
		Checksums map[string]struct {
			NeedsUpload *bool  `json:"needs_upload"`
			URL         string `json:"url"`
		} `json:"checksums"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.ID == "" {
		return nil, c.unexpected(http.MethodPost, "JSON that is not a sandbox", "sandboxes")
	}
	out := &Sandbox{ID: answer.ID, Uploads: map[string]string{}}
	for sum, state := range answer.Checksums {
		sum = strings.ToLower(sum)
		if state.NeedsUpload == nil || *state.NeedsUpload && state.URL == "" {
			return nil, c.unexpected(http.MethodPost, "a sandbox that does not say where to upload", "sandboxes")
		}
		if _, asked := wanted[sum]; asked && *state.NeedsUpload {
			out.Uploads[sum] = state.URL
		}
		delete(wanted, sum)
	}
	if len(wanted) > 0 {
		return nil, c.unexpected(http.MethodPost, "a sandbox that leaves out some of the checksums", "sandboxes")
	}
	return out, nil
}

// CommitSandbox tells the server that the files of a sandbox were uploaded.
// [ErrMissingFiles] if they were not all, or not all are visible yet: upload
// what the error is about again.
//
// A sandbox disappears when it is committed, so a second commit gets
// [IsNotFound]; that means success if the caller knows that it has sent the
// first one. A repetition inside this call is taken care of.
func (c *Client) CommitSandbox(ctx context.Context, id string) error {
	err := c.write(ctx, http.MethodPut, map[string]bool{"is_completed": true}, "sandboxes", id)
	if IsNotFound(err) && isUncertain(err) {
		return nil
	}
	return err
}
