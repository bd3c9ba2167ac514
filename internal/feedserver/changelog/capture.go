package changelog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The advisory locks: one is held by the server that makes the passes as long as
// it does, the other by each transaction that gives out numbers.
const (
	lockClass   = 0x43535943
	lockServer  = 1
	lockNumbers = 2
)

// maxBatch is how many rows of the outbox are numbered at once.
const maxBatch = 50_000

// beginner is a connection or a pool.
type beginner interface {
	BeginTx(ctx context.Context, o pgx.TxOptions) (pgx.Tx, error)
}

// afresh has each statement see what was committed before it, and not before the
// lock was waited for, whatever the database's defaults are.
var afresh = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}

// A capturer makes passes: it brings the log up to what is committed. It is for
// one caller at a time. Any number of capturers may work on one database.
type capturer struct {
	log     *slog.Logger
	control bool // pg_control_system may be read
	now     func() time.Time

	// settled is the database's snapshot at the begin of a pass that left nothing
	// to do; while it is the same, nothing at all was committed.
	settled string

	took time.Duration // by the last pass of a server that makes them
}

// passed says what a pass did.
type passed struct {
	capture Capture
	changes int64

	// idle: nothing was committed since the last pass. busy: another server
	// makes one at this moment.
	idle, busy bool

	// fallback is why the triggers have to be removed now; "" = they have not.
	fallback string

	renewed string // why the epoch is another; "" = it is not
}

// look is what a pass finds in our tables.
type look struct {
	version          int
	identity         identity
	capture          Capture
	nodes, seeded    bool
	snapshot         string
	newOrgs, oldOrgs bool
}

