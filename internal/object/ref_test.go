package object_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/object"
)

func TestParseRef(t *testing.T) {
	for _, tt := range []struct {
		path string
		want object.Ref
	}{
		{"/roles/web", object.Ref{Kind: object.KindRole, Name: "web"}},
		{"/roles/a.b_c:d-e9", object.Ref{Kind: object.KindRole, Name: "a.b_c:d-e9"}},
		{"/roles/...", object.Ref{Kind: object.KindRole, Name: "..."}},
		{"/roles/_default", object.Ref{Kind: object.KindRole, Name: "_default"}},
		{"/environments/prod", object.Ref{Kind: object.KindEnvironment, Name: "prod"}},
		{"/data/users", object.Ref{Kind: object.KindDataBag, Name: "users"}},
		{"/data/data", object.Ref{Kind: object.KindDataBag, Name: "data"}},
		{"/data/users/alice", object.Ref{Kind: object.KindDataBagItem, Name: "users", Sub: "alice"}},
		{"/cookbooks/app/1.2.3", object.Ref{Kind: object.KindCookbook, Name: "app", Sub: "1.2.3"}},
		{"/cookbooks/app/0.0.0", object.Ref{Kind: object.KindCookbook, Name: "app", Sub: "0.0.0"}},
		{"/cookbooks/app/9223372036854775807.0.0", object.Ref{Kind: object.KindCookbook, Name: "app", Sub: "9223372036854775807.0.0"}},
	} {
		got, err := object.ParseRef(tt.path)
		if err != nil || got != tt.want {
			t.Errorf("ParseRef(%q) = %+v, %v; want %+v", tt.path, got, err, tt.want)
		}
		if got.Path() != tt.path || got.String() != tt.path {
			t.Errorf("%+v has path %q; want %q", got, got.Path(), tt.path)
		}
	}
}

// TestParseRefOfShortVersions: one version must not have two refs.
func TestParseRefOfShortVersions(t *testing.T) {
	for path, want := range map[string]string{
		"/cookbooks/app/1": "/cookbooks/app/1.0.0", "/cookbooks/app/1.0": "/cookbooks/app/1.0.0",
		"/cookbooks/app/01.002.0": "/cookbooks/app/1.2.0", "/cookbooks/app/10.0": "/cookbooks/app/10.0.0",
	} {
		if got, err := object.ParseRef(path); err != nil || got.Path() != want {
			t.Errorf("ParseRef(%q) = %s, %v; want %s", path, got, err, want)
		}
	}
}

func TestParseRefOfUnknownPaths(t *testing.T) {
	for _, path := range []string{
		"", "/", "//", "roles/web", "/roles", "/roles/", "//roles/web", "/roles//web", "/roles/web/", "/Roles/web",
		"/sandboxes/web", "/users/web", "/roles/web/environments", "/roles/../roles/web",
		"/data", "/data/", "/data/users/", "/data/users/alice/x", "/cookbooks/app", "/cookbooks/app/", "/cookbooks//1.0.0",
		"/cookbook_artifacts/app", "/policies/p/revisions", "/policies/p/revision/r", "/environments/_default", "https://chef/roles/web",
	} {
		got, err := object.ParseRef(path)
		if !errors.Is(err, object.ErrUnknownPath) || got != (object.Ref{}) {
			t.Errorf("ParseRef(%q) = %+v, %v; want ErrUnknownPath", path, got, err)
		}
	}
}

