package ctl

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// startDatabase is the command chefdb [LINE…]: it makes a Chef server's database
// with the organization acme, and a chef-sync.rb with role :master, with more
// lines. The feed server logs in as a role that may only read and write Chef's
// tables; $SUPER is the database as a superuser sees it.
func startDatabase(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	dsn := harness.ChefDatabase(w.t)
	u, err := url.Parse(dsn)
	ts.Check(err)
	role := "feed_" + strings.TrimPrefix(u.Path, "/")
	ts.Setenv("SUPER", dsn)
	ts.Setenv("ROLE", role)
	ts.Setenv("DATABASE", strings.TrimPrefix(u.Path, "/"))
	for _, sql := range []string{
		"CREATE ROLE " + role + " LOGIN PASSWORD 'hush'",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role,
		`INSERT INTO orgs (id, authz_id, name, full_name, assigned_at, last_updated_by, created_at, updated_at)
			VALUES ('1', '1', 'acme', 'Acme', now(), '1', now(), now())`,
		`INSERT INTO roles (org_id, authz_id, last_updated_by, id, created_at, updated_at, name, serialized_object)
			VALUES ('1', '1', '1', '1', now(), now(), 'web', '')`,
	} {
		_, err := query(dsn, sql)
		ts.Check(err)
	}
	w.t.Cleanup(func() { // the database goes before: it was made later
		_, _ = query(dsn, "REASSIGN OWNED BY "+role+" TO postgres")
		_, _ = query(dsn, "DROP OWNED BY "+role)
		_, _ = query(dsn, "DROP ROLE "+role)
	})
	u.User = url.User(role)
	ts.Check(os.WriteFile(ts.MkAbs("password"), []byte("hush\n"), 0o600))
	ts.Check(os.Mkdir(ts.MkAbs("addon.d"), 0o700))
	text := fmt.Sprintf(`role :master
ec_sync_server['database'] = '%s'
ec_sync_server['database_password_file'] = 'password'
ec_sync_server['nginx_addon_dir'] = 'addon.d'
%s
`, u, strings.Join(args, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs("chef-sync.rb"), []byte(text), 0o600))
}

// addSettings is the command settings FILE: it appends a file to chef-sync.rb.
func addSettings(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("chef-sync.rb") + ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs("chef-sync.rb"), []byte(text), 0o600))
}

// runSQL is the command sql STATEMENT: it runs it as a superuser and prints the
// first column.
func runSQL(ts *testscript.TestScript, _ bool, args []string) {
	out, err := query(ts.Getenv("SUPER"), args[0])
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), strings.Join(out, "\n"))
}

func query(dsn, sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) //nolint:forbidigo // a script has no context
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		v, err := row.Values()
		if err != nil || len(v) == 0 {
			return "", err
		}
		return fmt.Sprint(v[0]), nil
	})
}
