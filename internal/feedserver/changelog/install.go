package changelog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// InstallOptions are for [Install] and [Plan].
type InstallOptions struct {
	// Capture is how changes are to be captured; "" = [Snapshot].
	Capture Capture

	// Nodes captures nodes as well. Every run of a chef-client writes one.
	Nodes bool

	// Role is the role that [Log] connects as, if it is not the one that
	// installs. It gets the rights that it needs.
	Role string

	// Logger, nil: nothing is logged.
	Logger *slog.Logger
}

// Report says what [Install] did.
type Report struct {
	From, Version int // of the schema; From is 0 if there was none
	Capture       Capture
	Nodes         bool
	Statements    []Statement
	Changes       int64  // numbered by the first comparison
	Renewed       string // why the epoch is another than before; "" = it is not
}

// Triggers wait this long for a table, so long are Chef's writes held up, and
// are tried so often.
const (
	triggerLockTimeout = "500ms"
	triggerAttempts    = 30
	triggerPause       = 200 * time.Millisecond
)

// survey is what an installation finds.
type survey struct {
	from    int // 0: nothing
	capture Capture
	nodes   bool
	state   state
	owner   bool // of Chef's tables

	// unread are the columns, by table, that the role which is to run the log may
	// not read; whoever owns the tables grants them.
	unread map[string][]string
}

// Plan returns what [Install] would do, and does nothing.
func Plan(ctx context.Context, conn *pgx.Conn, o InstallOptions) ([]Statement, error) {
	s, o, err := examine(ctx, conn, o)
	if err != nil {
		return nil, err
	}
	before, tables, after := s.statements(o)
	return slices.Concat(before, tables, after), nil
}

// Install makes our schema in Chef's database, or brings it up to date, and
// compares the log with all there is. It may be repeated, and after a crash
// it must be. Numbers that replicas hold stay valid.
//
// Capture by snapshots needs the right to create a schema and to read Chef's
// tables. Capture by triggers needs the rights of their owner; each table is
// locked for a moment, one at a time, and if a writer keeps one busy for long
// Install gives up and leaves no trigger behind.
func Install(ctx context.Context, conn *pgx.Conn, o InstallOptions) (Report, error) {
	s, o, err := examine(ctx, conn, o)
	if err != nil {
		return Report{}, err
	}
	before, tables, after := s.statements(o)
	r := Report{From: s.from, Version: schemaVersion, Capture: o.Capture, Nodes: o.Nodes, Statements: slices.Concat(before, tables, after)}
	control, err := mayReadControl(ctx, conn)
	if err != nil {
		return r, err
	}
	c := &capturer{log: o.Logger, control: control, now: time.Now}
	err = c.inLock(ctx, conn, func(tx pgx.Tx) error {
		if err := execute(ctx, tx, before); err != nil {
			return err
		}
		return begin(ctx, tx, o)
	})
	if err != nil {
		return r, fmt.Errorf("install the schema: %w", err)
	}
	for _, st := range tables {
		if _, err := locked(ctx, conn, st); err != nil {
			err = fmt.Errorf("install the triggers on %s: %w", st.table, err)
			return r, errors.Join(err, s.undo(ctx, conn, o))
		}
	}
	if err := c.inLock(ctx, conn, func(tx pgx.Tx) error { return s.use(ctx, tx, o, len(tables) > 0, &r) }); err != nil {
		return r, fmt.Errorf("switch the capture: %w", err)
	}
	for _, st := range after {
		if _, err := locked(ctx, conn, st); err != nil {
			return r, fmt.Errorf("remove the triggers of %s: %w", st.table, err)
		}
	}
	p, err := c.pass(ctx, conn, true)
	r.Changes = p.changes
	if p.renewed != "" {
		r.Renewed = p.renewed
	}
	if err == nil && p.fallback != "" {
		err = fmt.Errorf("the triggers cannot be relied on: %s", p.fallback)
	}
	return r, err
}

// examine looks at the database and checks that an installation is possible.
func examine(ctx context.Context, conn *pgx.Conn, o InstallOptions) (s survey, _ InstallOptions, err error) {
	if o.Capture == "" {
		o.Capture = Snapshot
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Capture != Snapshot && o.Capture != Triggers {
		return s, o, fmt.Errorf("there is no capture %q", o.Capture)
	}
	if s.state, err = inspect(ctx, conn, o.Nodes); err != nil {
		return s, o, err
	}
	if s.state.unknown != "" {
		return s, o, fmt.Errorf("this is not Chef's database as it is known: %s", s.state.unknown)
	}
	for tbl, why := range s.state.unreadable {
		return s, o, fmt.Errorf("objects of %s could not be captured: %s", tbl, why)
	}
	err = conn.QueryRow(ctx, `SELECT version, capture, nodes FROM chef_sync.meta`).Scan(&s.from, &s.capture, &s.nodes)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) && !errors.Is(otherVersion(err), ErrNotInstalled) {
		return s, o, err
	}
	if s.from > schemaVersion {
		return s, o, fmt.Errorf("the schema chef_sync has version %d, which is newer than this program's %d", s.from, schemaVersion)
	}
	err = conn.QueryRow(ctx, `SELECT bool_and(pg_has_role(current_user, c.relowner, 'USAGE')) FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1::text[])`, append(watched(o.Nodes), "orgs")).Scan(&s.owner)
	if err == nil && o.Capture == Triggers && !s.owner {
		err = errors.New("triggers can be installed only by the owner of Chef's tables or a superuser; on a Chef server that is opscode-pgsql")
	}
	if err == nil && o.Role != "" && s.owner {
		s.unread, err = unreadBy(ctx, conn, o)
	}
	return s, o, err
}