// TestParseRefOfDangerousNames: what a hostile or broken feed says must not lead
// to another place. It is an error, though of no unknown path.
func TestParseRefOfDangerousNames(t *testing.T) {
	for _, path := range []string{
		"/roles/.", "/roles/..", "/data/../x", "/data/x/..", "/data/./x", "/roles/a b", "/roles/a%2fb", "/roles/%2e%2e", "/roles/a?b",
		"/roles/a#b", "/roles/a\\b", "/roles/*", "/data/*/x", "/data/x/*", "/roles/a\x00", "/roles/a\n", "/roles/é", "/roles/\xff",
		"/roles/a;b", "/roles/a+b", "/roles/a@b", "/roles/~", "/roles/a&b",
		"/cookbooks/app/_latest", "/cookbooks/app/latest", "/cookbooks/app/1.2.3.4", "/cookbooks/app/1..2", "/cookbooks/app/.1",
		"/cookbooks/app/1.", "/cookbooks/app/-1.0.0", "/cookbooks/app/1.0.0-rc1", "/cookbooks/../1.0.0", "/cookbooks/app/..",
	} {
		got, err := object.ParseRef(path)
		if err == nil || errors.Is(err, object.ErrUnknownPath) || got != (object.Ref{}) {
			t.Errorf("ParseRef(%q) = %+v, %v; want an error about the name", path, got, err)
		}
	}
}

// TestParents: what a server deletes with another, and the way back.
func TestParents(t *testing.T) {
	for child, parent := range map[string]string{
		"/data/b/i": "/data/b", "/policies/p/revisions/1": "/policies/p", "/policy_groups/g/policies/p": "/policy_groups/g",
		"/roles/r": "", "/data/b": "", "/cookbooks/c/1.0.0": "", "/cookbook_artifacts/c/1": "", "/policies/p": "", "/data/b/_acl": "",
	} {
		ref := object.MustRef(child)
		got, ok := ref.Parent()
		if got.Path() != parent || ok != (parent != "") {
			t.Errorf("the parent of %s = %s, %t; want %q", child, got, ok, parent)
		}
		if k, has := got.Kind.Contains(); ok && k != ref.Kind || has != ok {
			t.Errorf("%s contains %q, %t; want %s", got.Kind, k, has, ref.Kind)
		}
	}
	for _, k := range object.Kinds() {
		child, ok := k.Contains()
		if !ok {
			continue
		}
		if parent, ok := object.NewRef(child, "a", "b").Parent(); !ok || parent != object.NewRef(k, "a") {
			t.Errorf("%s contains %s, whose parent is %s", k, child, parent)
		}
	}
}

func TestMustRefPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("MustRef of an unknown path does not panic")
		}
	}()
	object.MustRef("/sandboxes/n")
}

// FuzzParseRef: whatever is taken stands in a URL as it is, comes back from its
// text, and has one spelling.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"/roles/web", "/data/b/i", "/cookbooks/c/1.0", "/data/..", "/environments/_default", "/roles/a%2f..", "//", "*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r, err := object.ParseRef(path)
		if err != nil {
			if r != (object.Ref{}) {
				t.Fatalf("%q: an error and %+v", path, r)
			}
			return
		}
		if r.Path() != path && r.Kind != object.KindCookbook {
			t.Fatalf("%q became %q", path, r.Path())
		}
		again, err := object.ParseRef(r.Path())
		if err != nil || again != r {
			t.Fatalf("%q: its path %q is read as %+v, %v", path, r.Path(), again, err)
		}
		u, err := url.Parse("https://chef/organizations/acme" + r.Path())
		if err != nil || u.EscapedPath() != "/organizations/acme"+r.Path() || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q in a URL is %v, %v", r.Path(), u, err)
		}
		if got := u.JoinPath("").Path; got != u.Path+"/" && got != u.Path {
			t.Fatalf("%q resolves to %q", u.Path, got)
		}
	})
}

func TestNewRef(t *testing.T) {
	for _, tt := range []struct {
		got, want object.Ref
	}{
		{object.NewRef(object.KindRole, "web"), object.MustRef("/roles/web")},
		{object.NewRef(object.KindRole, "web", "ignored"), object.MustRef("/roles/web")},
		{object.NewRef(object.KindDataBag, "b", "ignored"), object.MustRef("/data/b")},
		{object.NewRef(object.KindDataBagItem, "b", "i"), object.MustRef("/data/b/i")},
		{object.NewRef(object.KindCookbook, "c", "1.0.0"), object.MustRef("/cookbooks/c/1.0.0")},
		{object.NewRef("sandbox", "n", "x"), object.Ref{Kind: "sandbox", Name: "n", Sub: "x"}},
	} {
		if tt.got != tt.want {
			t.Errorf("got %+v; want %+v", tt.got, tt.want)
		}
	}
}

