package chefserver

import (
	"fmt"
	"strings"
	"testing"
)

// artifact is a version 2 manifest with files name=checksum.
func artifact(name, id string, files ...string) string {
	list := []string{}
	for _, nf := range files {
		n, sum, _ := strings.Cut(nf, "=")
		list = append(list, fmt.Sprintf(`{"name":%q,"path":%q,"checksum":%q,"specificity":"default"}`, n, n, sum))
	}
	return fmt.Sprintf(`{"name":%[1]q,"identifier":%[2]q,"version":"1.2.3","chef_type":"cookbook_version",`+
		`"frozen?":false,"metadata":{"name":%[1]q,"version":"1.2.3"},"all_files":[%[3]s]}`, name, id, strings.Join(list, ","))
}

func TestArtifacts(t *testing.T) {
	f := newFixture(t, Options{})
	sum := f.upload("recipe")[0]
	const a1, a2 = "/cookbook_artifacts/a/1111", "/cookbook_artifacts/a/2222"
	entry := func(id string) string {
		return fmt.Sprintf(`{"url":"$URL/organizations/acme/cookbook_artifacts/a/%s","identifier":%q}`, id, id)
	}
	both := `{"a":{"url":"$URL/organizations/acme/cookbook_artifacts/a","versions":[` + entry("1111") + "," + entry("2222") + `]}}`
	classed := strings.Replace(artifact("a", "2222"), `{"name"`, `{"json_class":"Chef::CookbookArtifact","name"`, 1)
	f.run(f.root, []exchange{
		{"none", "GET", "/cookbook_artifacts", "", 200, `{}`},
		{"name absent", "GET", "/cookbook_artifacts/a", "", 404, `{"error":["not_found"]}`},
		{"absent", "GET", a1, "", 404, `{"error":["not_found"]}`},
		{"delete absent", "DELETE", a1, "", 404, `{"error":["not_found"]}`},
		{"create", "PUT", a1, artifact("a", "1111", "recipes/default.rb="+sum), 201, `{"uri":"$URL/organizations/acme/cookbook_artifacts/a/1111"}`},
		{"create again", "PUT", a1, artifact("a", "1111", "recipes/default.rb="+sum), 409, `{"error":"Cookbook artifact already exists"}`},
		{"force is nothing here", "PUT", a1 + "?force=true", artifact("a", "1111"), 409, `{"error":"Cookbook artifact already exists"}`},
		{"get", "GET", a1, "", 200, `"name":"a","identifier":"1111","version":"1.2.3","chef_type":"cookbook_version","frozen?":false`},
		{"with json_class", "PUT", a2, classed, 201, ""},
		{"list", "GET", "/cookbook_artifacts", "", 200, both},
		{"list of a name", "GET", "/cookbook_artifacts/a", "", 200, both},
		{"without json_class", "GET", a2, "", 200, `{"name":"a","identifier":"2222","version":"1.2.3",
			"chef_type":"cookbook_version","frozen?":false,"metadata":{"name":"a","version":"1.2.3"},"all_files":[]}`},
		{"POST", "POST", a1, artifact("a", "1111"), 405, ""},
		{"delete", "DELETE", a1, "", 200, `"identifier":"1111"`},
		{"gone", "GET", a1, "", 404, ""},
		{"delete the last", "DELETE", a2, "", 200, ""},
		{"the name is gone", "GET", "/cookbook_artifacts/a", "", 404, ""},
		{"and not listed", "GET", "/cookbook_artifacts", "", 200, `{}`},
	})
	got := f.acme(f.root, "PUT", a1, artifact("a", "1111")).want(201, "").header.Get("Location")
	if got != f.url+"/organizations/acme"+a1 {
		t.Errorf("Location %q", got)
	}
}

func TestArtifactValidation(t *testing.T) {
	f := newFixture(t, Options{})
	good := artifact("a", "1111")
	files := func(s string) string { return strings.Replace(good, `"all_files":[]`, s, 1) }
	const crash = `{"error":["internal service error"]}`
	f.run(f.root, []exchange{
		{"other identifier", "PUT", "/cookbook_artifacts/a/2222", good, 400, `{"error":["Field 'identifier' invalid : 2222 does not match 1111"]}`},
		{"other name", "PUT", "/cookbook_artifacts/b/1111", good, 400, `{"error":["Field 'name' invalid : b does not match a"]}`},
		{"no identifier", "PUT", "/cookbook_artifacts/a/1111", `{"name":"a"}`, 400, `{"error":["Field 'identifier' missing"]}`},
		{"bad identifier", "PUT", "/cookbook_artifacts/a/foo@bar", artifact("a", "foo@bar"), 400, `{"error":["Field 'identifier' invalid"]}`},
		{"long identifier", "PUT", "/cookbook_artifacts/a/x", artifact("a", strings.Repeat("x", 256)), 400, `{"error":["Field 'identifier' invalid"]}`},
		{"bad name", "PUT", "/cookbook_artifacts/first@second/1111", artifact("first@second", "1111"), 400, `{"error":["Field 'name' invalid"]}`},
		{"no JSON", "PUT", "/cookbook_artifacts/a/1111", `{`, 400, `{"error":["invalid JSON"]}`},
		{"files no list", "PUT", "/cookbook_artifacts/a/1111", files(`"all_files":"foo"`), 500, crash},
		{"file without checksum", "PUT", "/cookbook_artifacts/a/1111", files(`"recipes":[{}]`), 500, crash},
		{"file no object", "PUT", "/cookbook_artifacts/a/1111", files(`"all_files":["foo"]`), 500, crash},
		{"nothing was stored", "GET", "/cookbook_artifacts", "", 200, `{}`},
		{"unknown keys and odd versions are fine", "PUT", "/cookbook_artifacts/a/1111", strings.NewReplacer(`"version":"1.2.3","chef`,
			`"extra":{"x":1},"version":"1.2.3.beta.5","chef`).Replace(good), 201, ""},
		{"and come back", "GET", "/cookbook_artifacts/a/1111", "", 200, `"extra":{"x":1},"version":"1.2.3.beta.5"`},
	})
}

