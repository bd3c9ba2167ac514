package chefserver

import (
	"encoding/json"
	"testing"
)

// TestLoad fills an organization without requests.
func TestLoad(t *testing.T) {
	s := New(Options{PivotalKey: testKeys()[0], Feed: true})
	if _, err := s.CreateOrganization("acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	sum, err := s.LoadFile("acme", []byte("package 'nginx'\n"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(map[string]any{
		"name": "nginx-1.0.0", "cookbook_name": "nginx", "version": "1.0.0", "json_class": "Chef::CookbookVersion",
		"chef_type": "cookbook_version", "frozen?": true, "metadata": map[string]any{"name": "nginx", "version": "1.0.0"},
		"all_files": []any{map[string]any{"name": "recipes/default.rb", "path": "recipes/default.rb", "checksum": sum, "specificity": "default"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct{ method, path, body string }{
		{"PUT", "/cookbooks/nginx/1.0.0", string(manifest)},
		{"POST", "/data", `{"name":"users"}`},
		{"POST", "/data/users", `{"id":"bob"}`},
		{"POST", "/roles", `{"name":"web"}`},
	} {
		if err := s.Load("acme", w.method, w.path, []byte(w.body)); err != nil {
			t.Error(err)
		}
	}
	for _, w := range []struct{ org, method, path, body string }{
		{"other", "POST", "/roles", `{"name":"web"}`},
		{"acme", "POST", "/roles", `{"name":"web"}`}, // 409
		{"acme", "POST", "/roles", `{}`},
		{"acme", "POST", "/nowhere", `{}`},
		{"acme", "PATCH", "/roles", `{}`},
	} {
		if err := s.Load(w.org, w.method, w.path, []byte(w.body)); err == nil {
			t.Errorf("%s %s of %s with %s was taken", w.method, w.path, w.org, w.body)
		}
	}
	snap, err := s.Snapshot("acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/cookbooks/nginx/1.0.0", "/data/users", "/data/users/bob", "/roles/web"} {
		if snap.Objects[path] == "" {
			t.Errorf("%s is not there", path)
		}
	}
	if v := snap.Cookbooks["/cookbooks/nginx/1.0.0"]; !v.Complete() || !v.Frozen {
		t.Errorf("the cookbook is %+v", v)
	}
	if n := s.Stats().Total; n != 0 {
		t.Errorf("loading counted %d requests", n)
	}
}
