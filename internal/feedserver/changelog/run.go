package changelog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// How often what is done.
const (
	maxOutboxWait = 100 * time.Millisecond // between two looks at the outbox
	maxPruneWait  = time.Minute            // between two looks for old tombstones
	maxPause      = 5 * time.Minute        // between two passes, however long they take
)

// errConnection says that a pass failed with its connection.
var errConnection = errors.New("the connection is lost")

// Run makes the passes until the context ends; then it returns nil. Of several
// servers on one database one makes them and the others take over when it is
// gone, which its connection tells. Errors are logged, told by [Log.Status] and
// tried again.
func (l *Log) Run(ctx context.Context) error {
	for {
		err := l.serve(ctx)
		l.set(func(r *running) { r.leads = false })
		if ctx.Err() != nil {
			return nil
		}
		l.failed(err)
		if !sleep(ctx, l.o.Interval) {
			return nil
		}
	}
}

// serve makes passes on a connection of its own until that is lost.
func (l *Log) serve(ctx context.Context) error {
	pooled, err := l.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // its lock goes with it
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // whatever it says, the connection is gone
	}()
	// The database has to learn that this machine is gone, or nobody takes over
	// for the two hours that are usual.
	if _, err := conn.Exec(ctx, `SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)`); err != nil {
		return err
	}
	if err := l.lead(ctx, conn); err != nil {
		return err
	}
	l.set(func(r *running) { r.leads = true })
	l.o.Logger.Info("this server writes the change log")
	c := &capturer{log: l.o.Logger, control: l.control, now: l.o.Now}
	for {
		pause, err := l.turn(ctx, c, conn)
		if err != nil {
			return err
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// lead waits until no other server writes the log.
func (l *Log) lead(ctx context.Context, conn *pgx.Conn) error {
	for {
		var leads bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, lockClass, lockServer).Scan(&leads); err != nil {
			return err
		}
		if leads {
			return nil
		}
		l.set(func(r *running) {
			if r.problem != nil {
				l.o.Logger.Info("another server writes the change log")
			}
			r.problem = nil
		})
		if !sleep(ctx, l.o.Interval) {
			return ctx.Err()
		}
	}
}

// turn makes one pass and what is due besides, and says how long to pause. It
// returns an error only if the connection cannot be used any more.
func (l *Log) turn(ctx context.Context, c *capturer, conn *pgx.Conn) (time.Duration, error) {
	began := time.Now()
	p, err := c.pass(ctx, conn, true)
	if err == nil {
		err = l.settle(ctx, p, conn)
	}
	if err == nil {
		err = l.prune(ctx, c, conn)
	}
	took := time.Since(began)
	switch {
	case ctx.Err() != nil || conn.IsClosed():
		return 0, fmt.Errorf("%w: %w", errConnection, err)
	case err != nil:
		l.failed(err)
		return c.rest(took, l.o.Interval), nil
	}
	l.set(func(r *running) {
		if r.problem != nil {
			l.o.Logger.Info("the change log is written again")
		}
		r.began, r.took, r.problem = began, took, nil
		r.changes += p.changes
	})
	interval := l.o.Interval
	if p.capture == Triggers {
		interval = min(interval, maxOutboxWait)
	}
	if p.idle {
		return interval, nil
	}
	return c.rest(took, max(interval-took, 0)), nil
}

// rest returns the pause after a pass with work that took so long: at least the
// given one, and nine times as long as the shorter of the last two. One alone that
// took long waited for a lock of somebody's, or had much to make up for, and no
// change is to be late for that.
func (c *capturer) rest(took, least time.Duration) time.Duration {
	usual := min(took, c.took)
	c.took = took
	return max(least, min(9*usual, maxPause))
}

// settle does what follows from a pass: it logs, and removes triggers that are
// not to be relied on.
func (l *Log) settle(ctx context.Context, p passed, conn *pgx.Conn) error {
	if p.renewed != "" {
		l.o.Logger.Warn("the change log begins a new epoch, all replicas will compare everything", "reason", p.renewed)
	}
	if p.fallback == "" {
		return nil
	}
	l.o.Logger.Error("the triggers cannot be relied on: they are removed and the capture goes on by snapshots; install the change log again when Chef's tables are as they should be",
		"reason", p.fallback)
	s, err := inspect(ctx, conn, true)
	if err != nil {
		return err
	}
	if err := removeTriggers(ctx, conn, s.strays); err != nil {
		l.o.Logger.Error("triggers stay, though they let Chef's writes pass", "err", err)
		l.set(func(r *running) { r.problems = append(r.problems, err.Error()) })
	}
	return nil
}

// removeTriggers takes our triggers off tables, each in a transaction of its
// own, with the rights of who installed them if there are no better ones.
func removeTriggers(ctx context.Context, conn *pgx.Conn, tables []string) error {
	var errs []error
	for _, tbl := range tables {
		if _, err := locked(ctx, conn, Statement{SQL: "SELECT chef_sync.remove_triggers('" + tbl + "')"}); err == nil {
			continue
		}
		if _, err := locked(ctx, conn, dropStatement(tbl)); err != nil {
			errs = append(errs, fmt.Errorf("remove the triggers from %s (a superuser can, with DROP SCHEMA chef_sync CASCADE): %w", tbl, err))
		}
	}
	return errors.Join(errs...)
}

// prune forgets old tombstones now and then.
func (l *Log) prune(ctx context.Context, c *capturer, conn *pgx.Conn) error {
	due := false
	l.set(func(r *running) {
		if due = time.Since(r.tombs) >= min(maxPruneWait, l.o.TombstoneAge/10); due {
			r.tombs = time.Now()
		}
	})
	if !due {
		return nil
	}
	n, err := c.prune(ctx, conn, l.o.TombstoneAge)
	if n > 0 {
		l.o.Logger.Debug("forgot old deletions", "count", n)
	}
	return err
}

// prune forgets the tombstones that are older than age, names that nothing
// refers to any more, and what triggers that are no longer in use have written.
func (c *capturer) prune(ctx context.Context, db beginner, age time.Duration) (n int64, err error) {
	tx, err := db.BeginTx(ctx, afresh)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it is committed, or the error is told already
	if ok, err := c.lock(ctx, tx, true); err != nil || !ok {
		return 0, err
	}
	if err := tx.QueryRow(ctx, text("prune"), c.now().Add(-age)).Scan(&n); err != nil {
		return 0, fmt.Errorf("forget old deletions: %w", err)
	}
	if _, err := tx.Exec(ctx, forgetJumps); err != nil {
		return 0, fmt.Errorf("forget old restarts: %w", err)
	}
	own, err := columns(ctx, tx, "chef_sync", []string{"outbox", "parents"})
	if err != nil {
		return 0, err
	}
	if lacks(own, map[string][]string{"outbox": ours["outbox"], "parents": ours["parents"]}) == "" {
		for _, sql := range []string{
			`DELETE FROM chef_sync.outbox WHERE (SELECT capture = 'snapshot' FROM chef_sync.meta)`,
			`DELETE FROM chef_sync.parents p WHERE kind = 'c' AND NOT EXISTS (SELECT FROM public.cookbooks x WHERE x.id = p.id)
				AND NOT EXISTS (SELECT FROM chef_sync.outbox o WHERE o.kind = p.kind AND o.parent = p.id)`,
			`DELETE FROM chef_sync.parents p WHERE kind = 'a' AND NOT EXISTS (SELECT FROM public.cookbook_artifacts x WHERE x.id = p.id)
				AND NOT EXISTS (SELECT FROM chef_sync.outbox o WHERE o.kind = p.kind AND o.parent = p.id)`,
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return 0, fmt.Errorf("clean the outbox: %w", err)
			}
		}
	}
	return n, tx.Commit(ctx)
}

// failed logs an error once, until it is another or gone.
func (l *Log) failed(err error) {
	l.set(func(r *running) {
		if r.problem == nil || err != nil && r.problem.Error() != err.Error() {
			l.o.Logger.Warn("the change log is not written, will try again", "err", err)
		}
		r.problem = err
	})
}

func (l *Log) set(f func(*running)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.run)
}

// sleep returns false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
