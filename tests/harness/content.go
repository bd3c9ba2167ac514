package harness

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// Content writes test objects through the API. Its methods fail the test on an
// error. Names and bodies are tiny on purpose.
type Content struct {
	t testing.TB
	c *chef.Client
}

// Write returns a writer of content for the server behind c.
func Write(t testing.TB, c *chef.Client) *Content { return &Content{t: t, c: c} }

func (w *Content) must(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// Role creates or updates a role; value stands in its attributes.
func (w *Content) Role(name, value string) {
	w.t.Helper()
	body := json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"","json_class":"Chef::Role","chef_type":"role",
		"default_attributes":{"v":%q,"n":12345678901234567890,"f":1.5},"override_attributes":{},"run_list":[],"env_run_lists":{}}`, name, value))
	err := w.c.CreateRole(w.t.Context(), body)
	if chef.IsConflict(err) {
		err = w.c.UpdateRole(w.t.Context(), name, body)
	}
	w.must("role "+name, err)
}

// Environment creates or updates an environment.
func (w *Content) Environment(name, value string) {
	w.t.Helper()
	body := json.RawMessage(fmt.Sprintf(`{"name":%q,"description":%q,"json_class":"Chef::Environment","chef_type":"environment",
		"default_attributes":{},"override_attributes":{},"cookbook_versions":{}}`, name, value))
	err := w.c.CreateEnvironment(w.t.Context(), body)
	if chef.IsConflict(err) {
		err = w.c.UpdateEnvironment(w.t.Context(), name, body)
	}
	w.must("environment "+name, err)
}

// Item creates or updates a data bag item, and its bag where it is missing.
func (w *Content) Item(bag, id, value string) {
	w.t.Helper()
	w.Bag(bag)
	body := json.RawMessage(fmt.Sprintf(`{"id":%q,"value":%q}`, id, value))
	err := w.c.CreateDataBagItem(w.t.Context(), bag, id, body)
	if chef.IsConflict(err) {
		err = w.c.UpdateDataBagItem(w.t.Context(), bag, id, body)
	}
	w.must("item "+bag+"/"+id, err)
}

// Bag creates a data bag unless it is there.
func (w *Content) Bag(name string) {
	w.t.Helper()
	if err := w.c.CreateDataBag(w.t.Context(), name); !chef.IsConflict(err) {
		w.must("bag "+name, err)
	}
}

// Cookbook uploads a cookbook version with the given files (path -> content).
func (w *Content) Cookbook(name, version string, frozen bool, files map[string]string) {
	w.t.Helper()
	w.must("cookbook "+name, PutCookbook(w.t.Context(), w.c, name, version, frozen, files, false))
}

// PutCookbook uploads a cookbook version with its files, forced if asked to.
func PutCookbook(ctx context.Context, c *chef.Client, name, version string, frozen bool, files map[string]string, force bool) error {
	entries, err := upload(ctx, c, files)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(map[string]any{
		"name": name + "-" + version, "cookbook_name": name, "version": version, "json_class": "Chef::CookbookVersion",
		"chef_type": "cookbook_version", "frozen?": frozen, "all_files": entries,
		"metadata": map[string]any{"name": name, "version": version, "description": "d", "dependencies": map[string]string{}},
	})
	if err != nil {
		return err
	}
	var m chef.Manifest
	if err := json.Unmarshal(doc, &m); err != nil {
		return err
	}
	return c.PutCookbook(ctx, &m, chef.PutCookbookOptions{Force: force})
}

// upload puts files (path -> content) on the server and returns their entries in
// a manifest.
func upload(ctx context.Context, c *chef.Client, files map[string]string) ([]map[string]string, error) {
	entries, content := []map[string]string{}, map[string]string{}
	var sums []string
	for path, text := range files {
		sum := md5.Sum([]byte(text)) //nolint:gosec // see the import
		hexSum := hex.EncodeToString(sum[:])
		content[hexSum] = text
		sums = append(sums, hexSum)
		fileName := path
		if !strings.Contains(path, "/") {
			fileName = "root_files/" + path
		}
		entries = append(entries, map[string]string{"name": fileName, "path": path, "checksum": hexSum, "specificity": "default"})
	}
	if len(sums) == 0 {
		return entries, nil
	}
	sb, err := c.CreateSandbox(ctx, sums)
	if err != nil {
		return nil, err
	}
	for sum, url := range sb.Uploads {
		text := content[sum]
		err := c.UploadFile(ctx, url, sum, int64(len(text)), func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		})
		if err != nil {
			return nil, err
		}
	}
	if err := c.CommitSandbox(ctx, sb.ID); err != nil && !chef.IsNotFound(err) {
		return nil, err
	}
	return entries, nil
}

// Small fills an organization with a few objects of every kind: 16 of them, and
// four distinct files on a server that can hold all.
func (w *Content) Small() {
	w.t.Helper()
	files := map[string]string{"recipes/default.rb": "a", "README.md": "readme"}
	version, err := w.c.APIVersion(w.t.Context())
	w.must("API version", err)
	if version >= 2 { // older ones have no place for it
		files["compliance/x/y.rb"] = "c"
	}
	for i := range 5 {
		w.Role(fmt.Sprintf("role%d", i), "1")
		w.Item("users", fmt.Sprintf("user%d", i), "1")
	}
	w.Bag("empty")
	w.Environment("prod", "1")
	w.Cookbook("app", "1.0.0", true, files)
	w.Cookbook("app", "1.1.0", false, map[string]string{"recipes/default.rb": "b", "README.md": "readme"})
	w.Cookbook("bare", "0.1.0", false, nil)
}
