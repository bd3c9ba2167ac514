package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// PutArtifact uploads a cookbook artifact with its files (path -> content).
func PutArtifact(ctx context.Context, c *chef.Client, name, identifier string, files map[string]string) error {
	entries, err := upload(ctx, c, files)
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, http.MethodPut, "/cookbook_artifacts/"+name+"/"+identifier, nil, map[string]any{
		"name": name, "identifier": identifier, "version": "1.0.0", "chef_type": "cookbook_version", "frozen?": false,
		"metadata": map[string]any{"name": name, "version": "1.0.0"}, "all_files": entries,
	})
	return err
}

// PolicyRevision is the body of a policy revision that locks artifacts (name ->
// identifier).
func PolicyRevision(policy, id, value string, locks map[string]string) json.RawMessage {
	of := map[string]any{}
	for name, identifier := range locks {
		of[name] = map[string]string{"identifier": identifier, "version": "1.0.0"}
	}
	body, err := json.Marshal(map[string]any{
		"revision_id": id, "name": policy, "run_list": []string{}, "cookbook_locks": of,
		"default_attributes": map[string]any{"v": value, "n": json.Number("1234567890123456789")},
	})
	if err != nil {
		panic(fmt.Sprintf("harness: %v", err)) // there is nothing in it that JSON cannot hold
	}
	return body
}
