package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
)

const (
	flagDryRun    = "dry-run"
	flagUninstall = "uninstall"
	flagDatabase  = "database"

	// envDatabase is the flag database for whoever does not want a password among
	// the processes.
	envDatabase = "CHEF_SYNC_DATABASE"
)

func (a *App) reconfigureCommand() *cli.Command {
	return &cli.Command{
		Name:  "reconfigure",
		Usage: "make this host what chef-sync.rb says; on a primary, install the change log",
		Description: `On a primary (role :master) it checks the configuration and the Chef server's
database, makes the schema chef_sync there with the log of changes, and tells the
Chef server's nginx of the feed server. Chef's own tables are not altered, except
that capture :triggers adds triggers to them. It may be repeated: what is as it
should be is left alone. --uninstall removes all of it.

Making a schema takes rights that the feed server need not have. --database, or
` + envDatabase + `, names the database as somebody who has them; triggers need
the owner of Chef's tables or a superuser.

On a replica it checks the configuration and the files that it names, and there
is nothing to install.

   ` + program + ` reconfigure --dry-run
   ` + program + ` reconfigure
   ` + program + ` reconfigure --database 'host=/tmp user=opscode-pgsql dbname=opscode_chef'
   ` + program + ` reconfigure --uninstall --yes`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagDryRun, DisableDefaultText: true, Usage: "show every statement and file, and do nothing"},
			&cli.BoolFlag{Name: flagUninstall, DisableDefaultText: true, Usage: "remove the change log, its triggers, and the files for nginx"},
			&cli.StringFlag{Name: flagDatabase, Usage: "install as `URL` or DSN says (default: $" + envDatabase + ", else as the feed server logs in)"},
			yesFlag(),
		},
		Action: a.reconfigure,
	}
}

// reconfiguration is one reconfigure under way.
type reconfiguration struct {
	*call
	cfg  *config.Config
	side config.ServerSide

	daemon    *pgxpool.Config // how the feed server logs in
	conn      *pgx.Conn       // of the one who installs
	dry       bool
	uninstall bool
	answer    reconfigured
}

func (a *App) reconfigure(c *cli.Context) error {
	if c.Args().Present() {
		return unusable("reconfigure", "reconfigure takes no argument, and got %q", c.Args().First())
	}
	k := &call{app: a, flags: c, command: "reconfigure"}
	var err error
	if k.print, err = a.printer(c); err != nil {
		return err
	}
	f := settingsFlags{file: c.String(flagConfig)}
	if k.set, err = a.settings(f); err != nil {
		return err
	}
	r := &reconfiguration{
		call: k, cfg: k.set.cfg, side: k.set.cfg.Server,
		dry: c.Bool(flagDryRun), uninstall: c.Bool(flagUninstall),
	}
	r.answer = reconfigured{Role: string(r.cfg.Role), DryRun: r.dry, Uninstall: r.uninstall, Statements: []statement{}, Files: []file{}, Next: []string{}, Notes: []string{}}
	for _, n := range r.cfg.Notices {
		r.note("%s", n)
	}
	for _, flag := range []string{flagUninstall, flagDatabase} {
		if r.cfg.Role == config.RoleReplica && c.IsSet(flag) {
			return r.set.onPrimary("reconfigure --"+flag, "reconfigure --"+flag+" …")
		}
	}
	readable := r.readable()
	if r.cfg.Role != config.RoleReplica && (r.cfg.Serves() || r.uninstall) {
		if err := r.primary(c.Context); err != nil {
			return err
		}
	}
	if r.cfg.Replicates() && !r.uninstall {
		if err := r.replica(readable); err != nil {
			return err
		}
	}
	if !r.cfg.Serves() && !r.cfg.Replicates() {
		r.note("ec_sync_client['enable'] or ec_sync_server['enable'] is false: nothing runs on this host.")
	}
	return r.show()
}

// note adds a sentence for the operator.
func (r *reconfiguration) note(format string, args ...any) {
	r.answer.Notes = append(r.answer.Notes, fmt.Sprintf(format, args...))
}

