package chefserver

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const zeroSum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestCookbookLists(t *testing.T) {
	f := newFixture(t, Options{})
	f.run(f.root, []exchange{
		{"none", "GET", "/cookbooks", "", 200, `{}`},
		{"absent", "GET", "/cookbooks/a", "", 404, `{"error":["Cannot find a cookbook named a"]}`},
		{"version absent", "GET", "/cookbooks/a/1.0.0", "", 404, `{"error":["Cannot find a cookbook named a with version 1.0.0"]}`},
		{"latest absent", "GET", "/cookbooks/a/_latest", "", 404, `with version _latest`},
	})
	sums := f.upload("default recipe", "other recipe")
	f.acme(f.root, "PUT", "/cookbooks/a/0.9.0", manifest("a", "0.9.0", false)).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/a/0.10.0", manifest("a", "0.10.0", false,
		"recipes/default.rb="+sums[0], "recipes/other.rb="+sums[1], "recipes/README.md="+sums[1], "files/x.rb="+sums[1])).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/b/1.0.0", manifest("b", "1.0.0", false)).want(201, "")
	version := func(n, v string) string {
		return fmt.Sprintf(`{"version":%q,"url":"$URL/organizations/acme/cookbooks/%s/%s"}`, v, n, v)
	}
	a := `"a":{"url":"$URL/organizations/acme/cookbooks/a","versions":[%s]}`
	b := `"b":{"url":"$URL/organizations/acme/cookbooks/b","versions":[%s]}`
	both := version("a", "0.10.0") + "," + version("a", "0.9.0")
	f.run(f.root, []exchange{
		{"plain shows the newest", "GET", "/cookbooks", "", 200, "{" + fmt.Sprintf(a+","+b, version("a", "0.10.0"), version("b", "1.0.0")) + "}"},
		{"all", "GET", "/cookbooks?num_versions=all", "", 200, "{" + fmt.Sprintf(a+","+b, both, version("b", "1.0.0")) + "}"},
		{"none of each", "GET", "/cookbooks?num_versions=0", "", 200, "{" + fmt.Sprintf(a+","+b, "", "") + "}"},
		{"negative", "GET", "/cookbooks?num_versions=-1", "", 400, "You have requested an invalid number of versions (x >= 0 || 'all')"},
		{"empty", "GET", "/cookbooks?num_versions=", "", 400, "invalid number of versions"},
		{"one cookbook", "GET", "/cookbooks/a", "", 200, "{" + fmt.Sprintf(a, both) + "}"},
		{"_latest", "GET", "/cookbooks/_latest", "", 200, `{"a":"$URL/organizations/acme/cookbooks/a/0.10.0","b":"$URL/organizations/acme/cookbooks/b/1.0.0"}`},
		{"_recipes", "GET", "/cookbooks/_recipes", "", 200, `["a","a::other"]`},
		{"latest version", "GET", "/cookbooks/a/_latest", "", 200, `"version":"0.10.0"`},
		{"universe", "GET", "/universe", "", 200, `"location_type":"chef_server","dependencies":{}`},
		{"environment", "POST", "/environments", `{"name":"old","cookbook_versions":{"a":"< 0.10.0"}}`, 201, ""},
		{"limited", "GET", "/environments/old/cookbooks", "", 200, "{" + fmt.Sprintf(a+","+b, version("a", "0.9.0"), version("b", "1.0.0")) + "}"},
		{"limited one", "GET", "/environments/old/cookbooks/a", "", 200, "{" + fmt.Sprintf(a, version("a", "0.9.0")) + "}"},
		{"limited recipes", "GET", "/environments/old/recipes", "", 200, `[]`},
		{"bad version", "GET", "/cookbooks/a/abc", "", 400, "Invalid cookbook version 'abc'."},
		{"bad version to delete", "DELETE", "/cookbooks/a/1.2.3.4", "", 400, "Invalid cookbook version '1.2.3.4'."},
		{"delete", "DELETE", "/cookbooks/b/1.0.0", "", 200, `"name":"b-1.0.0"`},
		{"last version gone", "GET", "/cookbooks/b", "", 404, ""},
	})
}