// statements are what is to be done: before the capture is switched, the same on
// Chef's tables, and after.
func (s survey) statements(o InstallOptions) (before, tables, after []Statement) {
	before = schemaStatements()
	if o.Capture == Triggers {
		before = append(before, functionStatements(o.Nodes)...)
		if s.capture != Triggers {
			before = append(before, Statement{SQL: "SELECT setval('chef_sync.trigger_failures', 1, false)", Why: "forgets failures of triggers that were there before"})
		}
		for _, tbl := range watched(o.Nodes) {
			if slices.Contains(s.state.triggers, tbl) {
				continue
			}
			st := triggerStatement(tbl)
			if slices.Contains(s.state.strays, tbl) {
				st.SQL = dropStatement(tbl).SQL + ";\n" + st.SQL
			}
			tables = append(tables, st)
		}
	}
	for _, tbl := range s.state.strays {
		if o.Capture == Snapshot || !slices.Contains(watched(o.Nodes), tbl) {
			after = append(after, dropStatement(tbl))
		}
	}
	if o.Role != "" {
		before = append(before, grants(o, s.unread)...)
	}
	return before, tables, after
}

// begin has a new log captured by snapshots until [survey.use]: a feed server that
// runs already finds it at once, and must not rely on triggers that are half there.
func begin(ctx context.Context, tx pgx.Tx, o InstallOptions) error {
	_, err := tx.Exec(ctx, `INSERT INTO chef_sync.meta (version, capture, nodes) VALUES ($1, $2, $3) ON CONFLICT (one) DO NOTHING`,
		schemaVersion, Snapshot, o.Nodes)
	return err
}

// use makes the capture the one in use. Whatever was captured until here, the
// next pass compares everything if anything is another than before.
func (s survey) use(ctx context.Context, tx pgx.Tx, o InstallOptions, touched bool, r *Report) error {
	same := s.from > 0 && !touched && s.capture == o.Capture && s.nodes == o.Nodes
	_, err := tx.Exec(ctx, `INSERT INTO chef_sync.meta AS m (version, capture, nodes) VALUES ($1, $2, $3)
		ON CONFLICT (one) DO UPDATE SET version = $1, capture = $2, nodes = $3, fallback = '', seeded = m.seeded AND $4`,
		schemaVersion, o.Capture, o.Nodes, same)
	if err != nil {
		return err
	}
	if o.Capture == Triggers {
		for _, p := range []*parent{cookbooks, artifacts} {
			_, err := tx.Exec(ctx, `INSERT INTO chef_sync.parents (kind, id, org_id, name)
				SELECT '`+p.code+`', id, org_id, name FROM public.`+p.name+` ON CONFLICT (kind, id) DO UPDATE SET org_id = excluded.org_id, name = excluded.name`)
			if err != nil {
				return err
			}
		}
	}
	why := ""
	switch {
	case s.from > 0 && s.capture == Triggers && o.Capture == Triggers && s.state.missing != "" && s.nodes == o.Nodes:
		why = s.state.missing
	case s.from > 0 && s.nodes && !o.Nodes:
		why = "nodes are no longer captured"
		if _, err := tx.Exec(ctx, `DELETE FROM chef_sync.object_changes WHERE path ~ '^/nodes/'`); err != nil {
			return err
		}
	}
	if why == "" {
		return nil
	}
	p := passed{}
	err = renew(ctx, tx, &look{}, &p, why)
	r.Renewed = p.renewed
	return err
}

// undo takes away the triggers of an installation that failed, unless they were
// in use before. Where it failed because it was given up, its connection is gone.
func (s survey) undo(ctx context.Context, conn *pgx.Conn, o InstallOptions) error {
	if s.capture == Triggers {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if conn.IsClosed() {
		again, err := pgx.ConnectConfig(ctx, conn.Config())
		if err != nil {
			return fmt.Errorf("log in again to remove the triggers: %w", err)
		}
		defer again.Close(ctx) //nolint:errcheck // whatever it says, the connection is gone
		conn = again
	}
	return removeTriggers(ctx, conn, watched(o.Nodes))
}

// inLock runs f in a transaction during which no numbers are given out.
func (c *capturer) inLock(ctx context.Context, db beginner, f func(pgx.Tx) error) error {
	tx, err := db.BeginTx(ctx, afresh)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it is committed, or the error is told already
	if _, err := c.lock(ctx, tx, true); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func execute(ctx context.Context, tx pgx.Tx, statements []Statement) error {
	for _, st := range statements {
		if _, err := tx.Exec(ctx, st.SQL); err != nil {
			return fmt.Errorf("%s: %w", st.Why, err)
		}
	}
	return nil
}

// locked runs a statement that locks a table of Chef's: in a short transaction
// that gives up soon, for everybody else waits behind it, and again if others
// held the table.
func locked(ctx context.Context, conn *pgx.Conn, st Statement) (attempts int, err error) {
	for attempts = 1; ; attempts++ {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+triggerLockTimeout+`'`); err != nil {
				return err
			}
			_, err := tx.Conn().PgConn().Exec(ctx, st.SQL).ReadAll()
			return err
		})
		var e *pgconn.PgError
		busy := errors.As(err, &e) && (e.Code == "55P03" || e.Code == "40P01")
		if !busy || attempts == triggerAttempts || !sleep(ctx, triggerPause) {
			return attempts, err
		}
	}
}
