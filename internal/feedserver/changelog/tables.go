package changelog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
)

// A table is one of Chef's that holds objects. In its expressions "@." stands
// before a column of the table, whatever the row is called.
type table struct {
	name string // in the schema public
	kind object.Kind

	// parent is the table that has the organization and the first name of the
	// path, if this one has not.
	parent *parent

	// names are the expressions in the places of the path's names, without the
	// parent's.
	names []string

	// only says which rows are objects; "" = all.
	only string
}

// A parent is a table of names that versions refer to. Its rows are no objects.
type parent struct {
	name string // cookbooks
	key  string // the column that refers to it, in the table of versions
	code string // of its kind, in the outbox and in chef_sync.parents
}

var (
	cookbooks = &parent{"cookbooks", "cookbook_id", "c"}
	artifacts = &parent{"cookbook_artifacts", "cookbook_artifact_id", "a"}
)

// tables are all tables of objects. A cookbook is no object, only its versions
// are; an update of one writes to this table last, so its files need no watch.
var tables = []table{
	{name: "cookbook_versions", kind: object.KindCookbook, parent: cookbooks, names: []string{"@.major || '.' || @.minor || '.' || @.patch"}},
	{name: "cookbook_artifact_versions", kind: object.KindArtifact, parent: artifacts, names: []string{"@.identifier"}},
	{name: "roles", kind: object.KindRole, names: []string{"@.name"}},
	{name: "environments", kind: object.KindEnvironment, names: []string{"@.name"}, only: "@.name <> '_default'"},
	{name: "data_bags", kind: object.KindDataBag, names: []string{"@.name"}},
	{name: "data_bag_items", kind: object.KindDataBagItem, names: []string{"@.data_bag_name", "@.item_name"}},
	{name: "policies", kind: object.KindPolicy, names: []string{"@.name"}},
	{name: "policy_revisions", kind: object.KindPolicyRevision, names: []string{"@.name", "@.revision_id"}},
	{name: "policy_groups", kind: object.KindPolicyGroup, names: []string{"@.name"}},
	{name: "policy_revisions_policy_groups_association", kind: object.KindPolicyPointer, names: []string{"@.policy_group_name", "@.policy_revision_name"}},
	{name: "clients", kind: object.KindClient, names: []string{"@.name"}},
	{name: "groups", kind: object.KindGroup, names: []string{"@.name"}},
	{name: "containers", kind: object.KindContainer, names: []string{"@.name"}},
	{name: "nodes", kind: object.KindNode, names: []string{"@.name"}},
}

// objectTables returns the tables that are captured.
func objectTables(nodes bool) []table {
	return slices.DeleteFunc(slices.Clone(tables), func(t table) bool { return t.kind == object.KindNode && !nodes })
}

// path returns the SQL expression of a path whose names are the given
// expressions. Its form is the one that package object reads.
func path(k object.Kind, names ...string) string {
	marks := []string{"\x00", "\x01"}[:len(names)]
	p := "'" + object.NewRef(k, marks[0], marks[1:]...).Path() + "'"
	for i, m := range marks {
		p = strings.Replace(p, m, "' || ("+names[i]+") || '", 1)
	}
	return strings.TrimSuffix(p, " || ''")
}

// path returns the path of a row; of a version, the names of its parent p first.
func (t table) path() string {
	if t.parent != nil {
		return path(t.kind, append([]string{"p.name"}, t.names...)...)
	}
	return path(t.kind, t.names...)
}

// isObject is the condition that a row is an object. A slash in a name could
// make two rows of one path; Chef's rules for names do not know it.
func (t table) isObject() string {
	var all []string
	for _, n := range t.names {
		all = append(all, "strpos("+n+", '/') = 0")
	}
	if t.only != "" {
		all = append(all, t.only)
	}
	return strings.Join(all, " AND ")
}

// row puts the name of a row before the columns of an expression.
func row(name, expr string) string { return strings.ReplaceAll(expr, "@.", name+".") }

var columnExpr = regexp.MustCompile(`@\.(\w+)`)

// columns returns the columns of the table that the captures read.
func (t table) columns() []string {
	var out []string
	for _, m := range columnExpr.FindAllStringSubmatch(strings.Join(append(t.names, t.only), " "), -1) {
		out = append(out, m[1])
	}
	switch {
	case t.parent != nil:
		out = append(out, t.parent.key)
	default:
		out = append(out, "org_id")
	}
	if t.kind == object.KindClient {
		out = append(out, "id")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reads returns the columns, by table, that capturing t needs.
func (t table) reads() map[string][]string {
	out := map[string][]string{t.name: t.columns(), "orgs": {"id", "name"}}
	if t.parent != nil {
		out[t.parent.name] = []string{"id", "name", "org_id"}
	}
	if t.kind == object.KindClient {
		out["keys"] = []string{"id", "key_name"}
	}
	return out
}

// pattern is the regular expression that the paths of t's objects match.
func (t table) pattern() string {
	marks := []string{"\x00", "\x01"}
	p := object.NewRef(t.kind, marks[0], marks[1]).Path()
	for _, m := range marks {
		p = strings.Replace(p, m, "[^/]+", 1)
	}
	return "^" + p + "$"
}

// live returns the query of the paths and versions of all objects there are in
// the tables. The version of a row is the transaction that wrote it: it is
// another after each write, and no content has to be read for it. That of a
// client has those of its keys besides.
func live(captured []table) string {
	var parts []string
	for _, t := range captured {
		org, from, version := "t.org_id", "public."+t.name+" t", "t.xmin::text"
		if t.parent != nil {
			org = "p.org_id"
			from += fmt.Sprintf(" JOIN public.%s p ON p.id = t.%s AND strpos(p.name, '/') = 0", t.parent.name, t.parent.key)
		}
		if t.kind == object.KindClient {
			from += " LEFT JOIN (SELECT id::text AS id, string_agg(xmin::text, ',' ORDER BY key_name) AS versions FROM public.keys GROUP BY id) k ON k.id = t.id::text"
			version += " || coalesce(':' || k.versions, '')"
		}
		parts = append(parts, fmt.Sprintf("SELECT %s AS org_id, (%s) COLLATE \"C\" AS path, %s AS version FROM %s WHERE %s",
			org, row("t", t.path()), version, from, row("t", t.isObject())))
	}
	if len(parts) == 0 {
		return "SELECT NULL::char(32) AS org_id, NULL::text COLLATE \"C\" AS path, NULL::text AS version WHERE false"
	}
	return strings.Join(parts, "\n  UNION ALL ")
}

// watched returns the names of all tables that have our triggers.
func watched(nodes bool) []string {
	out := []string{cookbooks.name, artifacts.name, "keys"}
	for _, t := range objectTables(nodes) {
		out = append(out, t.name)
	}
	return out
}