// primary installs or removes what a feed server needs.
func (r *reconfiguration) primary(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	defer func() { _ = r.conn.Close(context.WithoutCancel(ctx)) }()
	if r.uninstall {
		return r.remove(ctx)
	}
	if err := r.install(ctx); err != nil {
		return err
	}
	if err := r.nginx(); err != nil {
		return err
	}
	if r.dry {
		return nil
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.answer.Next = append(r.answer.Next, "systemctl restart ec-syncd", "curl -s "+r.root()+"/_status")
	return nil
}

// connect finds the database and logs in as whoever is to install.
func (r *reconfiguration) connect(ctx context.Context) error {
	db := primary.Database{URL: r.side.Database, PasswordFile: r.side.DatabasePasswordFile, PoolSize: r.side.DBPoolSize}
	url := r.flags.String(flagDatabase)
	if url == "" {
		url, _ = r.app.Env.LookupEnv(envDatabase)
	}
	var err error
	r.daemon, _, err = db.Config()
	switch {
	case err != nil && !(r.uninstall && url != ""):
		return fail(ExitUsage, "$EDITOR "+r.set.file, "reconfigure: %w", err)
	case err != nil:
		r.daemon = nil
	}
	as := r.daemon
	if url != "" {
		if as, _, err = (primary.Database{URL: url}).Config(); err != nil {
			return unusable("reconfigure", "--%s cannot be understood: write 'postgres://USER@HOST:5432/opscode_chef'", flagDatabase)
		}
		if r.daemon != nil && as.ConnConfig.Database != r.daemon.ConnConfig.Database {
			return unusable("reconfigure", "--%s names the database %s, and the feed server uses %s", flagDatabase, as.ConnConfig.Database, r.daemon.ConnConfig.Database)
		}
	}
	r.answer.Database = primary.Where(as)
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if r.conn, err = pgx.ConnectConfig(ctx, as.ConnConfig); err != nil {
		return fail(ExitNotDone, fmt.Sprintf("psql -h %s -p %d -U %s %s", as.ConnConfig.Host, as.ConnConfig.Port, as.ConnConfig.User, as.ConnConfig.Database),
			"reconfigure: log in to the database %s: %s", primary.Where(as), primary.WithoutDSN(err))
	}
	return r.version(ctx)
}

// version looks at what the database is.
func (r *reconfiguration) version(ctx context.Context) error {
	var number int
	var super bool
	err := r.conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, rolsuper FROM pg_roles WHERE rolname = current_user`).Scan(&number, &super)
	if err != nil {
		return fail(ExitNotDone, "", "reconfigure: ask the database who we are: %w", err)
	}
	r.answer.PostgreSQL = fmt.Sprintf("%d.%d", number/10000, number%10000)
	r.answer.Superuser = super
	if number < oldestPostgreSQL {
		return fail(ExitNotDone, "", "reconfigure: PostgreSQL %s is older than %d, which Chef Infra Server has had since 14.16", r.answer.PostgreSQL, oldestPostgreSQL/10000)
	}
	return nil
}

// installOptions are what the configuration asks for.
func (r *reconfiguration) installOptions() changelog.InstallOptions {
	o := changelog.InstallOptions{Capture: changelog.Capture(r.side.Capture), Nodes: r.side.Nodes}
	if user := r.daemon.ConnConfig.User; user != r.conn.Config().User {
		o.Role = user
	}
	return o
}

// install brings the schema up to date.
func (r *reconfiguration) install(ctx context.Context) error {
	o := r.installOptions()
	plan, err := changelog.Plan(ctx, r.conn, o)
	if err != nil {
		return r.refused(err)
	}
	for _, s := range plan {
		r.answer.Statements = append(r.answer.Statements, statement{Why: s.Why, SQL: s.SQL})
	}
	r.answer.Capture = r.side.Capture
	if r.dry {
		return nil
	}
	done, err := changelog.Install(ctx, r.conn, o)
	if err != nil {
		return r.refused(err)
	}
	r.answer.Changes = done.Changes
	switch {
	case done.From == 0:
		r.note("The change log was made, with capture %s.", done.Capture)
	default:
		r.note("The change log was there, and is up to date, with capture %s.", done.Capture)
	}
	if done.Renewed != "" {
		r.note("A new epoch begins, replicas will compare everything: %s.", done.Renewed)
	}
	return nil
}

// refused explains what the database said to an installation.
func (r *reconfiguration) refused(err error) error {
	hint := program + " reconfigure --dry-run"
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "42501" || !r.answer.Superuser {
		hint = fmt.Sprintf("%s reconfigure --%s 'postgres://SUPERUSER@%s:%d/%s'", program, flagDatabase,
			r.conn.Config().Host, r.conn.Config().Port, r.conn.Config().Database)
	}
	return fail(ExitNotDone, hint, "reconfigure: the change log as %s: %w", r.conn.Config().User, err)
}

// check tries what the feed server will do, as it.
func (r *reconfiguration) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	pool, err := pgxpool.NewWithConfig(ctx, r.daemon)
	if err != nil {
		return fail(ExitNotDone, "", "reconfigure: %s", primary.WithoutDSN(err))
	}
	defer pool.Close()
	log, err := changelog.Open(ctx, pool, changelog.Options{Capture: changelog.Capture(r.side.Capture)})
	if err != nil {
		return fail(ExitNotDone, "$EDITOR "+r.set.file, "reconfigure: the feed server, as %s, cannot open the change log: %s", primary.Where(r.daemon), primary.WithoutDSN(err))
	}
	s, err := log.Status(ctx)
	if err != nil {
		return fail(ExitNotDone, "", "reconfigure: the feed server cannot read the change log: %w", err)
	}
	for _, p := range s.Problems {
		r.note("Problem: %s.", p)
	}
	for _, o := range s.Organizations {
		r.answer.Organizations = append(r.answer.Organizations, o.Name)
	}
	return r.checkKeys(ctx, pool)
}
