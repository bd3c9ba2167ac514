package changelog

import (
	"embed"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
)

//go:embed sql/*.sql
var files embed.FS

// text returns a file of SQL with its {marks} replaced; pairs are a mark and
// what stands for it.
func text(name string, pairs ...string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // it is compiled in
	}
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.TrimSpace(strings.NewReplacer(pairs...).Replace(string(b)))
}

// Statement is one SQL statement of an installation and what it is for.
type Statement struct {
	SQL string
	Why string // a sentence without its capital and full stop

	// table is Chef's table that the statement locks; "" = none.
	table string
}

// schemaStatements returns what makes our schema, in order. Each may be
// repeated.
func schemaStatements() []Statement {
	var out []Statement
	for _, part := range strings.Split(text("schema"), "--# ")[1:] {
		why, sql, _ := strings.Cut(part, "\n")
		out = append(out, Statement{SQL: strings.TrimSpace(sql), Why: strings.TrimSpace(why)})
	}
	return append(out, Statement{SQL: text("remove"), Why: "takes the triggers away again when they are broken, whoever runs the log"})
}

// functionStatements returns what makes the functions of the triggers.
func functionStatements(nodes bool) []Statement {
	failed := text("trigger_failed")
	out := []Statement{
		{SQL: text("trigger_key", "failed", failed), Why: "says that a client's keys changed"},
		{SQL: text("trigger_truncate", "failed", failed), Why: "says that a table was emptied, which no path can tell"},
	}
	for _, p := range []*parent{cookbooks, artifacts} {
		out = append(out, Statement{
			SQL: text("trigger_parent", "table", p.name, "kind", p.code, "failed", failed),
			Why: "keeps the names of " + p.name + " for the deletion of their last version",
		})
	}
	for _, t := range objectTables(nodes) {
		out = append(out, Statement{SQL: t.function(failed), Why: "says which object of " + t.name + " changed"})
	}
	return out
}

// function is the trigger function of a table of objects.
func (t table) function(failed string) string {
	columns, key, kind := "org_id, ref", "@.org_id, "+t.path(), "o"
	if t.parent != nil {
		columns, key, kind = "parent, ref", "@."+t.parent.key+", "+t.names[0], t.parent.code
	}
	return text("trigger_object", "table", t.name, "kind", kind, "columns", columns, "failed", failed,
		"old_key", row("OLD", key), "new_key", row("NEW", key), "old_values", row("OLD", key), "new_values", row("NEW", key),
		"old_is", row("OLD", t.isObject()), "new_is", row("NEW", t.isObject()))
}

// events are what the row triggers of a table fire after.
func events(table string) string {
	if table == cookbooks.name || table == artifacts.name {
		return "INSERT OR UPDATE" // its versions are gone before it is
	}
	return "INSERT OR UPDATE OR DELETE"
}

// triggerStatement makes both triggers of a table. They fire always, also in a
// session that turned triggers off; one that is turned off and on again by name
// no longer does, and is found out.
func triggerStatement(tbl string) Statement {
	return Statement{
		SQL: strings.Join([]string{
			"CREATE TRIGGER chef_sync_row AFTER " + events(tbl) + " ON public." + tbl + " FOR EACH ROW EXECUTE FUNCTION chef_sync.on_" + tbl + "()",
			"ALTER TABLE public." + tbl + " ENABLE ALWAYS TRIGGER chef_sync_row",
			"CREATE TRIGGER chef_sync_truncate AFTER TRUNCATE ON public." + tbl + " FOR EACH STATEMENT EXECUTE FUNCTION chef_sync.on_truncate()",
			"ALTER TABLE public." + tbl + " ENABLE ALWAYS TRIGGER chef_sync_truncate",
		}, ";\n"),
		Why:   "captures writes to " + tbl,
		table: tbl,
	}
}

// dropStatement takes both triggers off a table.
func dropStatement(tbl string) Statement {
	return Statement{
		SQL:   "DROP TRIGGER IF EXISTS chef_sync_row ON public." + tbl + ";\nDROP TRIGGER IF EXISTS chef_sync_truncate ON public." + tbl,
		Why:   "leaves writes to " + tbl + " alone",
		table: tbl,
	}
}

// advanceSQL numbers what is in the outbox.
func advanceSQL() string {
	return text("advance", "cookbook", path(object.KindCookbook, "p.name", "t.ref"),
		"artifact", path(object.KindArtifact, "p.name", "t.ref"), "client", path(object.KindClient, "c.name"))
}
