package changelog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// executor is a connection, a transaction or a pool.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// chef writes to an organization as a Chef server does: single statements, in
// its order, without transactions.
type chef struct {
	t   testing.TB
	db  executor
	org string // GUID
}

func guid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// do runs one statement; it must work.
func (c chef) do(sql string, args ...any) {
	c.t.Helper()
	if err := c.try(sql, args...); err != nil {
		c.t.Errorf("%s: %v", sql, err)
	}
}

func (c chef) try(sql string, args ...any) error {
	_, err := c.db.Exec(c.t.Context(), sql, args...)
	return err
}

// newOrg makes an organization and returns its GUID.
func (c chef) newOrg(name string) string {
	c.t.Helper()
	id := guid()
	c.do(`INSERT INTO orgs (id, authz_id, name, full_name, assigned_at, last_updated_by, created_at, updated_at) VALUES ($1, $2, $3, $3, now(), $2, now(), now())`, id, guid(), name)
	return id
}

// insert makes a row of a table whose columns are the usual ones.
func (c chef) insert(table, names string, values ...any) error {
	marks, columns := "", names
	for i := range values {
		marks += fmt.Sprintf(", $%d", i+4)
	}
	args := append([]any{c.org, guid(), guid()}, values...)
	switch table {
	case "data_bag_items": // no authz_id
		return c.try(`INSERT INTO data_bag_items (org_id, last_updated_by, id, created_at, updated_at, `+columns+`) VALUES ($1, $2, $3, now(), now()`+marks+`)`, args...)
	case "policies", "policy_groups": // no times
		return c.try(`INSERT INTO `+table+` (org_id, authz_id, last_updated_by, id, `+columns+`) VALUES ($1, $2, $2, $3`+marks+`)`, args...)
	case "clients":
		return c.try(`INSERT INTO clients (org_id, authz_id, last_updated_by, id, created_at, updated_at, validator, pubkey_version, `+columns+`) VALUES ($1, $2, $2, $3, now(), now(), false, 0`+marks+`)`, args...)
	case "nodes":
		return c.try(`INSERT INTO nodes (org_id, authz_id, last_updated_by, id, created_at, updated_at, environment, `+columns+`) VALUES ($1, $2, $2, $3, now(), now(), '_default'`+marks+`)`, args...)
	default:
		return c.try(`INSERT INTO `+table+` (org_id, authz_id, last_updated_by, id, created_at, updated_at, `+columns+`) VALUES ($1, $2, $2, $3, now(), now()`+marks+`)`, args...)
	}
}

// add is insert of one name; it must work.
func (c chef) add(table, name string) {
	c.t.Helper()
	if err := c.insert(table, "name", name); err != nil {
		c.t.Errorf("insert %s %s: %v", table, name, err)
	}
}

func (c chef) addItem(bag, item string) {
	c.t.Helper()
	if err := c.insert("data_bag_items", "data_bag_name, item_name", bag, item); err != nil {
		c.t.Errorf("insert item %s: %v", item, err)
	}
}

func (c chef) touch(table, name string) {
	c.t.Helper()
	c.do(`UPDATE `+table+` SET last_updated_by = $3, updated_at = now() WHERE org_id = $1 AND name = $2`, c.org, name, guid())
}

func (c chef) remove(table, name string) {
	c.t.Helper()
	c.do(`DELETE FROM `+table+` WHERE org_id = $1 AND name = $2`, c.org, name)
}

// addVersion makes a version of a cookbook: the cookbook first, then the
// version, then its files.
func (c chef) addVersion(name string, major, minor, patch int) {
	c.t.Helper()
	c.do(`INSERT INTO cookbooks (org_id, name, authz_id) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM cookbooks WHERE org_id = $1 AND name = $2)`, c.org, name, guid())
	c.do(`INSERT INTO cookbook_versions (id, major, minor, patch, frozen, meta_attributes, meta_deps, meta_long_desc, metadata, serialized_object, updated_at, created_at, last_updated_by, cookbook_id)
		SELECT $3, $4, $5, $6, false, '', '', '', '', '', now(), now(), $3, id FROM cookbooks WHERE org_id = $1 AND name = $2`, c.org, name, guid(), major, minor, patch)
	c.linkFile(name, guid())
}

