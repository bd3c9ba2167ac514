package changelog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unreadBy returns the columns of Chef's tables that the role cannot read yet.
func unreadBy(ctx context.Context, q querier, o InstallOptions) (map[string][]string, error) {
	reads := map[string][]string{}
	for _, t := range objectTables(o.Nodes) {
		for tbl, columns := range t.reads() {
			reads[tbl] = append(reads[tbl], columns...)
		}
	}
	out := map[string][]string{}
	for _, tbl := range slices.Sorted(maps.Keys(reads)) {
		wanted := append(slices.Compact(slices.Sorted(slices.Values(reads[tbl]))), "xmin")
		rows, err := q.Query(ctx, `SELECT c FROM unnest($3::text[]) c WHERE NOT has_column_privilege($1::name, 'public.' || quote_ident($2), c, 'SELECT')`, o.Role, tbl, wanted)
		if err != nil {
			return nil, err
		}
		missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("look at the rights of %s on %s: %w", o.Role, tbl, err)
		}
		if len(missing) > 0 {
			out[tbl] = missing
		}
	}
	return out, nil
}

// grants lets a role run the log. What it gets on Chef's tables is written down,
// to be taken back.
func grants(o InstallOptions, unread map[string][]string) []Statement {
	role := pgx.Identifier{o.Role}.Sanitize()
	out := []Statement{
		{SQL: "GRANT USAGE ON SCHEMA chef_sync TO " + role, Why: "lets the feed server into the schema"},
		{SQL: "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA chef_sync TO " + role, Why: "lets the feed server write the log"},
		{SQL: "GRANT SELECT ON ALL SEQUENCES IN SCHEMA chef_sync TO " + role, Why: "lets the feed server see whether triggers failed"},
		{SQL: "REVOKE ALL ON chef_sync.grants FROM " + role, Why: "has nobody take back the rights of others"},
		{SQL: "REVOKE EXECUTE ON FUNCTION chef_sync.remove_triggers(text) FROM PUBLIC", Why: "lets nobody else remove the triggers"},
		{SQL: "GRANT EXECUTE ON FUNCTION chef_sync.remove_triggers(text) TO " + role, Why: "lets the feed server remove triggers that are broken"},
	}
	for _, tbl := range slices.Sorted(maps.Keys(unread)) {
		columns := strings.Join(unread[tbl], ", ")
		out = append(out, Statement{
			SQL: fmt.Sprintf("GRANT SELECT (%s) ON public.%s TO %s", columns, tbl, role),
			Why: "lets the feed server read the names in " + tbl + " and no content",
		}, Statement{
			SQL: fmt.Sprintf("INSERT INTO chef_sync.grants (role, tbl, columns) VALUES ('%s', '%s', '%s')", strings.ReplaceAll(o.Role, "'", "''"), tbl, columns),
			Why: "remembers that, to take it back",
		})
	}
	return out
}

// revocations take back what grants gave on Chef's tables. A role, a table or a
// column that is gone took its rights along.
func revocations(ctx context.Context, conn *pgx.Conn) ([]Statement, error) {
	own, err := columns(ctx, conn, "chef_sync", []string{"grants"})
	if err != nil || len(own["grants"]) == 0 {
		return nil, err
	}
	rows, err := conn.Query(ctx, `SELECT g.role, g.tbl, string_agg(DISTINCT quote_ident(a.attname), ', ')
		FROM chef_sync.grants g JOIN pg_catalog.pg_roles r ON r.rolname = g.role
		JOIN pg_catalog.pg_class c ON c.relname = g.tbl AND c.relnamespace = 'public'::regnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY (string_to_array(g.columns, ', ')) AND NOT a.attisdropped
		GROUP BY g.role, g.tbl`)
	if err != nil {
		return nil, err
	}
	type grant struct{ Role, Table, Columns string }
	given, err := pgx.CollectRows(rows, pgx.RowToStructByPos[grant])
	var out []Statement
	for _, g := range given {
		out = append(out, Statement{
			SQL: fmt.Sprintf("REVOKE SELECT (%s) ON public.%s FROM %s", g.Columns, pgx.Identifier{g.Table}.Sanitize(), pgx.Identifier{g.Role}.Sanitize()),
			Why: "takes back from " + g.Role + " the right to read " + g.Table,
		})
	}
	return out, err
}