// TestArtifactWithoutBlob: unlike a cookbook it leaves nothing behind, and the
// files that are there keep their counts.
func TestArtifactWithoutBlob(t *testing.T) {
	f := newFixture(t, Options{})
	here, late := f.upload("here")[0], hexMD5("late")
	m := artifact("a", "1111", "files/h="+here, "files/l="+late)
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111", m).wantJSON(400, `{"error":["Manifest has a checksum that hasn't been uploaded."]}`)
	f.acme(f.root, "GET", "/cookbook_artifacts", "").wantJSON(200, `{}`)
	f.acme(f.root, "GET", "/cookbook_artifacts/a/1111", "").want(404, "")
	f.upload("late")
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111", m).want(201, "")
	if v := f.snapshot().Cookbooks["/cookbook_artifacts/a/1111"]; !v.Complete() || len(v.Files) != 2 {
		t.Errorf("artifact %+v", v)
	}
	f.acme(f.root, "DELETE", "/cookbook_artifacts/a/1111", "").want(200, "")
	if _, wanted := f.sandbox(here, late); len(wanted) != 2 {
		t.Errorf("the sandbox wants %v, it should want both", wanted)
	}
}

// TestArtifactsShareFiles: cookbooks and artifacts have one store and one count.
func TestArtifactsShareFiles(t *testing.T) {
	f := newFixture(t, Options{})
	sums := f.upload("shared", "own")
	shared, own := sums[0], sums[1]
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111", artifact("a", "1111", "files/s="+shared, "files/t="+shared, "files/o="+own)).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/c/1.0.0", manifest("c", "1.0.0", false, "files/s="+shared)).want(201, "")
	if _, wanted := f.sandbox(shared, own); len(wanted) != 0 {
		t.Errorf("the sandbox wants %v", wanted)
	}
	urls := f.files("/cookbook_artifacts/a/1111")
	f.get(urls[own]).want(200, "own")
	f.acme(f.root, "DELETE", "/cookbook_artifacts/a/1111", "").want(200, "")
	f.get(urls[own]).want(404, "NoSuchKey")
	f.get(urls[shared]).want(200, "shared")
	f.acme(f.root, "PUT", "/cookbook_artifacts/b/1111", artifact("b", "1111", "files/s="+shared)).want(201, "")
	f.acme(f.root, "DELETE", "/cookbooks/c/1.0.0", "").want(200, "")
	f.get(urls[shared]).want(200, "shared")
	f.acme(f.root, "DELETE", "/cookbook_artifacts/b/1111", "").want(200, "")
	f.get(urls[shared]).want(404, "NoSuchKey")
	if _, wanted := f.sandbox(shared, own); len(wanted) != 2 {
		t.Errorf("the sandbox wants %v, it should want both", wanted)
	}
}

func TestArtifactVersions(t *testing.T) {
	f := newFixture(t, Options{})
	sum := f.upload("x")[0]
	v0 := f.root
	v0.api = "0"
	f.acme(f.root, "PUT", "/cookbook_artifacts/a/1111",
		artifact("a", "1111", "recipes/default.rb="+sum, "compliance/profile.rb="+sum, "README.md="+sum)).want(201, "")
	f.acme(f.root, "GET", "/cookbook_artifacts/a/1111", "").want(200, `"name":"compliance/profile.rb"`)
	old := f.acme(v0, "GET", "/cookbook_artifacts/a/1111", "").want(200, `"recipes":[{"name":"default.rb"`).want(200, `"root_files":[{"name":"README.md"`)
	if strings.Contains(old.body, "compliance") || strings.Contains(old.body, "all_files") {
		t.Errorf("read at version 0: %s", old.body)
	}
	classic := strings.Replace(artifact("b", "1111"), `"all_files":[]`,
		`"recipes":[{"name":"a.rb","path":"recipes/a.rb","checksum":"`+sum+`","specificity":"default","url":"http://elsewhere/"}]`, 1)
	f.acme(v0, "PUT", "/cookbook_artifacts/b/1111", classic).want(201, "")
	got := f.acme(f.root, "GET", "/cookbook_artifacts/b/1111", "").want(200, `"all_files":[{"name":"recipes/a.rb"`)
	if strings.Contains(got.body, "elsewhere") {
		t.Errorf("the url that was sent came back: %s", got.body)
	}
	// Both forms are one thing.
	before := f.snapshot().Objects["/cookbook_artifacts/b/1111"]
	f.acme(f.root, "DELETE", "/cookbook_artifacts/b/1111", "").want(200, "")
	f.upload("x")
	f.acme(f.root, "PUT", "/cookbook_artifacts/b/1111", artifact("b", "1111", "recipes/a.rb="+sum)).want(201, "")
	want := `{"files":[{"checksum":"` + sum + `","path":"recipes/a.rb","specificity":"default"}],"frozen?":false,` +
		`"identifier":"1111","metadata":{"name":"b","version":"1.2.3"},"name":"b","version":"1.2.3"}`
	if after := f.snapshot().Objects["/cookbook_artifacts/b/1111"]; before != want || after != want {
		t.Errorf("the two forms:\n%s\n%s\nwant\n%s", before, after, want)
	}
}
