package replicate_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// Row 1: every frozen version arrives frozen, and no other does; one that is
// frozen later follows.
func TestLoss01FrozenFlag(t *testing.T) {
	r := newRig(t)
	frozen := map[string]bool{}
	for i := range 6 {
		path := fmt.Sprintf("/cookbooks/c/1.%d.0", i)
		frozen[path] = i%2 == 0
		r.write.Cookbook("c", fmt.Sprintf("1.%d.0", i), frozen[path], map[string]string{"README.md": fmt.Sprint(i)})
	}
	r.settled()
	if err := harness.PutCookbook(t.Context(), r.primary.Client, "c", "1.1.0", true, map[string]string{"README.md": "1"}, false); err != nil {
		t.Fatal(err)
	}
	frozen["/cookbooks/c/1.1.0"] = true
	r.settled()
	for path, v := range r.snapshot(r.replica).Cookbooks {
		if v.Frozen != frozen[path] {
			t.Errorf("%s: frozen %t on the replica, want %t", path, v.Frozen, frozen[path])
		}
	}
}

// outside are files that are in none of the nine segments.
var outside = map[string]string{
	"recipes/default.rb": "r", "compliance/profiles/p/inspec.yml": "c", "ohai/plugin.rb": "o", "docs/guide.md": "d",
	"spec/x_spec.rb": "s", ".rubocop.yml": "dot", "a/b/c/d/e.txt": "deep",
}

// Row 2: a version that is frozen keeps its files outside the nine segments, also
// if it is frozen after it was copied; nothing is ever written in the old form.
func TestLoss02FreezeKeepsFiles(t *testing.T) {
	r := newRig(t)
	requests := r.record()
	r.write.Cookbook("at-once", "1.0.0", true, outside)
	r.write.Cookbook("later", "1.0.0", false, outside)
	r.settled()
	r.write.Cookbook("later", "1.0.0", true, outside)
	r.settled()
	for _, name := range []string{"at-once", "later"} {
		v := r.snapshot(r.replica).Cookbooks["/cookbooks/"+name+"/1.0.0"]
		if !v.Frozen || len(v.Files) != len(outside) || !v.Complete() {
			t.Errorf("%s: frozen %t, %d files; want frozen, %d", name, v.Frozen, len(v.Files), len(outside))
		}
	}
	puts := requests(http.MethodPut, "/cookbooks/")
	for _, p := range puts {
		if v := p.header.Get("X-Ops-Server-API-Version"); v != "2" {
			t.Errorf("PUT %s with API version %s, want 2", p.path, v)
		}
	}
	if len(puts) != 3 {
		t.Errorf("%d versions were put, want 3", len(puts))
	}
}

// Row 3: the metadata that is stored counts, not what a file of the cookbook
// says; and metadata.rb is a file like any other, which nobody runs.
func TestLoss03StoredMetadata(t *testing.T) {
	r := newRig(t)
	trace := filepath.Join(t.TempDir(), "executed")
	putCookbook(r.write, "c", "1.0.0", true, `"description":"stored","license":"Stored-1.0","maintainer":"","long_description":"",
		"recommendations":"bad","suggestions":{"x":">= 0"},"attributes":{"a":{"default":1e3}},"providing":{"c":">= 0.0.0"},
		"x-unknown":{"n":123456789012345678901234567890,"f":1.50,"html":"<&>"},"gems":[["a","1"]],"eager_load_libraries":true`,
		map[string]string{
			"metadata.rb":   fmt.Sprintf("name 'other'\nversion '9.9.9'\ndescription 'of the file'\nFile.write(%q, 'x')\n`touch %s`\n", trace, trace),
			"metadata.json": `{"name":"other","version":"9.9.9","description":"of the file","license":"MIT"}`,
		})
	r.settled()
	want, got := body(t, r.primary.Client, "/cookbooks/c/1.0.0"), body(t, r.replica.Client, "/cookbooks/c/1.0.0")
	if diff := cmp.Diff(want["metadata"], got["metadata"]); diff != "" {
		t.Errorf("metadata (-primary +replica):\n%s", diff)
	}
	if _, err := os.Stat(trace); !os.IsNotExist(err) {
		t.Error("metadata.rb was executed")
	}
}

// Row 4: a metadata.rb that raises is nobody's concern: its cookbook arrives, and
// so does everything after it.
func TestLoss04MetadataThatRaises(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("aaa", "1.0.0", false, map[string]string{"metadata.rb": "raise 'no'\nexit 1\n", "metadata.json": "{not json"})
	r.write.Small()
	r.settled()
	if v := r.snapshot(r.replica).Cookbooks["/cookbooks/aaa/1.0.0"]; len(v.Files) != 2 || !v.Complete() {
		t.Errorf("the replica holds %+v, want both files", v)
	}
}

// Row 5: cookbooks without a metadata file, without a recipe and without any file
// are cookbooks.
func TestLoss05NoMetadataFileNoFiles(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("no-metadata", "1.0.0", false, map[string]string{"recipes/default.rb": "x"})
	r.write.Cookbook("no-recipe", "1.0.0", true, map[string]string{"README.md": "x"})
	r.write.Cookbook("no-files", "1.0.0", false, nil)
	r.write.Cookbook("no-files", "2.0.0", true, nil)
	r.settled()
	if n := len(r.snapshot(r.replica).Cookbooks); n != 4 {
		t.Errorf("the replica holds %d versions, want 4", n)
	}
	r.write.Cookbook("no-recipe", "1.1.0", false, map[string]string{"README.md": "x"})
	if err := harness.PutCookbook(t.Context(), r.primary.Client, "no-recipe", "1.1.0", false, nil, false); err != nil {
		t.Fatal(err)
	}
	r.settled() // one that has lost its files
}

