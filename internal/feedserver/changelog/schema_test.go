package changelog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// dsnEnv names a database with Chef's real schema, of which the tests make
// copies. Its user has to be a superuser, and nobody may be connected to it.
const dsnEnv = "CHEF_SYNC_TEST_DSN"

// database makes a database with Chef's tables and returns its connection
// string for a superuser.
func database(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(dsnEnv)
	if dsn == "" {
		pg := harness.Postgres(t)
		dsn = pg.URL(pg.Database(t, ""))
		makeTables(t, dsn)
		return dsn
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	from := c.Database
	c.Database = "postgres"
	admin, err := pgx.ConnectConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	name := "chef_sync_" + guid()[:12]
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+pgx.Identifier{from}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if _, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Log(err)
		}
		admin.Close(ctx)
	})
	return fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", c.User, c.Password, c.Host, c.Port, name)
}

// makeTables makes Chef's tables in a database.
func makeTables(t testing.TB, dsn string) {
	t.Helper()
	functions, err := os.ReadFile(filepath.Join("testdata", "functions.sql"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), chefTables(t)+string(functions)); err != nil {
		t.Fatalf("make Chef's tables: %v", err)
	}
}

// chefTables makes statements of what was read off a real database: the columns
// (table, column, type, nullable, default) and the constraints (table, kind,
// name, definition).
func chefTables(t testing.TB) string {
	var b strings.Builder
	b.WriteString("CREATE TYPE org_state AS ENUM ('holding', 'running', 'done');\nCREATE TYPE password_hash_type AS ENUM ('bcrypt', 'SHA1', 'erchef-bcrypt-v1');\n")
	var order []string
	columns := map[string][]string{}
	for _, f := range tsv(t, "columns.tsv", 5) {
		def := f[1] + " " + f[2]
		if f[3] == "NO" {
			def += " NOT NULL"
		}
		if f[4] != "" {
			def += " DEFAULT " + f[4]
		}
		if seq, ok := strings.CutPrefix(f[4], "nextval('"); ok {
			seq, _, _ = strings.Cut(seq, "'")
			fmt.Fprintf(&b, "CREATE SEQUENCE %s;\n", seq)
		}
		if !slices.Contains(order, f[0]) {
			order = append(order, f[0])
		}
		columns[f[0]] = append(columns[f[0]], def)
	}
	for _, tbl := range order {
		fmt.Fprintf(&b, "CREATE TABLE %s (%s);\n", tbl, strings.Join(columns[tbl], ", "))
	}
	for _, foreign := range []bool{false, true} { // a foreign key refers to a unique one
		for _, f := range tsv(t, "constraints.tsv", 4) {
			if (f[1] == "f") == foreign {
				fmt.Fprintf(&b, "ALTER TABLE %s ADD CONSTRAINT %s %s;\n", f[0], f[2], f[3])
			}
		}
	}
	return b.String()
}

func tsv(t testing.TB, name string, fields int) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for _, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
		f := strings.Split(line, "\t")
		for len(f) < fields {
			f = append(f, "")
		}
		out = append(out, f)
	}
	return out
}

// pool connects to a database.
func pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c.MaxConns = 40
	p, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
