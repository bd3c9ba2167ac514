package property

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// op is one change of the primary. Names are few, so that objects come, go and
// come back. Its numbers are taken modulo what there is. What the primary refuses
// is no change.
type op struct{ What, A, B, C int }

// ops are what a primary's users do, by op.What.
var ops = []struct {
	name string
	do   func(ctx context.Context, c *chef.Client, o op)
}{
	{"role", func(ctx context.Context, c *chef.Client, o op) {
		name := fmt.Sprint("r", o.A%4)
		body := json.RawMessage(fmt.Sprintf(`{"name":%q,"json_class":"Chef::Role","chef_type":"role","description":"%d",
			"default_attributes":{},"override_attributes":{},"run_list":["recipe[c%d]"],"env_run_lists":{}}`, name, o.C%3, o.B%3))
		if chef.IsConflict(c.CreateRole(ctx, body)) {
			_ = c.UpdateRole(ctx, name, body)
		}
	}},
	{"role-", func(ctx context.Context, c *chef.Client, o op) { _ = c.DeleteRole(ctx, fmt.Sprint("r", o.A%4)) }},
	{"environment", func(ctx context.Context, c *chef.Client, o op) {
		name := fmt.Sprint("e", o.A%3)
		body := json.RawMessage(fmt.Sprintf(`{"name":%q,"json_class":"Chef::Environment","chef_type":"environment","description":"%d",
			"default_attributes":{},"override_attributes":{},"cookbook_versions":{}}`, name, o.C%3))
		if chef.IsConflict(c.CreateEnvironment(ctx, body)) {
			_ = c.UpdateEnvironment(ctx, name, body)
		}
	}},
	{"environment-", func(ctx context.Context, c *chef.Client, o op) { _ = c.DeleteEnvironment(ctx, fmt.Sprint("e", o.A%3)) }},
	{"item", func(ctx context.Context, c *chef.Client, o op) {
		bag, id := fmt.Sprint("b", o.A%2), fmt.Sprint("i", o.B%3)
		_ = c.CreateDataBag(ctx, bag)
		body := json.RawMessage(fmt.Sprintf(`{"id":%q,"n":%d}`, id, o.C%3))
		if chef.IsConflict(c.CreateDataBagItem(ctx, bag, id, body)) {
			_ = c.UpdateDataBagItem(ctx, bag, id, body)
		}
	}},
	{"item-", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.DeleteDataBagItem(ctx, fmt.Sprint("b", o.A%2), fmt.Sprint("i", o.B%3))
	}},
	{"bag-", func(ctx context.Context, c *chef.Client, o op) { _ = c.DeleteDataBag(ctx, fmt.Sprint("b", o.A%2)) }},
	{"cookbook", func(ctx context.Context, c *chef.Client, o op) {
		_ = harness.PutCookbook(ctx, c, fmt.Sprint("c", o.A%3), fmt.Sprintf("%d.0.0", o.B%2), false, filesOf(o.C), false)
	}},
	{"frozen", func(ctx context.Context, c *chef.Client, o op) {
		_ = harness.PutCookbook(ctx, c, fmt.Sprint("c", o.A%3), "2.0.0", true, filesOf(0), o.B%4 == 3)
	}},
	{"cookbook-", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.DeleteCookbook(ctx, fmt.Sprint("c", o.A%3), fmt.Sprintf("%d.0.0", o.B%3))
	}},
	{"artifact", func(ctx context.Context, c *chef.Client, o op) {
		_ = harness.PutArtifact(ctx, c, fmt.Sprint("a", o.A%2), fmt.Sprint(o.C%2), filesOf(o.C%2))
	}},
	{"artifact-", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.DeleteArtifact(ctx, fmt.Sprint("a", o.A%2), fmt.Sprint(o.C%2))
	}},
	{"revision", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.CreatePolicyRevision(ctx, fmt.Sprint("p", o.A%2), revisionOf(o))
	}},
	{"revision-", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.DeletePolicyRevision(ctx, fmt.Sprint("p", o.A%2), fmt.Sprint(o.B%6))
	}},
	{"policy-", func(ctx context.Context, c *chef.Client, o op) { _ = c.DeletePolicy(ctx, fmt.Sprint("p", o.A%2)) }},
	{"pointer", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.PutPointer(ctx, fmt.Sprint("g", o.C%2), fmt.Sprint("p", o.A%2), revisionOf(o))
	}},
	{"pointer-", func(ctx context.Context, c *chef.Client, o op) {
		_ = c.DeletePointer(ctx, fmt.Sprint("g", o.C%2), fmt.Sprint("p", o.A%2))
	}},
	{"group-", func(ctx context.Context, c *chef.Client, o op) { _ = c.DeletePolicyGroup(ctx, fmt.Sprint("g", o.C%2)) }},
}

// filesOf are contents that versions share now and then.
func filesOf(n int) map[string]string {
	return map[string]string{"recipes/default.rb": fmt.Sprint("log ", n%4), "README.md": fmt.Sprint("readme ", n%2)}
}

// revisionOf has an id that says its content, like those that chef-cli makes: a
// listing does not see another content under the same id, nor in a frozen cookbook.
func revisionOf(o op) json.RawMessage {
	locks := map[string]string{}
	for i := range o.C % 3 {
		locks[fmt.Sprint("a", i)] = fmt.Sprint((o.C / 3) % 2)
	}
	return harness.PolicyRevision(fmt.Sprint("p", o.A%2), fmt.Sprint(o.C%6), fmt.Sprint(o.C%2), locks)
}

// do makes the change and tells the shadow what came of it.
func (o op) do(w *world) {
	w.shadow.change(func() { ops[o.What%len(ops)].do(w.t.Context(), w.primary.Client, o) })
}

func (o op) String() string {
	return fmt.Sprintf("%s(%d,%d,%d)", ops[o.What%len(ops)].name, o.A, o.B, o.C)
}

// locked returns the paths of the artifacts that a policy revision locks.
func locked(revision string) []string {
	var r struct {
		Locks map[string]struct{ Identifier string } `json:"cookbook_locks"`
	}
	_ = json.Unmarshal([]byte(revision), &r)
	var out []string
	for name, l := range r.Locks {
		out = append(out, "/cookbook_artifacts/"+name+"/"+l.Identifier)
	}
	return out
}

// heal gives the primary the artifacts that its pointers need and somebody
// deleted: a replica does not point at what cannot be there.
func (w *world) heal() {
	for path, pointer := range w.snapshot(w.primary).Objects {
		word := strings.Split(path, "/")
		if word[1] != "policy_groups" || len(word) != 5 {
			continue
		}
		for _, a := range locked(w.snapshot(w.primary).Objects["/policies/"+word[4]+"/revisions/"+revisionID(pointer)]) {
			name, id, _ := strings.Cut(strings.TrimPrefix(a, "/cookbook_artifacts/"), "/")
			w.shadow.change(func() { _ = harness.PutArtifact(w.t.Context(), w.primary.Client, name, id, filesOf(0)) })
		}
	}
}
