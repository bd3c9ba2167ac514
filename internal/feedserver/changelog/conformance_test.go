package changelog

import (
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
)

// TestChanges does everything that a Chef server does to objects, one statement
// after the other, and looks at what the log says of each.
func TestChanges(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture, Nodes: true})
		c := k.chef
		for _, step := range []struct {
			name string
			do   func()
			want []string
		}{
			{"nothing", func() {}, nil},
			{"cookbook", func() { c.addVersion("apt", 1, 2, 3) }, []string{"create /cookbooks/apt/1.2.3"}},
			{"second version", func() { c.addVersion("apt", 1, 10, 0) }, []string{"create /cookbooks/apt/1.10.0"}},
			{"version uploaded again", func() { c.updateVersion("apt", 1, 2, 3) }, []string{"update /cookbooks/apt/1.2.3"}},
			{"version deleted", func() { c.removeVersion("apt", 1, 10, 0) }, []string{"delete /cookbooks/apt/1.10.0"}},
			{"last version deleted", func() { c.removeVersion("apt", 1, 2, 3) }, []string{"delete /cookbooks/apt/1.2.3"}},
			{"version of the same name", func() { c.addVersion("apt", 1, 2, 3) }, []string{"create /cookbooks/apt/1.2.3"}},
			{"artifact", func() { c.addArtifact("nginx", "abc") }, []string{"create /cookbook_artifacts/nginx/abc"}},
			{"second artifact", func() { c.addArtifact("nginx", "def") }, []string{"create /cookbook_artifacts/nginx/def"}},
			{"artifact deleted", func() { c.removeArtifact("nginx", "abc") }, []string{"delete /cookbook_artifacts/nginx/abc"}},
			{"last artifact deleted with its name", func() { c.removeArtifact("nginx", "def") }, []string{"delete /cookbook_artifacts/nginx/def"}},
			{"role", func() { c.add("roles", "web") }, []string{"create /roles/web"}},
			{"role updated", func() { c.touch("roles", "web") }, []string{"update /roles/web"}},
			{"role with a colon", func() { c.add("roles", "a:b") }, []string{"create /roles/a:b"}},
			{"role deleted", func() { c.remove("roles", "web") }, []string{"delete /roles/web"}},
			{"role created again", func() { c.add("roles", "web") }, []string{"create /roles/web"}},
			{"role deleted and created", func() { c.remove("roles", "web"); c.add("roles", "web") }, []string{"* /roles/web"}},
			{"the default environment", func() { c.add("environments", "_default") }, nil},
			{"the default environment updated", func() { c.touch("environments", "_default") }, nil},
			{"environment", func() { c.add("environments", "prod") }, []string{"create /environments/prod"}},
			{"environment renamed", func() {
				c.do(`UPDATE environments SET name = 'live' WHERE org_id = $1 AND name = 'prod'`, c.org)
			}, []string{"delete /environments/prod", "create /environments/live"}},
			{"environment deleted", func() { c.remove("environments", "live") }, []string{"delete /environments/live"}},
			{"bag", func() { c.add("data_bags", "users") }, []string{"create /data/users"}},
			{"items", func() { c.addItem("users", "alice"); c.addItem("users", "bob") }, []string{"create /data/users/alice", "create /data/users/bob"}},
			{"item updated", func() {
				c.do(`UPDATE data_bag_items SET updated_at = now() WHERE org_id = $1 AND item_name = 'bob'`, c.org)
			}, []string{"update /data/users/bob"}},
			{"bag renamed with its items", func() {
				c.do(`UPDATE data_bags SET name = 'people' WHERE org_id = $1 AND name = 'users'`, c.org)
			}, []string{
				"delete /data/users", "delete /data/users/alice", "delete /data/users/bob",
				"create /data/people", "create /data/people/alice", "create /data/people/bob",
			}},
			{"bag deleted with its items", func() { c.remove("data_bags", "people") },
				[]string{"delete /data/people", "delete /data/people/alice", "delete /data/people/bob"}},
			{"policy", func() { c.add("policies", "db"); c.addRevision("db", "r1"); c.addRevision("db", "r2") },
				[]string{"create /policies/db", "create /policies/db/revisions/r1", "create /policies/db/revisions/r2"}},
			{"policy group", func() { c.add("policy_groups", "eu") }, []string{"create /policy_groups/eu"}},
			{"pointer", func() { c.point("eu", "db", "r1") }, []string{"create /policy_groups/eu/policies/db"}},
			{"pointer to another revision", func() {
				c.do(`UPDATE policy_revisions_policy_groups_association SET policy_revision_revision_id = 'r2' WHERE org_id = $1`, c.org)
			}, []string{"update /policy_groups/eu/policies/db"}},
			{"revision deleted", func() {
				c.do(`DELETE FROM policy_revisions WHERE org_id = $1 AND revision_id = 'r1'`, c.org)
			}, []string{"delete /policies/db/revisions/r1"}},
			{"revision deleted with its pointer", func() {
				c.do(`DELETE FROM policy_revisions WHERE org_id = $1 AND revision_id = 'r2'`, c.org)
			}, []string{"delete /policies/db/revisions/r2", "delete /policy_groups/eu/policies/db"}},
			{"policy and pointer again", func() { c.addRevision("db", "r3"); c.point("eu", "db", "r3") },
				[]string{"create /policies/db/revisions/r3", "create /policy_groups/eu/policies/db"}},
			{"policy deleted with all", func() { c.remove("policies", "db") },
				[]string{"delete /policies/db", "delete /policies/db/revisions/r3", "delete /policy_groups/eu/policies/db"}},
			{"policy group deleted", func() { c.remove("policy_groups", "eu") }, []string{"delete /policy_groups/eu"}},
			{"client with a key of its row", func() {
				if err := c.insert("clients", "name, public_key", "host1", "PEM"); err != nil {
					t.Error(err)
				}
			}, []string{"create /clients/host1"}},
			{"client without", func() { c.add("clients", "host2") }, []string{"create /clients/host2"}},
			{"key added", func() { c.addKey("host2", "spare") }, []string{"update /clients/host2"}},
			{"key updated", func() {
				c.do(`UPDATE keys SET public_key = 'PEM2' WHERE key_name = 'spare'`)
			}, []string{"update /clients/host2"}},
			{"key renamed", func() { c.do(`UPDATE keys SET key_name = 'other' WHERE key_name = 'spare'`) }, []string{"update /clients/host2"}},
			{"key given to another client", func() {
				c.do(`UPDATE keys SET id = (SELECT id FROM clients WHERE org_id = $1 AND name = 'host1') WHERE key_name = 'other'`, c.org)
			}, []string{"update /clients/host1", "update /clients/host2"}},
			{"key deleted", func() { c.do(`DELETE FROM keys WHERE key_name = 'other'`) }, []string{"update /clients/host1"}},
			{"key of nobody", func() {
				c.do(`INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at) VALUES ($1, 'x', '', 0, now(), 'infinity')`, guid())
			}, nil},
			{"client renamed", func() {
				c.do(`UPDATE clients SET name = 'host3' WHERE org_id = $1 AND name = 'host1'`, c.org)
			}, []string{"delete /clients/host1", "create /clients/host3"}},
			{"client deleted with its keys", func() { c.remove("clients", "host3") }, []string{"delete /clients/host3"}},
			{"user with a key", func() {
				c.do(`INSERT INTO users (id, authz_id, username, pubkey_version, public_key, last_updated_by, created_at, updated_at) VALUES ($1, $2, 'joe', 0, 'PEM', $2, now(), now())`, guid(), guid())
			}, nil},
			{"group", func() { c.add("groups", "ops") }, []string{"create /groups/ops"}},
			{"group renamed", func() { c.do(`UPDATE groups SET name = 'sre' WHERE org_id = $1`, c.org) }, []string{"delete /groups/ops", "create /groups/sre"}},
			{"group deleted", func() { c.remove("groups", "sre") }, []string{"delete /groups/sre"}},
			{"container", func() { c.add("containers", "things") }, []string{"create /containers/things"}},
			{"container deleted", func() { c.remove("containers", "things") }, []string{"delete /containers/things"}},
			{"node", func() { c.add("nodes", "n1") }, []string{"create /nodes/n1"}},
			{"node saved", func() { c.touch("nodes", "n1") }, []string{"update /nodes/n1"}},
			{"node deleted", func() { c.remove("nodes", "n1") }, []string{"delete /nodes/n1"}},
			{"rolled back", func() {
				k.rollback(`INSERT INTO roles SELECT 'x', 'x', org_id, 'never', 'x', now(), now() FROM roles LIMIT 1`)
			}, nil},
			{"a name that would be two", func() { c.add("roles", "a/b") }, nil},
			{"no object", func() { c.do(`INSERT INTO checksums (org_id, checksum) VALUES ($1, $2)`, c.org, guid()) }, nil},
			{"many at once", func() { c.do(`DELETE FROM roles WHERE org_id = $1`, c.org) }, []string{"delete /roles/a:b", "delete /roles/web"}},
			{"a cookbook's name changed by hand", func() { c.do(`UPDATE cookbooks SET name = 'apt2' WHERE org_id = $1`, c.org) },
				[]string{"delete /cookbooks/apt/1.2.3", "create /cookbooks/apt2/1.2.3"}},
		} {
			t.Run(step.name, func(t *testing.T) {
				k := *k
				k.t = t
				before := k.page(0)
				step.do()
				switch {
				case len(step.want) == 1 && step.want[0] == "* /roles/web": // either word will do
					if got := k.changed(before); len(got) != 1 || got[0] != "create /roles/web" && got[0] != "update /roles/web" {
						t.Errorf("changes = %v, want one of /roles/web", got)
					}
				case step.name == "a cookbook's name changed by hand" && capture == Triggers: // everything is compared, and may come again
					got := k.changed(before)
					for _, w := range step.want {
						if !contains(got, w) {
							t.Errorf("changes = %v, want %s among them", got, w)
						}
					}
				default:
					k.want(before, step.want...)
				}
			})
		}
		for _, e := range k.page(0).Entries {
			if ref, err := object.ParseRef(e.Path); err != nil || ref.Path() != e.Path {
				t.Errorf("path %q is read as %q, %v", e.Path, ref.Path(), err)
			}
		}
		if s := k.status(); len(s.Problems) > 0 || s.Outbox != 0 || s.Capture != capture {
			t.Errorf("status = %+v, want no problems and an empty outbox", s)
		}
	})
}

