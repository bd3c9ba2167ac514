package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// size says how much there is to copy.
type size struct {
	cookbooks, versions int // versions of each cookbook
	files               int // of each version; one of ten is that of the version before
	roles, environments int
	bags, items         int // items of each bag
}

var (
	full  = size{cookbooks: 50, versions: 4, files: 10, roles: 500, environments: 50, bags: 20, items: 50}
	small = size{cookbooks: 5, versions: 2, files: 4, roles: 20, environments: 3, bags: 2, items: 5}
)

// objects counts what the API calls an object.
func (s size) objects() int {
	return s.cookbooks*s.versions + s.roles + s.environments + s.bags*(1+s.items)
}

func (s size) String() string {
	return fmt.Sprintf("%d cookbook versions with %d files each, %d roles, %d environments, %d bags with %d items each: %d objects",
		s.cookbooks*s.versions, s.files, s.roles, s.environments, s.bags, s.items, s.objects())
}

// load fills an organization.
func (s size) load(t testing.TB, c *chef.Client) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(chef.DefaultParallel)
	for i := range s.cookbooks {
		g.Go(func() error { return s.cookbook(ctx, c, i) })
	}
	for i := range s.roles {
		g.Go(func() error { return c.CreateRole(ctx, role(i, 0)) })
	}
	for i := range s.environments {
		g.Go(func() error { return c.CreateEnvironment(ctx, environment(i)) })
	}
	for i := range s.bags {
		g.Go(func() error { return s.bag(ctx, c, i) })
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("load the primary: %v", err)
	}
}

// cookbook uploads all versions of a cookbook; every fourth is frozen.
func (s size) cookbook(ctx context.Context, c *chef.Client, i int) error {
	name := fmt.Sprintf("cookbook%03d", i)
	for v := range s.versions {
		files := map[string]string{}
		for f := range s.files {
			of := v
			if f == 0 { // unchanged since the first version
				of = 0
			}
			text := fmt.Sprintf("# %s, version %d, file %d\n", name, of, f)
			files[fmt.Sprintf("recipes/recipe%d.rb", f)] = text + filler(i*1000+of*100+f)
		}
		if err := harness.PutCookbook(ctx, c, name, fmt.Sprintf("1.%d.0", v), v == 3, files, false); err != nil {
			return err
		}
	}
	return nil
}

// filler is one to six kilobytes that look like a recipe.
func filler(seed int) string {
	var b strings.Builder
	for line := range 20 + seed*37%100 {
		fmt.Fprintf(&b, "package 'package-%d-%d' do\n  action :install\nend\n", seed, line)
	}
	return b.String()
}

// bag writes a data bag with its items.
func (s size) bag(ctx context.Context, c *chef.Client, i int) error {
	bag := fmt.Sprintf("bag%02d", i)
	if err := c.CreateDataBag(ctx, bag); err != nil {
		return err
	}
	for n := range s.items {
		id := fmt.Sprintf("item%03d", n)
		body := fmt.Sprintf(`{"id":%q,"number":12345678901234567890,"text":%q}`, id, filler(n)[:500])
		if err := c.CreateDataBagItem(ctx, bag, id, json.RawMessage(body)); err != nil {
			return err
		}
	}
	return nil
}

func roleName(i int) string { return fmt.Sprintf("role%04d", i) }

// role is a role of some hundred bytes; another value makes it another role.
func role(i, value int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"role %d","json_class":"Chef::Role","chef_type":"role",
		"default_attributes":{"value":%d,"text":%q},"override_attributes":{},"run_list":["recipe[cookbook001]"],"env_run_lists":{}}`,
		roleName(i), i, value, filler(i)[:300]))
}

func environment(i int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"name":"environment%02d","description":%q,"json_class":"Chef::Environment",
		"chef_type":"environment","default_attributes":{},"override_attributes":{},"cookbook_versions":{"cookbook001":"= 1.1.0"}}`,
		i, filler(i)[:200]))
}
