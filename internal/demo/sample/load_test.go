package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/plan"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	server, c := newServer(t)
	var told []int
	var total int
	err := Load(t.Context(), c, func(done, of int) { told, total = append(told, done), of })
	if err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, Options{})
	checkLoaded(t, c, r)

	if len(told) != total || !slices.IsSorted(told) || told[0] != 1 || told[total-1] != total {
		t.Errorf("progress up to %d of %d was %v", len(told), total, told)
	}
	for path, v := range snapshot(t, server).Cookbooks {
		if !v.Complete() {
			t.Errorf("%s is not complete on the server", path)
		}
	}
}

// checkLoaded reads everything back and compares it with r.
func checkLoaded(t *testing.T, c *chef.Client, r *repo) {
	t.Helper()
	ctx := t.Context()
	checkNamed(t, "role", r.roles, c.ListRoles, func(n string) (json.RawMessage, error) { return c.GetRole(ctx, n) })
	checkNamed(t, "environment", r.environments, c.ListEnvironments,
		func(n string) (json.RawMessage, error) { return c.GetEnvironment(ctx, n) })

	var bags []string
	for _, b := range r.bags {
		bags = append(bags, b.name)
		checkNamed(t, "item of "+b.name, b.items,
			func(ctx context.Context) ([]string, error) { return c.ListDataBagItems(ctx, b.name) },
			func(n string) (json.RawMessage, error) { return c.GetDataBagItem(ctx, b.name, n) })
	}
	got, err := c.ListDataBags(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(bags)), got); diff != "" {
		t.Errorf("data bags (-want +got):\n%s", diff)
	}
	checkCookbooks(t, c, r)
}

func checkNamed(t *testing.T, kind string, want []named,
	list func(context.Context) ([]string, error), get func(string) (json.RawMessage, error),
) {
	t.Helper()
	got, err := list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, w := range want {
		names = append(names, w.name)
		body, err := get(w.name)
		if err != nil {
			t.Errorf("%s %s: %v", kind, w.name, err)
			continue
		}
		if digest(t, body) != digest(t, w.body) {
			t.Errorf("%s %s is %s, want %s", kind, w.name, body, w.body)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(names)), got); diff != "" {
		t.Errorf("%ss (-want +got):\n%s", kind, diff)
	}
}