// TestActions says what a follower is told who was away for several changes.
func TestActions(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		c := k.chef
		start := k.page(0)
		c.add("roles", "new")
		c.add("roles", "gone")
		k.pass()
		middle := k.page(0)
		c.touch("roles", "new")
		c.remove("roles", "gone")
		k.pass()
		for _, tt := range []struct {
			after int64
			want  string
		}{{0, "create /roles/new"}, {start.Head, "create /roles/new"}, {middle.Head, "update /roles/new"}} {
			got := words(k.page(tt.after))
			if len(got) != 2 || !contains(got, tt.want) || !contains(got, "delete /roles/gone") {
				t.Errorf("after %d: %v, want %s and the delete", tt.after, got, tt.want)
			}
		}
		if got := words(k.page(k.page(0).Head)); len(got) != 0 {
			t.Errorf("at the head: %v", got)
		}
		var ids []int64
		for next := start.Head; ; {
			p, err := k.log.Page(t.Context(), "acme", next, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Entries) == 0 {
				break
			}
			next = p.Entries[0].ID
			ids = append(ids, next)
		}
		if len(ids) != 2 || ids[0] >= ids[1] || ids[1] != k.page(0).Head {
			t.Errorf("ids by ones = %v, head %d", ids, k.page(0).Head)
		}
	})
}

// rollback runs a statement in a transaction that is rolled back.
func (k *kit) rollback(sql string) {
	k.t.Helper()
	tx, err := k.pool.Begin(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := tx.Exec(k.t.Context(), sql); err != nil {
		k.t.Fatal(err)
	}
	if err := tx.Rollback(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