// pass makes a pass in one transaction. If wait is false and somebody else makes
// one, it returns busy. A crash in the middle leaves nothing behind.
func (c *capturer) pass(ctx context.Context, db beginner, wait bool) (p passed, err error) {
	tx, err := db.BeginTx(ctx, afresh)
	if err != nil {
		return p, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it is committed, or the error is told already
	defer func() {
		if err != nil {
			c.settled = ""
		}
	}()
	if ok, err := c.lock(ctx, tx, wait); err != nil || !ok {
		return passed{busy: true}, err
	}
	l, err := c.look(ctx, tx)
	if err != nil {
		return p, err
	}
	p.capture = l.capture
	if l.snapshot == c.settled {
		p.idle = true
		return p, nil
	}
	if err := c.work(ctx, tx, l, &p); err != nil {
		return p, err
	}
	if err := tx.Commit(ctx); err != nil {
		return p, fmt.Errorf("commit a pass: %w", err)
	}
	c.settled = ""
	if p.changes == 0 && p.renewed == "" && p.fallback == "" {
		c.settled = l.snapshot
	}
	return p, nil
}

// lock takes the lock under which numbers are given out. It is held until after
// the commit has become visible, so numbers become visible in order. What was
// given out must survive a crash, or it would be given out twice: hence
// synchronous_commit. A server that hangs must not hold the lock for ever.
func (c *capturer) lock(ctx context.Context, tx pgx.Tx, wait bool) (bool, error) {
	_, err := tx.Exec(ctx, `SELECT set_config('jit', 'off', true), set_config('work_mem', '32MB', true),
		set_config('idle_in_transaction_session_timeout', '60s', true), set_config('lock_timeout', '60s', true), set_config('statement_timeout', '10min', true),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`)
	if err != nil {
		return false, err
	}
	if wait {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, lockClass, lockNumbers)
		return err == nil, err
	}
	var ok bool
	err = tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1, $2)`, lockClass, lockNumbers).Scan(&ok)
	return ok, err
}

// look reads our state. The row that says what it is may have been lost; then
// it is made anew, with another epoch.
func (c *capturer) look(ctx context.Context, tx pgx.Tx) (look, error) {
	var l look
	scan := func() error {
		return tx.QueryRow(ctx, text("look")).Scan(&l.version, &l.identity, &l.capture, &l.nodes, &l.seeded, &l.snapshot, &l.newOrgs, &l.oldOrgs)
	}
	err := scan()
	if errors.Is(err, pgx.ErrNoRows) {
		c.log.Error("the feed's own state was emptied, it begins anew")
		_, err = tx.Exec(ctx, `INSERT INTO chef_sync.meta (version, capture, nodes)
			SELECT $1, CASE WHEN EXISTS (SELECT FROM pg_trigger WHERE tgname = 'chef_sync_row') THEN 'triggers' ELSE 'snapshot' END,
			       EXISTS (SELECT FROM chef_sync.object_changes WHERE path ~ '^/nodes/')`, schemaVersion)
		if err == nil {
			_, err = tx.Exec(ctx, raiseFloors)
		}
		if err == nil {
			err = scan()
		}
	}
	if err != nil {
		return l, notInstalled(err)
	}
	if l.version != schemaVersion {
		return l, fmt.Errorf("%w: the schema chef_sync has version %d, this program wants %d", ErrNotInstalled, l.version, schemaVersion)
	}
	return l, nil
}

// work does what a pass is for.
func (c *capturer) work(ctx context.Context, tx pgx.Tx, l look, p *passed) error {
	if err := c.checkIdentity(ctx, tx, &l, p); err != nil {
		return err
	}
	state, err := inspect(ctx, tx, l.nodes)
	if err != nil {
		return err
	}
	if state.unknown != "" {
		return fmt.Errorf("this is not Chef's database as it is known: %s", state.unknown)
	}
	if l.capture == Triggers {
		if err := c.checkTriggers(ctx, tx, state, &l, p); err != nil {
			return err
		}
	}
	created, err := organizations(ctx, tx, l)
	if err != nil {
		return err
	}
	all := l.capture == Snapshot || !l.seeded
	if l.capture == Triggers {
		compare, err := c.advance(ctx, tx, &l, p)
		if err != nil {
			return err
		}
		all = all || compare
	}
	if all || len(created) > 0 {
		if all {
			created = nil
		}
		if err := compare(ctx, tx, state, l.nodes, created, p); err != nil {
			return err
		}
	}
	if all && !l.seeded {
		_, err = tx.Exec(ctx, `UPDATE chef_sync.meta SET seeded = true`)
	}
	return err
}

// organizations makes room for new organizations, which it returns, and forgets
// those that are no more. Numbers begin with the time: none of an earlier log, or
// of an organization that had the name before, is as high. While the log is
// seeded a new organization is empty for its followers, and its head 0.
func organizations(ctx context.Context, tx pgx.Tx, l look) (created []string, err error) {
	if l.oldOrgs {
		_, err = tx.Exec(ctx, `WITH gone AS (
			DELETE FROM chef_sync.organizations s WHERE NOT EXISTS (SELECT FROM public.orgs o WHERE o.id::text = s.org_id) RETURNING org_id)
			DELETE FROM chef_sync.object_changes WHERE org_id IN (SELECT org_id FROM gone)`)
		if err != nil {
			return nil, err
		}
	}
	if !l.newOrgs {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `INSERT INTO chef_sync.organizations (org_id, head, floor, base)
		SELECT o.id::text, b, b, t FROM public.orgs o, (SELECT CASE WHEN $1 THEN 0 ELSE `+microseconds+` END, `+microseconds+`) x (b, t)
		WHERE NOT EXISTS (SELECT FROM chef_sync.organizations s WHERE s.org_id = o.id::text)
		RETURNING org_id`, l.seeded)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// microseconds is the SQL for the time as a number. It is below 2^53, up to which
// all readers of JSON agree on numbers, until the year 2255.
const microseconds = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// compare numbers the difference between what there is and the log, of the given
// organizations or (nil) all. What cannot be read any more stays as it is in the
// log; nothing is taken for deleted because of it.
func compare(ctx context.Context, tx pgx.Tx, s state, nodes bool, orgs []string, p *passed) error {
	var captured []table
	var leave []string
	for _, t := range objectTables(nodes) {
		if _, ok := s.unreadable[t.name]; ok {
			leave = append(leave, t.pattern())
			continue
		}
		captured = append(captured, t)
	}
	var n int64
	err := tx.QueryRow(ctx, text("compare", "live", live(captured)), orgs, strings.Join(leave, "|")).Scan(&n)
	if err != nil {
		return fmt.Errorf("compare the log with Chef's tables: %w", err)
	}
	p.changes += n
	return nil
}

// advance numbers what is in the outbox, and says whether everything has to be
// compared besides.
func (c *capturer) advance(ctx context.Context, tx pgx.Tx, l *look, p *passed) (all bool, err error) {
	for {
		var taken, numbered, truncated, unresolved int64
		if err := tx.QueryRow(ctx, advanceSQL(), maxBatch).Scan(&taken, &numbered, &truncated, &unresolved); err != nil {
			return false, fmt.Errorf("number the outbox: %w", err)
		}
		p.changes += numbered
		if truncated > 0 {
			if err := renew(ctx, tx, l, p, "a table of Chef's was truncated"); err != nil {
				return false, err
			}
			all = true
		}
		all = all || unresolved > 0
		if taken < maxBatch {
			return all, nil
		}
	}
}