// Row 6: a chefignore is for uploads from a working copy; what the server holds is
// copied, whatever the file says.
func TestLoss06Chefignore(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("c", "1.0.0", false, map[string]string{
		"chefignore": "*\nspec/*\n*.md\n**/.git\n", "README.md": "x", "spec/a_spec.rb": "y", ".git/config": "z", "recipes/default.rb": "r",
		"files/default/x~": "backup", ".gitignore": "*",
	})
	r.settled()
	if v := r.snapshot(r.replica).Cookbooks["/cookbooks/c/1.0.0"]; len(v.Files) != 7 {
		t.Errorf("%d files on the replica, want 7: %v", len(v.Files), v.Files)
	}
}

// Row 7: a version that is stored as 1.0 stays one, although lists say 1.0.0.
func TestLoss07ShortVersion(t *testing.T) {
	r := newRig(t)
	putCookbook(r.write, "c", "1.0", false, "", map[string]string{"README.md": "1.0"})
	putCookbook(r.write, "c", "2", true, "", map[string]string{"README.md": "2"})
	putCookbook(r.write, "c", "3.0.0", true, "", nil)
	r.settled()
	putCookbook(r.write, "c", "1.0", false, "", map[string]string{"README.md": "changed"})
	r.complete(r.take(update("/cookbooks/c/1.0"))) // as a feed may print it
	r.settled()
	for listed, stored := range map[string]string{"1.0.0": "1.0", "2.0.0": "2", "3.0.0": "3.0.0"} {
		got := body(t, r.replica.Client, "/cookbooks/c/"+listed)
		metadata := got["metadata"].(map[string]any)
		if got["version"] != stored || got["name"] != "c-"+stored || metadata["version"] != stored {
			t.Errorf("%s: version %v, name %v, metadata %v; want %s", listed, got["version"], got["name"], metadata["version"], stored)
		}
	}
}

// Row 8: files keep their names, specificities and whatever else stands in their
// entries.
func TestLoss08FileNames(t *testing.T) {
	r := newRig(t)
	sums := r.write.Upload(map[string]string{"a": "a", "b": "b"})
	r.write.Do(http.MethodPut, "cookbooks/c/1.0.0", manifest("c", "1.0.0", false, "", fmt.Sprintf(`[
		{"name":"templates/x.erb","path":"templates/ubuntu-22.04/x.erb","checksum":%[1]q,"specificity":"ubuntu-22.04"},
		{"name":"templates/x.erb","path":"templates/default/x.erb","checksum":%[2]q,"specificity":"default"},
		{"name":"files/y","path":"files/host-web1.example.com/y","checksum":%[1]q,"specificity":"host-web1.example.com","mode":"0755","n":12345678901234567890},
		{"name":"root_files/z","path":"other/z","checksum":%[2]q,"specificity":"default"},
		{"name":"plain","path":"plain","checksum":%[2]q,"specificity":"default"}]`, sums["a"], sums["b"])))
	r.settled()
	entries := func(s *harness.ChefServer) []string {
		var out []string
		for _, e := range body(t, s.Client, "/cookbooks/c/1.0.0")["all_files"].([]any) {
			entry := e.(map[string]any)
			delete(entry, "url")
			out = append(out, fmt.Sprint(entry))
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff(entries(r.primary), entries(r.replica)); diff != "" || len(entries(r.replica)) != 5 {
		t.Errorf("file entries (-primary +replica):\n%s", diff)
	}
}

// Row 9: an artifact keeps its metadata, and one that the replica holds under the
// same identifier with other metadata is not taken for it.
func TestLoss09ArtifactMetadata(t *testing.T) {
	r := newRig(t)
	files := map[string]string{"recipes/default.rb": "x", "metadata.json": `{"name":"app","version":"7.7.7"}`, "docs/x": "y"}
	r.write.Artifact("app", "aaaa", "primary", files)
	r.write.Artifact("app", "bbbb", "primary too", files)
	r.write.Artifact("bare", "cccc", "without files", nil)
	r.onReplica().Artifact("app", "aaaa", "other", files)

	_, done := r.sync()
	r.wantFailed(done.Failed, "another under this name", "/cookbook_artifacts/app/aaaa")
	if c := r.compare(); len(c.Differences) != 1 || c.Differences[0].Ref.Path() != "/cookbook_artifacts/app/aaaa" {
		t.Errorf("Compare says %v, want the one artifact", c.Differences)
	}
	r.Recreate = true
	_, done = r.sync()
	r.wantFailed(done.Failed, "to be made anew", "/cookbook_artifacts/app/aaaa")
	r.settled()
	if got := r.snapshot(r.replica).Objects["/cookbook_artifacts/app/aaaa"]; !strings.Contains(got, `"description":"primary"`) {
		t.Errorf("the replica's artifact: %s", got)
	}
}