func TestCookbookValidation(t *testing.T) {
	f := newFixture(t, Options{})
	good := manifest("a", "1.0.0", false)
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the manifest", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	metadata := func(s string) string { return edit(`"metadata":{`, `"metadata":{`+s+`,`) }
	tests := []struct {
		name, path, body, want string
		api                    string
	}{
		{"unknown key", "a/1.0.0", edit(`{"name"`, `{"x":1,"name"`), "Invalid key x in request body", ""},
		{"segment at version 2", "a/1.0.0", edit(`{"name"`, `{"recipes":[],"name"`), "Invalid key recipes in request body", ""},
		{"all_files at version 1", "a/1.0.0", good, "Invalid key all_files in request body", "1"},
		{"other version", "a/1.0.1", good, "Field 'name' invalid", ""},
		{"other name", "b/1.0.0", good, "Field 'name' invalid", ""},
		{"bad name in URL", "first@second/1.2.3", good, "Invalid cookbook name 'first@second' using regex: 'Malformed cookbook name. Must only contain A-Z, a-z, 0-9, _, . or -'.", ""},
		{"bad version in URL", "a/abc", good, "Invalid cookbook version 'abc'.", ""},
		{"version over 63 bits", "a/1.2.9223372036854775849", good, "Invalid cookbook version", ""},
		{"negative version", "a/1.2.-42", good, "Invalid cookbook version", ""},
		{"no cookbook_name", "a/1.0.0", edit(`"cookbook_name":"a",`, ``), "Field 'cookbook_name' missing", ""},
		{"json_class", "a/1.0.0", edit("Chef::CookbookVersion", "Chef::Role"), "Field 'json_class' invalid", ""},
		{"version key", "a/1.0.0", edit(`"cookbook_name":"a","version":"1.0.0"`, `"cookbook_name":"a","version":"0.0"`), "Field 'version' invalid", ""},
		{"metadata empty", "a/1.0.0", edit(`"metadata":{"name":"a","version":"1.0.0"}`, `"metadata":{}`), "Field 'metadata.version' missing", ""},
		{"metadata version", "a/1.0.0", edit(`"metadata":{"name":"a","version":"1.0.0"}`, `"metadata":{"version":"1.0.1"}`), "Field 'metadata.version' invalid", ""},
		{"files no list", "a/1.0.0", edit(`"all_files":[]`, `"all_files":"foo"`), "Field 'all_files' invalid", ""},
		{"file without keys", "a/1.0.0", edit(`"all_files":[]`, `"all_files":[{}]`), "Invalid element in array value of 'all_files'.", ""},
		{"maintainer null", "a/1.0.0", metadata(`"maintainer":null`), "Field 'metadata.maintainer' invalid", ""},
		{"dependencies no map", "a/1.0.0", metadata(`"dependencies":"foo"`), "Field 'metadata.dependencies' invalid", ""},
		{"dependency value []", "a/1.0.0", metadata(`"dependencies":{"x":[]}`), "Invalid value '[]' for metadata.dependencies", ""},
		{"dependency > 1", "a/1.0.0", metadata(`"dependencies":{"x":"> 1"}`), "Invalid value '> 1' for metadata.dependencies", ""},
		{"platform", "a/1.0.0", metadata(`"platforms":{"x":"s395dss@#"}`), "Invalid value 's395dss@#' for metadata.platforms", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := *f
			g.t = t
			who := f.root
			who.api = tt.api
			g.acme(who, "PUT", "/cookbooks/"+tt.path, tt.body).want(400, tt.want)
		})
	}
	f.acme(f.root, "GET", "/cookbooks", "").wantJSON(200, `{}`)
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", metadata(`"recommendations":"bad","dependencies":{"x":"~> 1.2","y":"3.3"}`)).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", edit(`"json_class":"Chef::CookbookVersion",`, "")).want(200, `"json_class":"Chef::CookbookVersion"`)
}

func TestFrozenCookbook(t *testing.T) {
	f := newFixture(t, Options{})
	frozen, other := manifest("a", "1.0.0", true), manifest("a", "1.0.0", false)
	f.run(f.root, []exchange{
		{"create", "PUT", "/cookbooks/a/1.0.0", frozen, 201, `"frozen?":true`},
		{"put", "PUT", "/cookbooks/a/1.0.0", frozen, 409, `{"error":["The cookbook a at version 1.0.0 is frozen. Use the 'force' option to override."]}`},
		{"force=false", "PUT", "/cookbooks/a/1.0.0?force=false", other, 409, ""},
		{"force=1", "PUT", "/cookbooks/a/1.0.0?force=1", frozen, 200, `"frozen?":true`},
		{"force=true does not thaw", "PUT", "/cookbooks/a/1.0.0?force=true", other, 200, `"frozen?":true`},
		{"still frozen", "GET", "/cookbooks/a/1.0.0", "", 200, `"frozen?":true`},
	})
}

