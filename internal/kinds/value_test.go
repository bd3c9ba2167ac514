package kinds_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// agree checks that there are fields exactly where the digests of objects differ,
// all compared with all.
func agree(t *testing.T, objects ...kinds.Object) {
	t.Helper()
	for _, a := range objects {
		for _, b := range objects {
			fields := plan.Fields(value(t, a), value(t, b))
			if (a.Digest == b.Digest) != (len(fields) == 0) {
				t.Errorf("%s: digests %s and %s, fields %v", a.Ref, a.Digest, b.Digest, fields)
			}
		}
	}
}

func value(t *testing.T, o kinds.Object) any {
	t.Helper()
	v, err := kinds.Value(o)
	if err != nil {
		t.Fatalf("Value(%s): %v", o.Ref, err)
	}
	return v
}

// TestValuesAgreeWithDigests takes an object of each kind in two states, and a
// copy on another server.
func TestValuesAgreeWithDigests(t *testing.T) {
	t.Parallel()
	for _, sp := range specimens {
		t.Run(string(sp.ref.Kind), func(t *testing.T) {
			t.Parallel()
			ctx, h := t.Context(), kinds.For(sp.ref.Kind)
			var seen []kinds.Object
			for range 2 {
				c := feedtest.Server(t, chefserver.Options{}).Client
				if sp.bag != "" {
					if err := c.CreateDataBag(ctx, sp.bag); err != nil {
						t.Fatal(err)
					}
				}
				if err := h.Create(ctx, c, kinds.Object{Ref: sp.ref, Raw: json.RawMessage(sp.one)}); err != nil {
					t.Fatal(err)
				}
				seen = append(seen, get(t, h, c, sp.ref))
				if sp.two == "" || h.Update(ctx, c, kinds.Object{Ref: sp.ref, Raw: json.RawMessage(sp.two)}, seen[len(seen)-1]) != nil {
					continue // of one state only
				}
				seen = append(seen, get(t, h, c, sp.ref))
			}
			agree(t, seen...)
		})
	}
}

// TestValuesOfOlderForms: what servers filled in is not a difference to show.
func TestValuesOfOlderForms(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	for path, bodies := range map[string][]string{
		"/roles/r": {
			`{"name":"r","run_list":["a","recipe[a]","b"],"default_attributes":{"f":1.50}}`,
			`{"env_run_lists":{},"override_attributes":{},"default_attributes":{"f":1.5},"run_list":["recipe[a]","recipe[b]"],"chef_type":"role","json_class":"Chef::Role","description":"","name":"r"}`,
			`{"name":"r","run_list":["a","recipe[b]"],"default_attributes":{"f":1}}`,
		},
		"/environments/e": {
			`{"name":"e","override_attributes":{"x":1e3}}`,
			`{"name":"e","description":"","cookbook_versions":{},"json_class":"Chef::Environment","chef_type":"environment","default_attributes":{},"override_attributes":{"x":1000.0}}`,
			`{"name":"e","override_attributes":{"x":1000}}`,
		},
		"/data/b/i": {`{"id":"i","a":{"x":1,"y":2}}`, "{\"a\": {\"y\":2, \"x\":1},\n \"id\":\"i\"}", `{"id":"i"}`},
	} {
		ref := object.MustRef(path)
		var seen []kinds.Object
		for _, body := range bodies {
			rule := s.Faults().Add(chefserver.Fault{
				Method: http.MethodGet, Path: regexp.MustCompile(path + "$"), Effect: chefserver.Status(http.StatusOK, body),
			})
			seen = append(seen, get(t, kinds.For(ref.Kind), s.Client, ref))
			rule.Remove()
		}
		agree(t, seen...)
	}
}

// TestValueOfCookbook: a file that is changed is one field, with its path.
func TestValueOfCookbook(t *testing.T) {
	t.Parallel()
	var seen []kinds.Object
	for _, content := range []string{"1", "2"} {
		s := feedtest.Server(t, chefserver.Options{})
		harness.Write(t, s.Client).Cookbook("c", "1.0.0", true, map[string]string{"a.rb": "x", "recipes/default.rb": content})
		seen = append(seen, get(t, kinds.For(object.KindCookbook), s.Client, object.MustRef("/cookbooks/c/1.0.0")))
	}
	want := []plan.Field{{
		Path:    "/files/recipes~1default.rb",
		Primary: `"c4ca4238a0b923820dcc509a6f75849b"`, Replica: `"c81e728d9d4c2f636f067f89cc14862c"`,
	}}
	if diff := cmp.Diff(want, plan.Fields(value(t, seen[0]), value(t, seen[1]))); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	agree(t, seen...)
}

func TestValueOfNothing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/roles/r", "/data/b/i", "/cookbooks/c/1.0.0"} {
		o := kinds.Object{Ref: object.MustRef(path), Raw: json.RawMessage(`"secret`)}
		if v, err := kinds.Value(o); err == nil || regexp.MustCompile("secret").MatchString(err.Error()) {
			t.Errorf("Value of half a string at %s = %v, %v; want an error without it", path, v, err)
		}
	}
}

// TestFileNamesAreDistinct: the value of a cookbook loses nothing of its files.
func TestFileNamesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]chef.File{}
	for _, path := range []string{"a", "a@b", `a"`, `"a"`, "a@default"} {
		for _, specificity := range []string{"", "default", "b", "b@default", `"b"`} {
			f := chef.File{Path: path, Specificity: specificity}
			name := kinds.FileName(f)
			if other, taken := seen[name]; taken {
				t.Errorf("%+v and %+v are both called %s", f, other, name)
			}
			seen[name] = f
		}
	}
}
