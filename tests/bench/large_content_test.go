package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// large says how much a large organization holds.
type large struct {
	cookbooks, versions int // versions of each cookbook
	files               int // of each version; a fifth of them differ from the version before
	bags, items         int // items of each bag
	roles               int
}

// whole is 2,000 cookbook versions with 20 files each, 20,000 data bag items and
// 200 roles.
var whole = large{cookbooks: 100, versions: 20, files: 20, bags: 50, items: 400, roles: 200}

// largeScale is by how much the environment's CHEF_SYNC_BENCH_SCALE multiplies
// the size of large organizations: 1 if it is not set, 0.02 with -quick.
func largeScale(t testing.TB) float64 {
	t.Helper()
	text := os.Getenv("CHEF_SYNC_BENCH_SCALE")
	if text == "" && *quick {
		text = "0.02"
	}
	if text == "" {
		return 1
	}
	by, err := strconv.ParseFloat(text, 64)
	if err != nil || by <= 0 {
		t.Fatalf("CHEF_SYNC_BENCH_SCALE is %q, which is no positive number", text)
	}
	return by
}

// times returns an organization of the same shape and by times the size.
func (l large) times(by float64) large {
	n := func(of int) int { return max(int(float64(of)*by), 1) }
	l.cookbooks, l.bags, l.roles = n(l.cookbooks), n(l.bags), n(l.roles)
	return l
}

// objects counts what the API calls an object.
func (l large) objects() int { return l.cookbooks*l.versions + l.bags*(1+l.items) + l.roles }

func (l large) String() string {
	return fmt.Sprintf("%d cookbook versions with %d files each, %d bags with %d items each, %d roles: %d objects",
		l.cookbooks*l.versions, l.files, l.bags, l.items, l.roles, l.objects())
}

// load fills the organization behind the server's API.
func (l large) load(t testing.TB, s *harness.ChefServer) {
	t.Helper()
	write := func(method, path string, body any) {
		data, err := json.Marshal(body)
		if err == nil {
			err = s.Load(harness.Organization, method, path, data)
		}
		if err != nil {
			t.Fatalf("load the primary: %v", err)
		}
	}
	for i := range l.cookbooks {
		for v := range l.versions {
			write(http.MethodPut, fmt.Sprintf("/cookbooks/cookbook%03d/1.%d.0", i, v), l.manifest(t, s, i, v))
		}
	}
	for i := range l.bags {
		bag := fmt.Sprintf("bag%02d", i)
		write(http.MethodPost, "/data", map[string]any{"name": bag})
		for n := range l.items {
			write(http.MethodPost, "/data/"+bag, map[string]any{
				"id": fmt.Sprintf("item%04d", n), "number": i*l.items + n, "text": filler(n)[:500],
				"keys": map[string]any{"id": "something else", "cipher": "aes-256-gcm"},
			})
		}
	}
	for i := range l.roles {
		write(http.MethodPost, "/roles", role(i, 0))
	}
}

// manifest stores the files of a version and returns what names them. All versions
// but the last are frozen.
func (l large) manifest(t testing.TB, s *harness.ChefServer, i, v int) map[string]any {
	t.Helper()
	name, version := fmt.Sprintf("cookbook%03d", i), fmt.Sprintf("1.%d.0", v)
	var files []any
	for f := range l.files {
		changed := v - (v+f)%5 // the version that changed the file last
		if changed < 0 {
			changed = 0
		}
		path := fmt.Sprintf("recipes/recipe%d.rb", f)
		text := fmt.Sprintf("# %s, since version %d\n%s", path, changed, filler(i*10000 + changed*100 + f)[:900])
		sum, err := s.LoadFile(harness.Organization, []byte(text))
		if err != nil {
			t.Fatalf("load the primary: %v", err)
		}
		files = append(files, map[string]any{"name": path, "path": path, "checksum": sum, "specificity": "default"})
	}
	return map[string]any{
		"name": name + "-" + version, "cookbook_name": name, "version": version,
		"json_class": "Chef::CookbookVersion", "chef_type": "cookbook_version",
		"frozen?": v < l.versions-1, "all_files": files,
		"metadata": map[string]any{
			"name": name, "version": version, "description": "installs " + name, "long_description": filler(i)[:300],
			"maintainer": "Somebody", "maintainer_email": "somebody@example.com", "license": "Apache-2.0",
			"platforms": map[string]string{"debian": ">= 11.0", "ubuntu": ">= 22.04"}, "dependencies": map[string]string{"apt": ">= 7.0.0"},
		},
	}
}