// TestPhantomCookbook: a create that fails leaves its row.
func TestPhantomCookbook(t *testing.T) {
	f := newFixture(t, Options{})
	sum := hexMD5("late")
	m := manifest("a", "1.0.0", true, "recipes/default.rb="+sum)
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", m).wantJSON(400, `{"error":["Manifest has a checksum that hasn't been uploaded."]}`)
	f.acme(f.root, "GET", "/cookbooks", "").want(200, `"version":"1.0.0"`)
	f.acme(f.root, "GET", "/cookbooks/a/1.0.0", "").want(200, sum)
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", m).want(409, "is frozen")
	snap := f.snapshot()
	if snap.Cookbooks["/cookbooks/a/1.0.0"].Complete() {
		t.Error("the snapshot calls a phantom complete")
	}
	f.upload("late")
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0?force=true", m).want(200, "")
	if v := f.snapshot().Cookbooks["/cookbooks/a/1.0.0"]; !v.Complete() || !v.Frozen {
		t.Errorf("after the repair: %+v", v)
	}
}

func (f *fixture) snapshot() *Snapshot {
	f.t.Helper()
	d, err := f.s.Snapshot("acme")
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// files GETs a version and returns the URLs of its files by checksum.
func (f *fixture) files(path string) map[string]string {
	f.t.Helper()
	urls := map[string]string{}
	for _, e := range f.acme(f.root, "GET", path, "").want(200, "").parsed()["all_files"].([]any) {
		e := e.(map[string]any)
		urls[e["checksum"].(string)] = e["url"].(string)
	}
	return urls
}

// TestFailedUpdate: the old manifest stays and its file is on its way out.
func TestFailedUpdate(t *testing.T) {
	f := newFixture(t, Options{})
	old := f.upload("old")[0]
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/f="+old)).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/f="+zeroSum)).
		wantJSON(400, `{"error":["Manifest has checksum `+zeroSum+` but it hasn't yet been uploaded"]}`)
	urls := f.files("/cookbooks/a/1.0.0")
	if urls[old] == "" {
		t.Fatalf("the manifest changed: %v", urls)
	}
	f.get(urls[old]).want(200, "old")
	if _, wanted := f.sandbox(old); wanted[old] == "" {
		t.Error("the old file is still registered")
	}
	if n, err := f.s.CleanUpBlobs("acme"); n != 1 || err != nil {
		t.Errorf("clean-up = %d, %v, want 1 file", n, err)
	}
	f.get(urls[old]).want(404, "NoSuchKey")
}

// get fetches a presigned URL.
func (f *fixture) get(url string) *answered {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), "GET", url, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.send(r)
}

func TestFilesGoWithTheLastReference(t *testing.T) {
	f := newFixture(t, Options{})
	sums := f.upload("shared", "own")
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/s="+sums[0], "files/o="+sums[1])).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/b/1.0.0", manifest("b", "1.0.0", false, "files/s="+sums[0])).want(201, "")
	urls := f.files("/cookbooks/a/1.0.0")
	f.acme(f.root, "DELETE", "/cookbooks/a/1.0.0", "").want(200, "")
	f.get(urls[sums[1]]).want(404, "")
	f.get(urls[sums[0]]).want(200, "shared")
	_, wanted := f.sandbox(sums...)
	if wanted[sums[1]] == "" || wanted[sums[0]] != "" {
		t.Errorf("the sandbox wants %v, it should want %s only", wanted, sums[1])
	}
	f.acme(f.root, "PUT", "/cookbooks/b/1.0.0", manifest("b", "1.0.0", false)).want(200, "")
	f.get(urls[sums[0]]).want(404, "")
}

func TestVersionSpelling(t *testing.T) {
	f := newFixture(t, Options{})
	f.run(f.root, []exchange{
		{"create 1.0", "PUT", "/cookbooks/a/1.0", manifest("a", "1.0", false), 201, ""},
		{"lists say 1.0.0", "GET", "/cookbooks", "", 200, `"version":"1.0.0"`},
		{"get 1.0", "GET", "/cookbooks/a/1.0", "", 200, `"name":"a-1.0"`},
		{"get 1.0.0", "GET", "/cookbooks/a/1.0.0", "", 200, `"name":"a-1.0"`},
		{"put to 1.0.0", "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0", false), 400, "Field 'name' invalid"},
		{"put to 1.0", "PUT", "/cookbooks/a/1.0", manifest("a", "1.0", true), 200, ""},
	})
}

