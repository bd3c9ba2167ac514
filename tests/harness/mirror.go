package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// A Mirror keeps a database with Chef's tables as an in-process Chef server would
// write it, had it one. It follows the server's own feed, so the server needs
// Options.Feed; rows have names and no content.
type Mirror struct {
	DSN string // of the database, for a superuser

	server *ChefServer
	user   string
	pool   *pgxpool.Pool

	mu   sync.Mutex
	guid string // of the organization
	seq  int64
}

// NewMirror makes a database with the server's organization and the user whom its
// Client signs as, who has the server's key.
func NewMirror(t testing.TB, s *ChefServer) *Mirror {
	t.Helper()
	m := &Mirror{DSN: ChefDatabase(t), server: s, user: s.Client.User()}
	var err error
	if m.pool, err = pgxpool.New(t.Context(), m.DSN); err != nil {
		t.Fatalf("harness: %v", err)
	}
	t.Cleanup(m.pool.Close)
	m.User(t, m.user, s.KeyFile)
	if err := m.Sync(t.Context()); err != nil {
		t.Fatalf("harness: mirror: %v", err)
	}
	return m
}

// User adds a user with the public part of the private key in a file, as a member of
// the organization.
func (m *Mirror) User(t testing.TB, name, keyFile string) {
	t.Helper()
	key, err := publicKey(keyFile)
	if err == nil {
		err = m.do(t.Context(), `INSERT INTO users (id, authz_id, username, pubkey_version, last_updated_by, created_at, updated_at)
			VALUES ($1, $1, $2, 0, $1, now(), now())`, newID(), name)
	}
	if err == nil {
		err = m.do(t.Context(), `INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at)
			SELECT id, 'sync', $2, 0, now(), 'infinity' FROM users WHERE username = $1`, name, key)
	}
	if err == nil && m.guid != "" {
		err = m.do(t.Context(), `INSERT INTO org_user_associations (org_id, user_id, last_updated_by, created_at, updated_at)
			SELECT $1, id, $1, now(), now() FROM users WHERE username = $2`, m.guid, name)
	}
	if err != nil {
		t.Fatalf("harness: mirror: user %s: %v", name, err)
	}
}

