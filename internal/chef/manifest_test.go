package chef

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	md5a = "0cc175b9c0f1b6a831c399e269772661"
	md5b = "92eb5ffee6ae2fec3ad71c777531578f"
)

// manifestV2 has what can be lost: unknown keys on each level, a number that no
// float holds, an upper-case checksum, a version of two numbers.
const manifestV2 = `{"name":"nginx-1.0","cookbook_name":"nginx","version":"1.0","json_class":"Chef::CookbookVersion",
	"chef_type":"cookbook_version","frozen?":true,"new_key":{"n":12345678901234567890},
	"metadata":{"name":"nginx","version":"1.0","n":12345678901234567890,"f":1.50,"description":"<a&b>\u2028"},
	"all_files":[
		{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"0CC175B9C0F1B6A831C399E269772661","specificity":"default","url":"https://chef/a?sig=hunter2","size":12345678901234567890},
		{"name":"root_files/README.md","path":"README.md","checksum":"92eb5ffee6ae2fec3ad71c777531578f","specificity":"default","url":"https://chef/b?sig=hunter2"},
		{"name":"templates/a/b.erb","path":"templates/default/a/b.erb","checksum":"92eb5ffee6ae2fec3ad71c777531578f","specificity":"host-x"}]}`

func manifest(t testing.TB, text string) *Manifest {
	t.Helper()
	var m Manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("unmarshal %s: %v", text, err)
	}
	return &m
}

// value decodes JSON with its numbers kept as text.
func value(t rapidOrTest, text []byte) any {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return v
}

func TestManifest(t *testing.T) {
	m := manifest(t, manifestV2)
	if m.CookbookName() != "nginx" || m.Version() != "1.0" || !m.Frozen() {
		t.Errorf("got %q %q frozen %t", m.CookbookName(), m.Version(), m.Frozen())
	}
	wantFiles := []File{
		{"recipes/default.rb", "recipes/default.rb", md5a, "default", "https://chef/a?sig=hunter2"},
		{"root_files/README.md", "README.md", md5b, "default", "https://chef/b?sig=hunter2"},
		{"templates/a/b.erb", "templates/default/a/b.erb", md5b, "host-x", ""},
	}
	if diff := cmp.Diff(wantFiles, m.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{md5a, md5b}, m.Checksums()); diff != "" {
		t.Errorf("checksums (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(m.Metadata()), "12345678901234567890") {
		t.Errorf("metadata is %s", m.Metadata())
	}

	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "hunter2") {
		t.Errorf("a URL was written: %s", out)
	}
	want := value(t, []byte(manifestV2)).(map[string]any)
	for _, f := range want["all_files"].([]any) {
		entry := f.(map[string]any)
		delete(entry, "url")
		entry["checksum"] = strings.ToLower(entry["checksum"].(string))
	}
	if diff := cmp.Diff(any(want), value(t, out)); diff != "" {
		t.Errorf("written form (-want +got):\n%s", diff)
	}
}

func TestManifestSegments(t *testing.T) {
	m := manifest(t, manifestV2)
	text, err := m.segmentForm()
	if err != nil {
		t.Fatal(err)
	}
	got := value(t, text).(map[string]any)
	for _, s := range segments {
		if _, ok := got[s].([]any); !ok {
			t.Errorf("segment %s is %v, want a list", s, got[s])
		}
	}
	if _, ok := got["all_files"]; ok {
		t.Error("the segment form has all_files")
	}
	if name := got["root_files"].([]any)[0].(map[string]any)["name"]; name != "README.md" {
		t.Errorf("name of the root file is %v", name)
	}
	back := manifest(t, string(text))
	checkSameManifest(t, m, back)
	if !back.segmented || m.segmented {
		t.Errorf("segmented: got %t and %t", back.segmented, m.segmented)
	}
}