func TestURLInManifest(t *testing.T) {
	f := newFixture(t, Options{})
	sum := f.upload("x")[0]
	m := strings.Replace(manifest("a", "1.0.0", false, "files/x="+sum), `"specificity"`, `"url":"http://elsewhere/x","extra":1,"specificity"`, 1)
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", m).want(201, "http://elsewhere/x")
	got := f.acme(f.root, "GET", "/cookbooks/a/1.0.0", "").want(200, `"extra":1`)
	if strings.Contains(got.body, "elsewhere") || !strings.Contains(got.body, "X-Amz-Expires=28800") ||
		!strings.Contains(got.body, "X-Amz-SignedHeaders=host&") {
		t.Errorf("GET = %s", got.body)
	}
}

func TestManifestVersions(t *testing.T) {
	f := newFixture(t, Options{})
	sum := f.upload("x")[0]
	v0 := f.root
	v0.api = "0"
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false,
		"recipes/default.rb="+sum, "compliance/profile.rb="+sum, "README.md="+sum, "files/deep/er="+sum)).want(201, "")
	old := f.acme(v0, "GET", "/cookbooks/a/1.0.0", "").want(200, "").parsed()
	name := func(segment string) string {
		list := old[segment].([]any)
		if len(list) != 1 {
			t.Fatalf("%s = %v, want one file", segment, list)
		}
		return list[0].(map[string]any)["name"].(string)
	}
	if name("recipes") != "default.rb" || name("root_files") != "README.md" || name("files") != "deep/er" {
		t.Errorf("read at version 0: %v", old)
	}
	if _, ok := old["all_files"]; ok || old["compliance"] != nil || len(old["templates"].([]any)) != 0 {
		t.Errorf("read at version 0: %v", old)
	}
	f.acme(f.root, "GET", "/cookbooks/a/1.0.0", "").want(200, "compliance/profile.rb")

	classic := strings.Replace(manifest("b", "1.0.0", false), `"all_files":[]`, fmt.Sprintf(
		`"recipes":[{"name":"default.rb","path":"recipes/default.rb","checksum":%q,"specificity":"default"}],`+
			`"root_files":[{"name":"README.md","path":"README.md","checksum":%q,"specificity":"default"}]`, sum, sum), 1)
	f.acme(v0, "PUT", "/cookbooks/b/1.0.0", classic).want(201, "")
	f.acme(f.root, "GET", "/cookbooks/b/1.0.0", "").want(200, `"name":"root_files/README.md"`).want(200, `"name":"recipes/default.rb"`)
	got := f.acme(v0, "GET", "/cookbooks/b/1.0.0", "").want(200, `"name":"default.rb"`)
	if strings.Contains(got.body, "templates") {
		t.Errorf("a segment appeared that was not stored: %s", got.body)
	}
}

func TestSandboxes(t *testing.T) {
	f := newFixture(t, Options{})
	sum := hexMD5("hello")
	f.run(f.root, []exchange{
		{"no checksums", "POST", "/sandboxes", `{}`, 400, `{"error":["Field 'checksums' missing"]}`},
		{"empty", "POST", "/sandboxes", `{"checksums":{}}`, 400, `{"error":["Bad checksums!"]}`},
		{"not null", "POST", "/sandboxes", `{"checksums":{"` + sum + `":"foo"}}`, 400, `{"error":["Bad checksums!"]}`},
		{"commit of none", "PUT", "/sandboxes/ffff", `{"is_completed":true}`, 404, ""},
	})
	upper := strings.ToUpper(sum)
	box, urls := f.sandbox(upper)
	if !strings.Contains(urls[upper], "checksum-"+upper) || !strings.Contains(urls[upper], "X-Amz-Expires=900") ||
		!strings.Contains(urls[upper], "content-md5%3Bcontent-type%3Bhost") {
		t.Errorf("upload URL %s", urls[upper])
	}
	f.acme(f.root, "PUT", box, `{"is_completed":true}`).want(503, `Committed incomplete sandbox: [<<\"`+upper+`\">>]`)
	f.acme(f.root, "PUT", box, `{"is_completed":false}`).want(500, "")
	f.acme(f.root, "PUT", box, `{}`).want(400, "is_completed")
	f.putFile(urls[upper], sum, "hello").want(204, "")
	f.putFile(urls[upper], sum, "hello").want(204, "")
	got := f.acme(f.root, "PUT", box, `{"is_completed":true}`).want(200, `"is_completed":true`).parsed()
	if got["guid"] != strings.TrimPrefix(box, "/sandboxes/") || got["checksums"].([]any)[0] != upper {
		t.Errorf("commit = %v", got)
	}
	f.acme(f.root, "PUT", box, `{"is_completed":true}`).want(404, "")
	if _, urls := f.sandbox(upper); len(urls) != 0 {
		t.Errorf("a known file is wanted again: %v", urls)
	}
}

