package kinds

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/plan"
)

func decode(t *testing.T, doc string) map[string]any {
	t.Helper()
	v, err := plan.Decode(json.RawMessage(doc))
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return v.(map[string]any)
}

func TestNormalizeRole(t *testing.T) {
	const full = `"description":"","json_class":"Chef::Role","chef_type":"role","default_attributes":{},"override_attributes":{}`
	for _, tt := range []struct{ name, in, want string }{
		{"only a name", `{"name":"r"}`, `{"name":"r",` + full + `,"run_list":[],"env_run_lists":{}}`},
		{"nothing is missing", `{"name":"r","description":"d","json_class":"X","chef_type":"y","default_attributes":{"a":1},"override_attributes":{"b":null},"run_list":["role[x]"],"env_run_lists":{"e":[]}}`,
			`{"name":"r","description":"d","json_class":"X","chef_type":"y","default_attributes":{"a":1},"override_attributes":{"b":null},"run_list":["role[x]"],"env_run_lists":{"e":[]}}`},
		{"null is not missing", `{"name":"r","description":null,"run_list":null}`,
			`{"name":"r","description":null,"json_class":"Chef::Role","chef_type":"role","default_attributes":{},"override_attributes":{},"run_list":null,"env_run_lists":{}}`},
		{"unknown keys stay", `{"name":"r","x":{"y":[1]}}`, `{"name":"r","x":{"y":[1]},` + full + `,"run_list":[],"env_run_lists":{}}`},
		{"run lists", `{"name":"r","run_list":["a","recipe[a]","role[b]","a","a::x","a@1.0.0","role[b]"],"env_run_lists":{"e":["b","b"],"f":["recipe[c]"]}}`,
			`{"name":"r",` + full + `,"run_list":["recipe[a]","role[b]","recipe[a::x]","recipe[a@1.0.0]"],"env_run_lists":{"e":["recipe[b]"],"f":["recipe[c]"]}}`},
		{"a::default is not a", `{"name":"r","run_list":["a","a::default"]}`,
			`{"name":"r",` + full + `,"run_list":["recipe[a]","recipe[a::default]"],"env_run_lists":{}}`},
		{"what is no run list", `{"name":"r","run_list":"a","env_run_lists":{"e":"a","f":[1,"a",null,1]}}`,
			`{"name":"r",` + full + `,"run_list":"a","env_run_lists":{"e":"a","f":[1,"recipe[a]",null,1]}}`},
		{"what is no map of run lists", `{"name":"r","env_run_lists":["a"]}`, `{"name":"r",` + full + `,"run_list":[],"env_run_lists":["a"]}`},
	} {
		got := decode(t, tt.in)
		normalizeRole(got)
		if diff := cmp.Diff(decode(t, tt.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		again := decode(t, tt.want)
		normalizeRole(again)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("%s: normalized twice (-once +twice):\n%s", tt.name, diff)
		}
	}
}

func TestNormalizeEnvironment(t *testing.T) {
	for in, want := range map[string]string{
		`{"name":"e"}`: `{"name":"e","description":"","json_class":"Chef::Environment","chef_type":"environment",` +
			`"default_attributes":{},"override_attributes":{},"cookbook_versions":{}}`,
		`{"name":"e","description":"d","json_class":"X","chef_type":"y","default_attributes":1,"override_attributes":2,"cookbook_versions":{"c":"= 1.0"},"x":1}`: `{"name":"e","description":"d","json_class":"X","chef_type":"y",` +
			`"default_attributes":1,"override_attributes":2,"cookbook_versions":{"c":"= 1.0"},"x":1}`,
	} {
		got := decode(t, in)
		normalizeEnvironment(got)
		if diff := cmp.Diff(decode(t, want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

// TestDefaultsAreNotShared: one role's attributes must not show in the next.
func TestDefaultsAreNotShared(t *testing.T) {
	one, two := map[string]any{}, map[string]any{}
	normalizeRole(one)
	one["default_attributes"].(map[string]any)["x"] = 1
	normalizeRole(two)
	if len(two["default_attributes"].(map[string]any)) != 0 {
		t.Error("two roles share their default attributes")
	}
}

// manifest is a cookbook version in the form of API version 2.
const manifest = `{"name":"c-1.0.0","cookbook_name":"c","version":"1.0.0","json_class":"Chef::CookbookVersion","chef_type":"cookbook_version",` +
	`"frozen?":false,"metadata":{"name":"c","version":"1.0.0","dependencies":{"x":">= 1.0"},"n":12345678901234567890},` +
	`"all_files":[` +
	`{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"11111111111111111111111111111111","specificity":"default","url":"https://a/1?sig=x"},` +
	`{"name":"root_files/README.md","path":"README.md","checksum":"22222222222222222222222222222222","specificity":"default","url":"https://a/2"}]}`

func digestOf(t *testing.T, doc string) string {
	t.Helper()
	var m chef.Manifest
	if err := json.Unmarshal([]byte(doc), &m); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	d, err := cookbookDigest(&m)
	if err != nil || !d.Known() {
		t.Fatalf("digest of %s: %q, %v", doc, d, err)
	}
	return string(d)
}

func TestCookbookDigest(t *testing.T) {
	want := digestOf(t, manifest)
	const first, second = `{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"11111111111111111111111111111111","specificity":"default","url":"https://a/1?sig=x"}`,
		`{"name":"root_files/README.md","path":"README.md","checksum":"22222222222222222222222222222222","specificity":"default","url":"https://a/2"}`
	for _, tt := range []struct {
		name, old, new string
		equal          bool
	}{
		{"file name", `"name":"recipes/default.rb"`, `"name":"default.rb"`, true},
		{"file url", `https://a/1?sig=x`, `https://b/9`, true},
		{"no file url", `,"url":"https://a/2"`, ``, true},
		{"order of files", first + "," + second, second + "," + first, true},
		{"a file twice", second, second + "," + second, true},
		{"spelling of the metadata", `"name":"c","version":"1.0.0",`, ` "version" : "1.0.0", "name":"c",`, true},
		{"an empty long description", `"n":12345678901234567890`, `"n":12345678901234567890,"long_description":""`, true},

		{"a long description", `"n":12345678901234567890`, `"n":12345678901234567890,"long_description":"x"`, false},
		{"frozen", `"frozen?":false`, `"frozen?":true`, false},
		{"metadata", `">= 1.0"`, `">= 1.1"`, false},
		{"a big number in the metadata", `12345678901234567890`, `12345678901234567891`, false},
		{"a key of the metadata", `"n":12345678901234567890`, `"n":12345678901234567890,"x":null`, false},
		{"no metadata", `"metadata"`, `"metadatum"`, false},
		{"path", `"path":"README.md"`, `"path":"README"`, false},
		{"checksum", `2222222222"`, `2222222223"`, false},
		{"specificity", `"specificity":"default","url":"https://a/2"`, `"specificity":"host-web","url":"https://a/2"`, false},
		{"a file less", `,` + second, ``, false},
		{"contents swapped", `"11111111111111111111111111111111"`, `"22222222222222222222222222222222"`, false},
	} {
		if !strings.Contains(manifest, tt.old) {
			t.Fatalf("%s: nothing to replace", tt.name)
		}
		if got := digestOf(t, strings.Replace(manifest, tt.old, tt.new, 1)); (got == want) != tt.equal {
			t.Errorf("%s: equal digests: %v; want %v", tt.name, got == want, tt.equal)
		}
	}
}

// TestCookbookDigestOfBothForms: one version, stored through two API versions.
func TestCookbookDigestOfBothForms(t *testing.T) {
	i := strings.Index(manifest, `"all_files"`)
	segments := manifest[:i] + `"recipes":[{"name":"default.rb","path":"recipes/default.rb","checksum":"11111111111111111111111111111111","specificity":"default"}],` +
		`"root_files":[{"name":"README.md","path":"README.md","checksum":"22222222222222222222222222222222","specificity":"default"}],` +
		`"attributes":[],"definitions":[],"files":[],"libraries":[],"providers":[],"resources":[],"templates":[]}`
	if digestOf(t, segments) != digestOf(t, manifest) {
		t.Error("the two forms of a manifest have two digests")
	}
}