func digest(t *testing.T, body json.RawMessage) string {
	t.Helper()
	d, err := plan.Digest(body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return string(d)
}

func checkCookbooks(t *testing.T, c *chef.Client, r *repo) {
	t.Helper()
	list, err := c.ListCookbooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(r.cookbooks) {
		t.Errorf("%d cookbook versions are listed, want %d: %v", len(list), len(r.cookbooks), list)
	}
	blobs := r.blobs()
	for _, cb := range r.cookbooks {
		got, err := c.GetCookbook(t.Context(), cb.name, cb.version)
		if err != nil {
			t.Errorf("cookbook %s %s: %v", cb.name, cb.version, err)
			continue
		}
		want, err := cb.manifest()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := content(t, got), content(t, want); digest(t, got) != digest(t, want) {
			t.Errorf("cookbook %s %s is %s, want %s", cb.name, cb.version, got, want)
		}
		for _, f := range got.Files() {
			var b bytes.Buffer
			if _, err := c.DownloadFile(t.Context(), f.URL, f.Checksum, &b); err != nil {
				t.Errorf("cookbook %s %s, %s: %v", cb.name, cb.version, f.Path, err)
			} else if !bytes.Equal(b.Bytes(), blobs[f.Checksum]) {
				t.Errorf("cookbook %s %s, %s has other bytes than were uploaded", cb.name, cb.version, f.Path)
			}
		}
	}
}

func content(t *testing.T, m *chef.Manifest) json.RawMessage {
	t.Helper()
	out, err := m.Content()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A second load repairs what was changed and leaves strangers alone.
func TestLoadAgain(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	before := snapshot(t, server)
	ctx := t.Context()
	for _, err := range []error{
		c.UpdateRole(ctx, "base", json.RawMessage(`{"name":"base","run_list":["other"]}`)),
		c.DeleteDataBag(ctx, "secrets"),
		c.DeleteEnvironment(ctx, "staging"),
		c.DeleteCookbook(ctx, "ntp", "1.0.0"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := Load(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Objects, snapshot(t, server).Objects); diff != "" {
		t.Errorf("after the second load (-want +got):\n%s", diff)
	}
	if err := c.CreateRole(ctx, json.RawMessage(`{"name":"stranger"}`)); err != nil {
		t.Fatal(err)
	}
	if err := Load(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetRole(ctx, "stranger"); err != nil {
		t.Error(err)
	}
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"file": "/bookshelf/", "cookbook": "/cookbooks/nginx/", "data bag": "/data$", "role": "/roles$",
	} {
		t.Run(name, func(t *testing.T) {
			server, c := newServer(t)
			server.Faults().Add(chefserver.Fault{Path: regexpFor(path), Effect: chefserver.Status(400, `{"error":["no"]}`)})
			err := Load(t.Context(), c, nil)
			var answer *chef.APIError
			if !errors.As(err, &answer) || answer.Status != 400 {
				t.Fatalf("Load = %v, want the server's 400", err)
			}
			server.Faults().Clear()
			if err := Load(t.Context(), c, nil); err != nil {
				t.Fatalf("Load after a failed one: %v", err)
			}
			checkLoaded(t, c, mustRead(t, Options{}))
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		_, c := newServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := Load(ctx, c, func(done, _ int) {
			if done == 50 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Load = %v, want %v", err, context.Canceled)
		}
	})
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for v, want := range []Options{{Segments: true}, {Segments: true}, {}} {
		if got := SkipFor(v); got != want {
			t.Errorf("SkipFor(%d) = %+v, want %+v", v, got, want)
		}
	}
	_, c := newServer(t)
	o := Options{Segments: true, Parallel: 1}
	if err := LoadWith(t.Context(), c, o, nil); err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, o)
	checkLoaded(t, c, r)
	for _, cb := range r.cookbooks {
		for _, f := range cb.files {
			if f.segment() == "" {
				t.Errorf("cookbook %s %s has %s", cb.name, cb.version, f.path)
			}
		}
	}
}

// The sample holds what it is there for.
func TestContents(t *testing.T) {
	all, err := Count(Options{})
	if err != nil {
		t.Fatal(err)
	}
	some, err := Count(Options{Segments: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("all of it: %+v, %d objects; in segments: %+v", all, all.Objects(), some)
	if all.Cookbooks < 8 || all.CookbookFiles <= some.CookbookFiles || all.Environments-some.Environments != 1 ||
		all.DataBagItems-some.DataBagItems != 2 || all.Roles != some.Roles {
		t.Errorf("all of it: %+v, in segments: %+v", all, some)
	}
	r := mustRead(t, Options{})
	frozen, binary, empty := map[string]bool{}, 0, 0
	for _, cb := range r.cookbooks {
		if cb.frozen {
			frozen[cb.name+"-"+cb.version] = true
		}
		for _, f := range cb.files {
			if !utf8.Valid(f.content) {
				binary++
			}
			if len(f.content) == 0 {
				empty++
			}
		}
	}
	if !maps.Equal(frozen, frozenVersions) {
		t.Errorf("frozen are %v, want %v", frozen, frozenVersions)
	}
	if binary < 4 || empty == 0 || len(r.cookbook("reserved_name", "0.0.1").files) != 0 || r.cookbook("firewall", "1.0") == nil {
		t.Errorf("%d files are no text, %d are empty", binary, empty)
	}
	for file := range notForGoiardi {
		if _, err := repoFS.ReadFile(file); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"12345678901234567890", "1.50", `\u0000`, `\u2028`} {
		if !slices.ContainsFunc(r.bags, func(b bag) bool {
			return slices.ContainsFunc(b.items, func(it named) bool { return strings.Contains(string(it.body), text) })
		}) {
			t.Errorf("no data bag item has %s", text)
		}
	}
}
