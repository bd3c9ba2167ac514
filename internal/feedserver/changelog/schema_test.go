package changelog

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// dsnEnv names a database with Chef's real schema, of which the tests make
// copies and empty them. Its user has to be a superuser who logs in with a
// password, and so do roles that the tests make; nobody may be connected to it.
const dsnEnv = "CHEF_SYNC_TEST_DSN"

// database makes a database with Chef's tables, all empty, and returns its URL
// for a superuser.
func database(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(dsnEnv)
	if dsn == "" {
		pg := harness.Postgres(t)
		dsn = pg.URL(pg.Database(t, ""))
		makeTables(t, dsn)
		return dsn
	}
	return copyOf(t, dsn)
}

// copyOf makes an empty copy of the database of a connection string.
func copyOf(t testing.TB, dsn string) string {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	from, name := c.Database, "chef_sync_"+guid()[:12]
	admin, err := pgx.Connect(t.Context(), urlOf(c, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if _, err := admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("a database stays: %v", err)
		}
		admin.Close(ctx)
	})
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+pgx.Identifier{from}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	copied, err := pgx.Connect(t.Context(), urlOf(c, name))
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close(t.Context())
	if _, err := copied.Exec(t.Context(), "DROP SCHEMA IF EXISTS chef_sync CASCADE; TRUNCATE "+
		strings.Join(append(watched(true), "orgs", "users", "checksums"), ", ")+" CASCADE"); err != nil {
		t.Fatal(err)
	}
	return urlOf(c, name)
}

// urlOf is the URL of a database beside the one of a configuration.
func urlOf(c *pgx.ConnConfig, name string) string {
	q := url.Values{"host": {c.Host}, "port": {strconv.Itoa(int(c.Port))}, "sslmode": {"disable"}}
	if c.TLSConfig != nil {
		q.Set("sslmode", "prefer")
	}
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Path: "/" + name, RawQuery: q.Encode()}).String()
}

// TestCopyOf copies a database in which there is everything that a real one may
// have: organizations, objects, a log.
func TestCopyOf(t *testing.T) {
	k := start(t, InstallOptions{Capture: Triggers})
	k.chef.add("roles", "web")
	k.exec(`CREATE TABLE reporting_schema_info (version text NOT NULL)`)
	k.pool.Close()
	c, err := pgx.ParseConfig(k.dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{
		k.dsn,
		fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", c.Host, c.Port, c.User, c.Password, c.Database),
	} {
		admin := pool(t, urlOf(c, "postgres"))
		if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", c.Database); err != nil {
			t.Fatal(err)
		}
		t.Setenv(dsnEnv, dsn)
		again := start(t, InstallOptions{})
		again.chef.add("roles", "web")
		again.want(again.page(0), "create /roles/web")
		again.pool.Close()
	}
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