func TestFileURLs(t *testing.T) {
	f := newFixture(t, Options{})
	sum := hexMD5("hello")
	box, urls := f.sandbox(sum)
	raw, _ := hex.DecodeString(sum)
	right := base64.StdEncoding.EncodeToString(raw)
	put := func(url, md5, ctype, body string) *answered {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Content-MD5": md5, "Content-Type": ctype} {
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		return f.send(r)
	}
	const binary = "application/x-binary"
	put(urls[sum], right, binary, "other").want(406, "<html>")
	put(urls[sum], "", binary, "hello").want(403, "SignatureDoesNotMatch")
	put(urls[sum], "AAAA", binary, "hello").want(403, "<?xml")
	put(urls[sum], right, "text/plain", "hello").want(403, "SignatureDoesNotMatch")
	put(urls[sum], right, "", "hello").want(500, "")
	put(strings.Replace(urls[sum], "Expires=900", "Expires=9000", 1), right, binary, "hello").want(403, "SignatureDoesNotMatch")
	put(urls[sum], right, binary, "hello").want(204, "")
	f.acme(f.root, "PUT", box, `{"is_completed":true}`).want(200, "")
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/h="+sum)).want(201, "")
	url := f.files("/cookbooks/a/1.0.0")[sum]
	if got := f.get(url).want(200, "hello"); got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("content type %q", got.header.Get("Content-Type"))
	}
	f.get(url+"0").want(403, "SignatureDoesNotMatch")
	put(url, right, binary, "hello").want(403, "")
	f.s.SetClock(func() time.Time { return time.Now().Add(901 * time.Second) })
	put(urls[sum], right, binary, "hello").want(403, "Request has expired")
	f.get(url).want(200, "hello")
	f.s.SetClock(func() time.Time { return time.Now().Add(8*time.Hour + time.Minute) })
	f.get(url).want(403, "Request has expired")
}

func TestURLTTL(t *testing.T) {
	f := newFixture(t, Options{URLTTL: time.Minute})
	sum := f.upload("x")[0]
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/x="+sum)).want(201, "")
	url := f.files("/cookbooks/a/1.0.0")[sum]
	f.s.SetClock(func() time.Time { return time.Now().Add(2 * time.Minute) })
	f.get(url).want(403, "<Code>AccessDenied</Code>")
}

// TestLostBlob: the row stays, so nobody can bring the file back by asking.
func TestLostBlob(t *testing.T) {
	f := newFixture(t, Options{})
	sum := f.upload("x")[0]
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/x="+sum)).want(201, "")
	if !f.snapshot().Cookbooks["/cookbooks/a/1.0.0"].Complete() {
		t.Fatal("the version is not complete")
	}
	if err := f.s.CorruptBlob("acme", sum); err != nil {
		t.Fatal(err)
	}
	if v := f.snapshot().Cookbooks["/cookbooks/a/1.0.0"]; !v.Files[0].Stored || v.Files[0].Intact || v.Complete() {
		t.Errorf("corrupt: %+v", v)
	}
	if err := f.s.DropBlob("acme", sum); err != nil {
		t.Fatal(err)
	}
	f.get(f.files("/cookbooks/a/1.0.0")[sum]).want(404, "NoSuchKey")
	if _, urls := f.sandbox(sum); len(urls) != 0 {
		t.Error("the sandbox asks for a file whose row is there")
	}
	if v := f.snapshot().Cookbooks["/cookbooks/a/1.0.0"]; !v.Files[0].Registered || v.Files[0].Stored {
		t.Errorf("lost: %+v", v)
	}
}
