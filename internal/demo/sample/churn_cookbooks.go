package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
)

const (
	// maxVersions is the most cookbook versions that a Churn has made and not
	// yet deleted; leastVersions are there before the first one is deleted.
	maxVersions   = 6
	leastVersions = 3
)

// A madeVersion is a cookbook version that a Churn has made.
type madeVersion struct {
	name, version string
	frozen        bool
}

// released are the sample's versions whose successors a Churn makes.
var released = []madeVersion{{name: "webshop", version: "0.10.0"}, {name: "monitoring", version: "2.0.0"}}

// edited are the sample's versions whose recipes a Churn edits. They are not
// frozen.
var edited = []madeVersion{
	{name: "ntp", version: "1.0.0"}, {name: "firewall", version: "1.1.0"},
	{name: "webshop", version: "0.10.0"}, {name: "monitoring", version: "2.0.0"},
}

func (ch *Churn) addVersion(ctx context.Context) (string, error) {
	if len(ch.versions) >= maxVersions {
		return "", nil
	}
	from := oneOf(ch, released...)
	cb := ch.repo.cookbook(from.name, from.version)
	if cb == nil {
		return "", fmt.Errorf("the sample has no cookbook %s %s", from.name, from.version)
	}
	ch.minors[from.name]++
	major, _, _ := strings.Cut(from.version, ".")
	news := oneOf(ch, "Fewer restarts.", "Waits for the network.", "Logs less at night.", "Clearer messages.")
	next, err := cb.next(fmt.Sprintf("%s.%d.0", major, ch.minors[from.name]), news)
	if err != nil {
		return "", err
	}
	ch.versions = append(ch.versions, madeVersion{name: next.name, version: next.version})
	return fmt.Sprintf("cookbook %s %s: uploaded, %d files", next.name, next.version, len(next.files)),
		next.upload(ctx, ch.client)
}

// next is a later version of the cookbook, with an entry in its change log.
func (cb *cookbook) next(version, news string) (*cookbook, error) {
	was, now := fmt.Appendf(nil, "%q: %q", "version", cb.version), fmt.Appendf(nil, "%q: %q", "version", version)
	if bytes.Count(cb.metadata, was) != 1 {
		return nil, fmt.Errorf("cookbook %s %s: its version is not where it should be in metadata.json", cb.name, cb.version)
	}
	out := &cookbook{name: cb.name, version: version, metadata: bytes.Replace(cb.metadata, was, now, 1)}
	for _, f := range cb.files {
		if f.path != "metadata.json" && f.path != "CHANGELOG.md" {
			out.files = append(out.files, f)
		}
	}
	out.files = append(out.files, newFile("metadata.json", out.metadata),
		newFile("CHANGELOG.md", fmt.Appendf(nil, "# Changes\n\n## %s\n- %s\n", version, news)))
	return out, nil
}

// deleteVersion deletes the oldest version made, frozen or not.
func (ch *Churn) deleteVersion(ctx context.Context) (string, error) {
	if len(ch.versions) <= leastVersions {
		return "", nil
	}
	v := ch.versions[0]
	err := ch.client.DeleteCookbook(ctx, v.name, v.version)
	if err == nil || chef.IsNotFound(err) {
		ch.versions = ch.versions[1:]
	}
	if err != nil {
		return "", fmt.Errorf("delete cookbook %s %s: %w", v.name, v.version, err)
	}
	return fmt.Sprintf("cookbook %s %s: deleted", v.name, v.version), nil
}

// freezeVersion freezes the oldest version made that is not frozen. The sample's
// own are left as they are: they could not be edited any more.
func (ch *Churn) freezeVersion(ctx context.Context) (string, error) {
	i := slices.IndexFunc(ch.versions, func(v madeVersion) bool { return !v.frozen })
	if i < 0 {
		return "", nil
	}
	v := &ch.versions[i]
	m, err := ch.client.GetCookbook(ctx, v.name, v.version)
	if err != nil {
		return "", fmt.Errorf("freeze cookbook %s %s: %w", v.name, v.version, err)
	}
	if m, err = changed(m, func(doc map[string]any) { doc["frozen?"] = true }); err != nil {
		return "", fmt.Errorf("freeze cookbook %s %s: %w", v.name, v.version, err)
	}
	v.frozen = true // also if it is not known to be: a frozen one must not be edited
	if err := ch.client.PutCookbook(ctx, m, chef.PutCookbookOptions{}); err != nil {
		return "", fmt.Errorf("freeze cookbook %s %s: %w", v.name, v.version, err)
	}
	return fmt.Sprintf("cookbook %s %s: frozen", v.name, v.version), nil
}

// retries is what people change in recipes: the number, that is.
var retries = regexp.MustCompile(`(?m)^( +retries )(\d+)$`)

// editRecipe changes a number in a recipe of a version that is not frozen.
func (ch *Churn) editRecipe(ctx context.Context) (string, error) {
	open := slices.Clone(edited)
	for _, v := range ch.versions {
		if !v.frozen {
			open = append(open, v)
		}
	}
	v := oneOf(ch, open...)
	said, err := ch.tryEditRecipe(ctx, v)
	if err != nil {
		return "", fmt.Errorf("edit cookbook %s %s: %w", v.name, v.version, err)
	}
	if said == "" {
		return "", nil
	}
	return fmt.Sprintf("cookbook %s %s: %s", v.name, v.version, said), nil
}

func (ch *Churn) tryEditRecipe(ctx context.Context, v madeVersion) (string, error) {
	m, err := ch.client.GetCookbook(ctx, v.name, v.version)
	if err != nil || m.Frozen() {
		return "", err
	}
	for _, f := range m.Files() {
		if !strings.HasPrefix(f.Path, "recipes/") {
			continue
		}
		var content bytes.Buffer
		if _, err := ch.client.DownloadFile(ctx, f.URL, f.Checksum, &content); err != nil {
			return "", err
		}
		found := retries.FindSubmatch(content.Bytes())
		if found == nil {
			continue
		}
		was, now := string(found[2]), oneOf(ch, "2", "3")
		if now == was {
			now = oneOf(ch, "4", "5", "6")
		}
		edit := newFile(f.Path, retries.ReplaceAll(content.Bytes(), []byte("${1}"+now)))
		return fmt.Sprintf("retries %s -> %s in %s", was, now, f.Path), ch.putFile(ctx, m, edit)
	}
	return "", nil
}

// putFile gives a file of a version another content.
func (ch *Churn) putFile(ctx context.Context, m *chef.Manifest, f file) error {
	if err := uploadBlobs(ctx, ch.client, map[string][]byte{f.md5: f.content}, 1, func() {}); err != nil {
		return err
	}
	m, err := changed(m, func(doc map[string]any) {
		for _, entry := range doc["all_files"].([]any) {
			if entry := entry.(map[string]any); entry["path"] == f.path {
				entry["checksum"] = f.md5
			}
		}
	})
	if err != nil {
		return err
	}
	return ch.client.PutCookbook(ctx, m, chef.PutCookbookOptions{})
}

// changed returns the manifest with a change to its JSON.
func changed(m *chef.Manifest, edit func(doc map[string]any)) (*chef.Manifest, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	doc, err := decode(text)
	if err != nil {
		return nil, err
	}
	edit(doc)
	if text, err = json.Marshal(doc); err != nil {
		return nil, err
	}
	var out chef.Manifest
	return &out, json.Unmarshal(text, &out)
}
