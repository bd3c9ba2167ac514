package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ChefDatabase makes a database with the tables of a Chef server and returns its
// connection string for a superuser.
func ChefDatabase(t testing.TB) string {
	t.Helper()
	pg := Postgres(t)
	file := filepath.Join(runDir(t), "chef.sql")
	run.Lock()
	_, err := os.Stat(file)
	if err != nil {
		var text string
		if text, err = chefSchema(); err == nil {
			err = os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // PostgreSQL's user reads it
		}
	}
	run.Unlock()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	return pg.URL(pg.Database(t, file))
}

// chefSchema makes statements of what was read off a real Chef server's
// database, see the testdata of package changelog: the columns (table, column,
// type, nullable, default), the constraints (table, kind, name, definition), and
// functions.
func chefSchema() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "internal", "feedserver", "changelog", "testdata")
	columns, err := readTSV(filepath.Join(dir, "columns.tsv"), 5)
	if err != nil {
		return "", err
	}
	constraints, err := readTSV(filepath.Join(dir, "constraints.tsv"), 4)
	if err != nil {
		return "", err
	}
	functions, err := os.ReadFile(filepath.Join(dir, "functions.sql"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("CREATE TYPE org_state AS ENUM ('holding', 'running', 'done');\n" +
		"CREATE TYPE password_hash_type AS ENUM ('bcrypt', 'SHA1', 'erchef-bcrypt-v1');\n")
	writeTables(&b, columns)
	for _, foreign := range []bool{false, true} { // a foreign key refers to a unique one
		for _, f := range constraints {
			if (f[1] == "f") == foreign {
				fmt.Fprintf(&b, "ALTER TABLE %s ADD CONSTRAINT %s %s;\n", f[0], f[2], f[3])
			}
		}
	}
	return b.String() + string(functions), nil
}

// writeTables writes the tables in the order of their first column.
func writeTables(b *strings.Builder, columns [][]string) {
	var order []string
	defs := map[string][]string{}
	for _, f := range columns {
		def := f[1] + " " + f[2]
		if f[3] == "NO" {
			def += " NOT NULL"
		}
		if f[4] != "" {
			def += " DEFAULT " + f[4]
		}
		if seq, ok := strings.CutPrefix(f[4], "nextval('"); ok {
			seq, _, _ = strings.Cut(seq, "'")
			fmt.Fprintf(b, "CREATE SEQUENCE %s;\n", seq)
		}
		if !slices.Contains(order, f[0]) {
			order = append(order, f[0])
		}
		defs[f[0]] = append(defs[f[0]], def)
	}
	for _, table := range order {
		fmt.Fprintf(b, "CREATE TABLE %s (%s);\n", table, strings.Join(defs[table], ", "))
	}
}

func readTSV(file string, fields int) ([][]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		out = append(out, append(f, make([]string, max(fields-len(f), 0))...))
	}
	return out, nil
}
