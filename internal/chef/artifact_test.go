package chef

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// artifactV2 has a name that ends like that of a cookbook version.
const artifactV2 = `{"name":"app-1.0.0","identifier":"abc1","version":"1.0.0","chef_type":"cookbook_version","frozen?":false,
	"metadata":{"name":"app","version":"1.0.0","n":12345678901234567890},"new_key":[null],
	"all_files":[{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"` + md5a + `","specificity":"default","url":"https://chef/a?sig=hunter2"}]}`

func TestArtifactManifest(t *testing.T) {
	m := manifest(t, artifactV2)
	if m.CookbookName() != "app-1.0.0" || m.Identifier() != "abc1" || manifest(t, manifestV2).Identifier() != "" {
		t.Errorf("name %q, identifier %q; want app-1.0.0, abc1", m.CookbookName(), m.Identifier())
	}
	content := func(text string) string {
		c, err := manifest(t, text).Content()
		if err != nil {
			t.Fatal(err)
		}
		return string(c)
	}
	want := content(artifactV2)
	for _, same := range [][2]string{{`"name":"recipes/default.rb"`, `"name":"default.rb"`}, {"hunter2", "hunter3"}, {`,"new_key":[null]`, ""}} {
		if got := content(strings.Replace(artifactV2, same[0], same[1], 1)); got != want {
			t.Errorf("%s for %s: %s differs from %s", same[1], same[0], got, want)
		}
	}
	for _, other := range [][2]string{
		{`"app-1.0.0"`, `"app"`},
		{`"abc1"`, `"abc2"`},
		{`"version":"1.0.0","chef_type"`, `"version":"1.0.1","chef_type"`},
		{"12345678901234567890", "12345678901234567891"},
		{`"frozen?":false`, `"frozen?":true`},
		{md5a, md5b},
	} {
		if got := content(strings.Replace(artifactV2, other[0], other[1], 1)); got == want {
			t.Errorf("%s for %s makes no difference", other[1], other[0])
		}
	}
}

func TestGetArtifact(t *testing.T) {
	got, err := testClient(t, says(200, artifactV2)).GetArtifact(t.Context(), "app-1.0.0", "abc1")
	must(t, err)
	text, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(text), "12345678901234567890") || strings.Contains(string(text), "hunter2") {
		t.Errorf("got %s, %v; want all digits and no URLs", text, err)
	}
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		want   Class
		is     error
	}{
		{"absent", says(404, `{"error":["not_found"]}`), ClassObject, nil},
		{"goiardi", says(200, ""), ClassPair, ErrNotChef},
		{"another", says(200, strings.Replace(artifactV2, "abc1", "abc2", 1)), ClassObject, ErrWrongObject},
		{"a cookbook", says(200, manifestV2), ClassObject, ErrWrongObject},
		{"an older form than the server's newest", says(200, `{"name":"app-1.0.0","identifier":"abc1","recipes":[]}`, speaks(0, 2)...), ClassPair, ErrNotChef},
	} {
		_, err := testClient(t, tt.server).GetArtifact(t.Context(), "app-1.0.0", "abc1")
		if Classify(err) != tt.want || tt.is != nil && !errors.Is(err, tt.is) || IsNotFound(err) != (tt.is == nil) {
			t.Errorf("%s: got %v of class %s, want %v of class %s", tt.name, err, Classify(err), tt.is, tt.want)
		}
	}
}

func TestPutArtifact(t *testing.T) {
	for newest, flat := range map[int]bool{2: true, 1: false} {
		var url string
		var keys map[string]json.RawMessage
		c := testClient(t, versioned(0, newest, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				body, _ := io.ReadAll(r.Body)
				url, keys = r.URL.RequestURI(), nil
				must(t, json.Unmarshal(body, &keys))
			}
			says(200, "{}")(w, r)
		}))
		must(t, c.PutArtifact(t.Context(), manifest(t, artifactV2)))
		_, all := keys["all_files"]
		_, segments := keys["recipes"]
		if url != "/organizations/acme/cookbook_artifacts/app-1.0.0/abc1" || all != flat || segments == flat || string(keys["name"]) != `"app-1.0.0"` {
			t.Errorf("version %d: sent %v to %s", newest, keys, url)
		}
	}
	c := testClient(t, versioned(0, 1, says(200, "{}")))
	spec := manifest(t, strings.ReplaceAll(artifactV2, "recipes/", "spec/"))
	if err := c.PutArtifact(t.Context(), spec); !errors.Is(err, ErrDropsFiles) {
		t.Errorf("files without a segment, to version 1: got %v, want ErrDropsFiles", err)
	}
	if err := c.PutArtifact(t.Context(), manifest(t, manifestV2)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a cookbook: got %v, want ErrInvalid", err)
	}
}

func TestLifeOfAnArtifact(t *testing.T) {
	_, c := erchef(t, chefserver.Options{})
	ctx := t.Context()
	sum := sumOf([]byte("1"))
	m := manifest(t, strings.ReplaceAll(artifactV2, md5a, sum))
	if err := c.PutArtifact(ctx, m); !errors.Is(err, ErrMissingFiles) {
		t.Errorf("put before the files: %v", err)
	}
	if _, err := c.GetArtifact(ctx, "app-1.0.0", "abc1"); !IsNotFound(err) {
		t.Errorf("a create that failed left something: %v", err)
	}
	box, err := c.CreateSandbox(ctx, []string{sum})
	must(t, err)
	must(t, c.UploadFile(ctx, box.Uploads[sum], sum, 1, opener([]byte("1"))))
	must(t, c.CommitSandbox(ctx, box.ID))
	m = manifest(t, strings.Replace(strings.ReplaceAll(artifactV2, md5a, sum), `,"new_key":[null]`, "", 1))
	must(t, c.PutArtifact(ctx, m))
	if err := c.PutArtifact(ctx, m); !IsConflict(err) || errors.Is(err, ErrFrozen) {
		t.Errorf("put twice: got %v, want IsConflict", err)
	}
	got, err := c.GetArtifact(ctx, "app-1.0.0", "abc1")
	must(t, err)
	a, _ := m.Content()
	b, _ := got.Content()
	if diff := cmp.Diff(value(t, a), value(t, b)); diff != "" || len(got.Files()) != 1 || got.Files()[0].URL == "" {
		t.Errorf("got files %v and (-want +got):\n%s", got.Files(), diff)
	}
	list, err := c.ListArtifacts(ctx)
	if fmt.Sprint(list) != "[{app-1.0.0 abc1}]" || err != nil {
		t.Errorf("list: %v, %v", list, err)
	}
	must(t, c.DeleteArtifact(ctx, "app-1.0.0", "abc1"))
	if err := c.DeleteArtifact(ctx, "app-1.0.0", "abc1"); !IsNotFound(err) {
		t.Errorf("delete twice: %v", err)
	}
}