// publicKey is the public part of a private key's file.
func publicKey(file string) (string, error) {
	key, err := chef.ReadKey(file)
	if err != nil {
		return "", err
	}
	return publicPEM(&key.PublicKey)
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (m *Mirror) do(ctx context.Context, sql string, args ...any) error {
	if _, err := m.pool.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// Backup dumps the database. What it returns puts the dump in the database's place,
// as often as it is called, whoever is connected. Nobody may write the server
// between its own backup, or restoration, and this one.
func (m *Mirror) Backup(t testing.TB) (restore func(testing.TB)) {
	t.Helper()
	if err := m.Sync(t.Context()); err != nil {
		t.Fatalf("harness: mirror: %v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	u, err := url.Parse(m.DSN)
	if err != nil {
		t.Fatalf("harness: mirror: %v", err)
	}
	pg, name, seq := Postgres(t), strings.TrimPrefix(u.Path, "/"), m.seq
	file := filepath.Join(pg.SocketDir, name+"."+newID()+".sql")
	if err := pg.dump(name, file); err != nil {
		t.Fatalf("harness: mirror: back up: %v", err)
	}
	return func(t testing.TB) {
		t.Helper()
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := pg.load(name, file); err != nil {
			t.Fatalf("harness: mirror: restore: %v", err)
		}
		m.pool.Reset() // its connections went with the old database
		m.seq = seq
	}
}

// Sync writes what changed on the server since the last call.
func (m *Mirror) Sync(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	got, err := m.server.Client.UpdatedSince(ctx, m.seq, chef.UpdatedSinceOptions{})
	if errors.Is(err, chef.ErrGone) { // numbers began anew
		got, err = m.server.Client.UpdatedSince(ctx, 0, chef.UpdatedSinceOptions{})
	}
	if err == nil && got.OrgGUID != m.guid {
		if err := m.renew(ctx, got.OrgGUID); err != nil {
			return err
		}
		m.seq = 0
		got, err = m.server.Client.UpdatedSince(ctx, 0, chef.UpdatedSinceOptions{})
	}
	if err != nil {
		return err
	}
	for _, c := range got.Changes {
		if c.Action == "delete" && strings.Count(c.Path, "/") == 2 { // it may have come and gone since the last call
			if err := m.write(ctx, chef.FeedEntry{Action: "create", Path: c.Path}); err != nil {
				return fmt.Errorf("create what is deleted, %s: %w", c.Path, err)
			}
		}
		if err := m.write(ctx, c); err != nil {
			return fmt.Errorf("%s %s: %w", c.Action, c.Path, err)
		}
		m.seq = c.ID
	}
	return nil
}

// renew begins with an empty organization. What an earlier one left stays, as it
// does on a Chef server.
func (m *Mirror) renew(ctx context.Context, guid string) error {
	if err := m.do(ctx, `DELETE FROM orgs WHERE name = $1`, Organization); err != nil {
		return err
	}
	err := m.do(ctx, `INSERT INTO orgs (id, authz_id, name, full_name, assigned_at, last_updated_by, created_at, updated_at)
		VALUES ($1, $1, $2, $2, now(), $1, now(), now())`, guid, Organization)
	if err == nil {
		err = m.do(ctx, `INSERT INTO org_user_associations (org_id, user_id, last_updated_by, created_at, updated_at)
			SELECT $1, id, $1, now(), now() FROM users`, guid)
	}
	m.guid = guid
	return err
}

// tables are those of objects with one name that are alike.
var tables = map[string]string{
	"roles": "roles", "environments": "environments", "nodes": "nodes", "clients": "clients",
	"groups": "groups", "containers": "containers", "data": "data_bags", "policies": "policies", "policy_groups": "policy_groups",
}

// write writes the rows of one change, as few statements as there are.
func (m *Mirror) write(ctx context.Context, c chef.FeedEntry) error {
	part := strings.Split(strings.TrimPrefix(c.Path, "/"), "/")
	gone := c.Action == "delete"
	switch table := tables[part[0]]; {
	case len(part) == 2 && table != "":
		return m.named(ctx, table, part[1], gone)
	case len(part) == 3 && part[0] == "data":
		return m.item(ctx, part[1], part[2], gone)
	case len(part) == 3 && part[0] == "cookbooks":
		return m.cookbook(ctx, part[1], part[2], gone)
	case len(part) == 3 && part[0] == "cookbook_artifacts":
		return m.artifact(ctx, part[1], part[2], gone)
	case len(part) == 4 && part[2] == "revisions":
		return m.revision(ctx, part[1], part[3], gone)
	case len(part) == 4 && part[0] == "policy_groups":
		return m.pointer(ctx, part[1], part[3], gone)
	}
	return nil // no row of this database
}

// named writes a row whose name is its whole name.
func (m *Mirror) named(ctx context.Context, table, name string, gone bool) error {
	if gone {
		return m.do(ctx, `DELETE FROM `+table+` WHERE org_id = $1 AND name = $2`, m.guid, name)
	}
	tag, err := m.pool.Exec(ctx, `UPDATE `+table+` SET last_updated_by = $3 WHERE org_id = $1 AND name = $2`, m.guid, name, newID())
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	columns, values := "", ""
	switch table {
	case "policies", "policy_groups": // have no times
	default:
		columns, values = ", created_at, updated_at", ", now(), now()"
	}
	switch table {
	case "nodes":
		columns, values = columns+", environment", values+", '_default'"
	case "clients":
		columns, values = columns+", validator, pubkey_version", values+", false, 0"
	}
	return m.do(ctx, `INSERT INTO `+table+` (org_id, name, id, authz_id, last_updated_by`+columns+`)
		VALUES ($1, $2, $3, $4, $4`+values+`)`, m.guid, name, newID(), newID())
}

// exists makes sure that there is what others refer to.
func (m *Mirror) exists(ctx context.Context, table, name string) error {
	var found bool
	err := m.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+table+` WHERE org_id = $1 AND name = $2)`, m.guid, name).Scan(&found)
	if err != nil || found {
		return err
	}
	return m.named(ctx, table, name, false)
}

func (m *Mirror) item(ctx context.Context, bag, item string, gone bool) error {
	if gone {
		return m.do(ctx, `DELETE FROM data_bag_items WHERE org_id = $1 AND data_bag_name = $2 AND item_name = $3`, m.guid, bag, item)
	}
	if err := m.exists(ctx, "data_bags", bag); err != nil {
		return err
	}
	tag, err := m.pool.Exec(ctx, `UPDATE data_bag_items SET last_updated_by = $4 WHERE org_id = $1 AND data_bag_name = $2 AND item_name = $3`, m.guid, bag, item, newID())
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	return m.do(ctx, `INSERT INTO data_bag_items (org_id, data_bag_name, item_name, id, last_updated_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, now(), now())`, m.guid, bag, item, newID(), newID())
}

func (m *Mirror) cookbook(ctx context.Context, name, version string, gone bool) error {
	const which = `cookbook_id = (SELECT id FROM cookbooks WHERE org_id = $1 AND name = $2) AND major || '.' || minor || '.' || patch = $3`
	if gone {
		if err := m.do(ctx, `DELETE FROM cookbook_versions WHERE `+which, m.guid, name, version); err != nil {
			return err
		}
		return m.do(ctx, `DELETE FROM cookbooks c WHERE org_id = $1 AND name = $2 AND NOT EXISTS (SELECT FROM cookbook_versions WHERE cookbook_id = c.id)`, m.guid, name)
	}
	tag, err := m.pool.Exec(ctx, `UPDATE cookbook_versions SET last_updated_by = $4 WHERE `+which, m.guid, name, version, newID())
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	err = m.do(ctx, `INSERT INTO cookbooks (org_id, name, authz_id) SELECT $1::char(32), $2::text, $3::char(32)
		WHERE NOT EXISTS (SELECT FROM cookbooks WHERE org_id = $1 AND name = $2)`, m.guid, name, newID())
	if err != nil {
		return err
	}
	return m.do(ctx, `INSERT INTO cookbook_versions (id, major, minor, patch, frozen, meta_attributes, meta_deps, meta_long_desc, metadata,
			serialized_object, updated_at, created_at, last_updated_by, cookbook_id)
		SELECT $4, split_part($3, '.', 1)::bigint, split_part($3, '.', 2)::bigint, split_part($3, '.', 3)::bigint, false, '', '', '', '',
			'', now(), now(), $5, id FROM cookbooks WHERE org_id = $1 AND name = $2`, m.guid, name, version, newID(), newID())
}

func (m *Mirror) artifact(ctx context.Context, name, id string, gone bool) error {
	var version *int64
	err := m.pool.QueryRow(ctx, `SELECT max(v.id) FROM cookbook_artifact_versions v JOIN cookbook_artifacts a ON a.id = v.cookbook_artifact_id
		WHERE a.org_id = $1 AND a.name = $2 AND v.identifier = $3`, m.guid, name, id).Scan(&version)
	switch {
	case err != nil:
		return err
	case gone && version != nil:
		return m.do(ctx, `SELECT delete_cookbook_artifact_version($1)`, *version)
	case gone || version != nil:
		return nil
	}
	return m.do(ctx, `SELECT * FROM insert_cookbook_artifact_version($1, ''::bytea, ''::bytea, now()::timestamp, $2::char(32), $3::char(32), $4, $2::char(32), '{}')`,
		id, newID(), m.guid, name)
}

func (m *Mirror) revision(ctx context.Context, policy, id string, gone bool) error {
	if gone {
		return m.do(ctx, `DELETE FROM policy_revisions WHERE org_id = $1 AND name = $2 AND revision_id = $3`, m.guid, policy, id)
	}
	if err := m.exists(ctx, "policies", policy); err != nil {
		return err
	}
	return m.do(ctx, `INSERT INTO policy_revisions (id, org_id, policy_authz_id, revision_id, name, last_updated_by)
		SELECT $4, org_id, authz_id, $3, name, $5 FROM policies WHERE org_id = $1 AND name = $2
		ON CONFLICT DO NOTHING`, m.guid, policy, id, newID(), newID())
}

// pointer writes which revision a group uses; that the server has to say.
func (m *Mirror) pointer(ctx context.Context, group, policy string, gone bool) error {
	const where = ` WHERE org_id = $1 AND policy_group_name = $2 AND policy_revision_name = $3`
	var body struct {
		ID string `json:"revision_id"`
	}
	if !gone {
		text, err := m.server.Client.GetPointer(ctx, group, policy)
		if chef.IsNotFound(err) {
			gone = true
		} else if err != nil {
			return err
		} else if err := json.Unmarshal(text, &body); err != nil {
			return err
		}
	}
	if gone {
		return m.do(ctx, `DELETE FROM policy_revisions_policy_groups_association`+where, m.guid, group, policy)
	}
	if err := m.exists(ctx, "policy_groups", group); err != nil {
		return err
	}
	if err := m.revision(ctx, policy, body.ID, false); err != nil {
		return err
	}
	tag, err := m.pool.Exec(ctx, `UPDATE policy_revisions_policy_groups_association SET policy_revision_revision_id = $4`+where, m.guid, group, policy, body.ID)
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	return m.do(ctx, `INSERT INTO policy_revisions_policy_groups_association
			(id, org_id, policy_group_authz_id, policy_revision_revision_id, policy_revision_name, policy_group_name, last_updated_by)
		SELECT $5, org_id, authz_id, $4, $3, name, $6 FROM policy_groups WHERE org_id = $1 AND name = $2`, m.guid, group, policy, body.ID, newID(), newID())
}