// checkSameManifest compares what both write, with files as a set.
func checkSameManifest(t rapidOrTest, a, b *Manifest) {
	var decoded [2]map[string]any
	for i, m := range []*Manifest{a, b} {
		text, err := m.MarshalJSON()
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		decoded[i] = value(t, text).(map[string]any)
		files := map[string]any{}
		for _, f := range decoded[i]["all_files"].([]any) {
			key, _ := json.Marshal(f)
			files[string(key)] = f
		}
		decoded[i]["all_files"] = files
	}
	if diff := cmp.Diff(decoded[0], decoded[1]); diff != "" {
		t.Fatalf("manifests differ (-want +got):\n%s", diff)
	}
}

func TestManifestDropsNoFiles(t *testing.T) {
	m := manifest(t, `{"name":"a-1.0.0","cookbook_name":"a","version":"1.0.0","all_files":[
		{"name":"recipes/a.rb","path":"recipes/a.rb","checksum":"`+md5a+`"},
		{"name":"compliance/profiles/x.rb","path":"compliance/profiles/x.rb","checksum":"`+md5a+`"},
		{"name":"spec/y.rb","path":"spec/y.rb","checksum":"`+md5b+`"}]}`)
	_, err := m.segmentForm()
	if !errors.Is(err, ErrDropsFiles) || Classify(err) != ClassObject {
		t.Fatalf("got %v, want ErrDropsFiles", err)
	}
	for _, want := range []string{"a 1.0.0", "compliance/profiles/x.rb, spec/y.rb"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestManifestRefuses(t *testing.T) {
	file := func(entry string) string { return `{"name":"a-1.0.0","all_files":[` + entry + `]}` }
	for _, tt := range []struct {
		text    string
		damaged bool
	}{
		{`null`, false},
		{`[]`, false},
		{`"a"`, false},
		{`{}`, false},
		{`{"error":["no"]}`, false},
		{`{"name":"a-1.0.0","all_files":null}`, true},
		{`{"name":"a-1.0.0","all_files":{}}`, true},
		{`{"name":"a-1.0.0","recipes":[1]}`, true},
		{file(`null`), true},
		{file(`{"name":"x","checksum":"` + md5a + `"}`), true},
		{file(`{"name":"x","path":"x"}`), true},
		{file(`{"name":"x","path":"x","checksum":"abc"}`), true},
		{file(`{"name":"x","path":"x","checksum":"zz` + md5a[2:] + `"}`), true},
		{file(`{"name":"x","path":"x","checksum":` + "12" + `}`), true},
	} {
		var m Manifest
		err := json.Unmarshal([]byte(tt.text), &m)
		if err == nil || errors.Is(err, ErrManifest) != tt.damaged {
			t.Errorf("unmarshal %s: got %v, want an error, damaged %t", tt.text, err, tt.damaged)
		}
	}
}

func TestManifestNames(t *testing.T) {
	for _, tt := range []struct{ text, name, version string }{
		{`{"name":"a-b-1.2.3","version":"1.2.3"}`, "a-b", "1.2.3"},
		{`{"name":"a-1.0","cookbook_name":"a","version":"1.0.0","metadata":{"version":"1.0"}}`, "a", "1.0"},
		{`{"cookbook_name":"a","metadata":{"version":7},"version":"1.0"}`, "a", "1.0"},
		{`{"name":"artifact","identifier":"abc","version":"1.0.0","all_files":[]}`, "artifact", "1.0.0"},
		{`{"name":"a-1.0.0","cookbook_name":"b","identifier":"abc","version":"1.0.0"}`, "a-1.0.0", "1.0.0"},
	} {
		m := manifest(t, tt.text)
		if m.CookbookName() != tt.name || m.Version() != tt.version || m.Frozen() {
			t.Errorf("%s: got %q %q", tt.text, m.CookbookName(), m.Version())
		}
	}
}

func TestManifestContent(t *testing.T) {
	base := manifest(t, manifestV2)
	text, err := base.segmentForm()
	if err != nil {
		t.Fatal(err)
	}
	contentOf := func(m *Manifest) any {
		c, err := m.Content()
		if err != nil {
			t.Fatal(err)
		}
		return value(t, c)
	}
	renamed := manifest(t, strings.ReplaceAll(manifestV2, `"root_files/README.md"`, `"README.md"`))
	for name, same := range map[string]*Manifest{"segments": manifest(t, string(text)), "renamed": renamed} {
		if diff := cmp.Diff(contentOf(base), contentOf(same)); diff != "" {
			t.Errorf("content as %s (-want +got):\n%s", name, diff)
		}
	}
	for _, change := range [][2]string{
		{`"frozen?":true`, `"frozen?":false`}, {md5b, md5a}, {`host-x`, `default`}, {`12345678901234567890,"f"`, `12345678901234567891,"f"`},
	} {
		other := manifest(t, strings.Replace(manifestV2, change[0], change[1], 1))
		if reflect.DeepEqual(contentOf(base), contentOf(other)) {
			t.Errorf("content is the same after %s became %s", change[0], change[1])
		}
	}
	var zero Manifest
	if got, err := json.Marshal(&zero); err != nil || string(got) != `{"all_files":[]}` {
		t.Errorf("the zero manifest is %s, %v", got, err)
	}
}

// drawManifest draws a manifest that both forms can hold.
func drawManifest(t *rapid.T) *Manifest {
	m := &Manifest{keys: map[string]json.RawMessage{
		"name":    json.RawMessage(`"a-1.0.0"`),
		"frozen?": json.RawMessage(rapid.SampledFrom([]string{"true", "false"}).Draw(t, "frozen")),
		"metadata": json.RawMessage(rapid.SampledFrom([]string{
			`{"version":"1.0.0"}`, `{"version":"1.0.0","n":12345678901234567890}`, `{"version":"1.0.0","a":[null,{"b":"<"}]}`,
		}).Draw(t, "metadata")),
	}}
	for range rapid.IntRange(0, 8).Draw(t, "files") {
		segment := rapid.SampledFrom(segments).Draw(t, "segment")
		name := rapid.StringMatching(`[a-z/ é"\\]{1,8}`).Draw(t, "name")
		m.files = append(m.files, manifestFile{
			File: File{Name: segment + "/" + name, Path: name, Checksum: rapid.SampledFrom([]string{md5a, md5b}).Draw(t, "checksum")},
			keys: map[string]json.RawMessage{"path": mustJSON(name), "specificity": json.RawMessage(`"default"`), "x": json.RawMessage("1.50")},
		})
	}
	return m
}

func mustJSON(v any) json.RawMessage {
	out, err := encodeJSON(v)
	if err != nil {
		panic(err)
	}
	return out
}

func TestManifestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		for _, write := range []func() (json.RawMessage, error){
			m.segmentForm,
			func() (json.RawMessage, error) { return m.MarshalJSON() },
		} {
			text, err := write()
			if err != nil {
				t.Fatalf("write: %v", err)
			}
			var back Manifest
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatalf("read %s: %v", text, err)
			}
			checkSameManifest(t, m, &back)
		}
	})
}