func TestRefJSON(t *testing.T) {
	role, item := object.MustRef("/roles/web"), object.MustRef("/data/b/i")
	type doc struct {
		Ref  object.Ref
		None object.Ref
		Map  map[object.Ref]int
		List []object.Change
	}
	want := doc{
		Ref: role, Map: map[object.Ref]int{role: 1, item: 2},
		List: []object.Change{{ID: 7, Action: object.ActionDelete, Ref: item}, {Action: object.ActionCreate, Ref: role}},
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const printed = `{"Ref":"/roles/web","None":"","Map":{"/data/b/i":2,"/roles/web":1},` +
		`"List":[{"id":7,"action":"delete","path":"/data/b/i"},{"action":"create","path":"/roles/web"}]}`
	if string(text) != printed {
		t.Errorf("JSON = %s; want %s", text, printed)
	}
	var got doc
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("from JSON (-want +got):\n%s", diff)
	}
}

func TestRefJSONErrors(t *testing.T) {
	if text, err := json.Marshal(object.Ref{Kind: "sandbox", Name: "n"}); !errors.Is(err, object.ErrUnknownPath) {
		t.Errorf("a ref of an unknown kind = %s, %v; want ErrUnknownPath, since nobody could read it", text, err)
	}
	kept := object.MustRef("/roles/kept")
	for _, text := range []string{`"/sandboxes/n"`, `"/roles/.."`, `1`, `{}`} {
		r := kept
		if err := json.Unmarshal([]byte(text), &r); err == nil || r != kept {
			t.Errorf("%s was read as %+v, %v", text, r, err)
		}
	}
}

func TestCompareIsTheOrderOfWrites(t *testing.T) {
	want := []object.Ref{
		object.MustRef("/cookbooks/a/1.0.0"), object.MustRef("/cookbooks/b/1.0.0"), object.MustRef("/data/users"),
		object.MustRef("/data/users/alice"), object.MustRef("/data/users/bob"), object.MustRef("/environments/prod"), object.MustRef("/roles/web"),
		{Kind: "node", Name: "n"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, object.Ref.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sorted (-want +got):\n%s", diff)
	}
	for i, a := range want {
		for j, b := range want {
			if d := a.Compare(b); d < 0 != (i < j) || d > 0 != (i > j) {
				t.Errorf("%s.Compare(%s) = %d", a, b, d)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	ks := object.Kinds()
	if !slices.IsSortedFunc(ks, func(a, b object.Kind) int { return a.Rank() - b.Rank() }) {
		t.Errorf("Kinds() = %v, which is not in the order of ranks", ks)
	}
	for _, k := range ks {
		if !k.Valid() || k == "" {
			t.Errorf("%q is not valid", k)
		}
		if r := object.NewRef(k, "n", "1"); r.Path() == "" {
			t.Errorf("%q has no path", k)
		}
	}
	ks[0] = "changed"
	if object.Kinds()[0] == "changed" {
		t.Error("a caller can change the table of kinds")
	}
	for _, k := range []object.Kind{"", "sandbox"} {
		if k.Valid() || k.Rank() <= object.KindRole.Rank() {
			t.Errorf("%q: Valid %v, Rank %d; want an unknown kind to come last", k, k.Valid(), k.Rank())
		}
	}
	if object.KindDataBag.Rank() >= object.KindDataBagItem.Rank() || object.KindCookbook.Rank() >= object.KindRole.Rank() {
		t.Error("a pointer is written before what it points to")
	}
}