// linkFile gives all versions of a cookbook a file.
func (c chef) linkFile(name, sum string) {
	c.t.Helper()
	c.do(`INSERT INTO checksums (org_id, checksum) VALUES ($1, $2)`, c.org, sum)
	c.do(`INSERT INTO cookbook_version_checksums (cookbook_version_id, org_id, checksum) SELECT v.id, $1, $3 FROM cookbook_versions v JOIN cookbooks c ON c.id = v.cookbook_id WHERE c.org_id = $1 AND c.name = $2`, c.org, name, sum)
}

// updateVersion uploads a version again: files first, the version last.
func (c chef) updateVersion(name string, major, minor, patch int) {
	c.t.Helper()
	const version = `(SELECT v.id FROM cookbook_versions v JOIN cookbooks c ON c.id = v.cookbook_id WHERE c.org_id = $1 AND c.name = $2 AND (major, minor, patch) = ($3, $4, $5))`
	c.do(`DELETE FROM cookbook_version_checksums WHERE cookbook_version_id = `+version, c.org, name, major, minor, patch)
	c.linkFile(name, guid())
	c.do(`UPDATE cookbook_versions SET updated_at = now(), frozen = true WHERE id = `+version, c.org, name, major, minor, patch)
}

// removeVersion deletes a version, and the cookbook, which fails while it has
// others.
func (c chef) removeVersion(name string, major, minor, patch int) {
	c.t.Helper()
	const version = `(SELECT v.id FROM cookbook_versions v JOIN cookbooks c ON c.id = v.cookbook_id WHERE c.org_id = $1 AND c.name = $2 AND (major, minor, patch) = ($3, $4, $5))`
	c.do(`DELETE FROM cookbook_version_checksums WHERE cookbook_version_id = `+version, c.org, name, major, minor, patch)
	c.do(`DELETE FROM cookbook_versions WHERE id = `+version, c.org, name, major, minor, patch)
	_ = c.try(`DELETE FROM cookbooks WHERE org_id = $1 AND name = $2`, c.org, name)
}

func (c chef) addArtifact(name, identifier string) {
	c.t.Helper()
	c.do(`SELECT * FROM insert_cookbook_artifact_version($1, ''::bytea, ''::bytea, now()::timestamp, $2::char(32), $3::char(32), $4, $5::char(32), '{}')`, identifier, guid(), c.org, name, guid())
}

func (c chef) removeArtifact(name, identifier string) {
	c.t.Helper()
	c.do(`SELECT delete_cookbook_artifact_version(v.id) FROM cookbook_artifact_versions v JOIN cookbook_artifacts a ON a.id = v.cookbook_artifact_id
		WHERE a.org_id = $1 AND a.name = $2 AND v.identifier = $3`, c.org, name, identifier)
}

func (c chef) addRevision(policy, revision string) {
	c.t.Helper()
	c.do(`INSERT INTO policy_revisions (id, org_id, policy_authz_id, revision_id, name, last_updated_by) SELECT $3::text, org_id, authz_id, $4, name, $3::text FROM policies WHERE org_id = $1 AND name = $2`, c.org, policy, guid(), revision)
}

func (c chef) point(group, policy, revision string) {
	c.t.Helper()
	c.do(`INSERT INTO policy_revisions_policy_groups_association (id, org_id, policy_group_authz_id, policy_revision_revision_id, policy_revision_name, policy_group_name, last_updated_by)
		SELECT $3::text, org_id, authz_id, $4, $5, name, $3::text FROM policy_groups WHERE org_id = $1 AND name = $2`, c.org, group, guid(), revision, policy)
}

// addKey gives a client, by its name, a key.
func (c chef) addKey(client, key string) {
	c.t.Helper()
	c.do(`INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at, last_updated_by) SELECT id, $3, 'PEM', 0, now(), 'infinity', $4 FROM clients WHERE org_id = $1 AND name = $2`, c.org, client, key, guid())
}