func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		manifestV2, `{"name":"a-1.0.0","recipes":[{"name":"a.rb","path":"recipes/a.rb","checksum":"` + md5a + `"}]}`,
		`{}`, `null`, `{"name":"a","all_files":[null]}`, `{"name":"a","all_files":[],"files":[{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var m Manifest
		if json.Unmarshal(text, &m) != nil {
			return
		}
		once, err := json.Marshal(&m)
		if err != nil {
			t.Fatalf("marshal what was read from %q: %v", text, err)
		}
		var again Manifest
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("read %q, which was written for %q: %v", once, text, err)
		}
		twice, err := json.Marshal(&again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%q was written as %q, and that as %q (%v)", text, once, twice, err)
		}
	})
}

// A goiardi prints a version stored as 1.0 as 1.0.0 everywhere but in the
// metadata, and refuses that very manifest.
func TestPutCookbookMakesNameAndVersionAgreeWithThePath(t *testing.T) {
	var m Manifest
	text := `{"name":"fw-1.0.0","cookbook_name":"fw","version":"1.0.0","metadata":{"version":"1.0"},"recipes":[],"frozen?":false}`
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	got, err := m.addressed(m.CookbookName(), m.Version()).segmentForm()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back struct{ Name, Version string }
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	if back.Name != "fw-1.0" || back.Version != "1.0" {
		t.Errorf("sent as name %q, version %q; want fw-1.0 and 1.0, as in the path", back.Name, back.Version)
	}
}
