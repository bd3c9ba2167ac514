package changelog

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// identity names the database that numbers belong to: the cluster's system
// identifier and timeline, which a restored backup or a promoted standby does
// not share, the database, and our table in it, which are others after a dump
// was loaded. A caller that may not read one of them leaves it out.
//
// A machine that is put back to a snapshot of its disk shares all of them. What
// tells is that PostgreSQL was started since, which it is for other reasons, too.
// So then numbers go on above the time: those that may have been given out in
// between are not given out again, and are known for what they are.
type identity map[string]string

// started is the part of the identity that a restart changes.
const started = "started"

// jump has the next numbers begin with the time. Nothing seems to have happened
// until there is one.
const jump = `UPDATE chef_sync.organizations SET base = greatest(base, head, ` + microseconds + `)`

// forgetJumps forgets the oldest of very many restarts of an organization, and
// with it the numbers before it.
const forgetJumps = `UPDATE chef_sync.organizations SET floor = greatest(floor, jumps[2]), jumps = jumps[3:] WHERE cardinality(jumps) > 400`

// checkIdentity gives the log another epoch if it is in another database than it
// was made in. It is in the transaction that gives out numbers, so no number
// of the new database is seen under the old epoch.
func (c *capturer) checkIdentity(ctx context.Context, tx pgx.Tx, l *look, p *passed) error {
	now, err := c.identity(ctx, tx)
	if err != nil {
		return err
	}
	changed, missing, restarted := "", false, false
	for _, k := range slices.Sorted(maps.Keys(now)) {
		was, ok := l.identity[k]
		missing = missing || !ok
		switch {
		case !ok || was == now[k]:
		case k == started:
			restarted = true
		default:
			changed = fmt.Sprintf("the %s is another (was %s, is %s)", k, was, now[k])
		}
	}
	if changed == "" && !missing && !restarted {
		return nil
	}
	merged := maps.Clone(now)
	if changed == "" { // what another caller could read stays known
		for k, v := range l.identity {
			merged[k] = v
		}
		maps.Copy(merged, now)
	}
	if _, err := tx.Exec(ctx, `UPDATE chef_sync.meta SET identity = $1`, merged); err != nil {
		return err
	}
	if changed == "" {
		if restarted {
			_, err = tx.Exec(ctx, jump)
		}
		return err
	}
	return renew(ctx, tx, l, p, changed)
}

// identity reads the present one.
func (c *capturer) identity(ctx context.Context, tx pgx.Tx) (identity, error) {
	var database, table, start, system, timeline string
	sql := `SELECT d.oid::text, 'chef_sync.object_changes'::regclass::oid::text, extract(epoch FROM pg_postmaster_start_time())::text, `
	if c.control {
		// The name of the file that is written now has the timeline; the control
		// file has it only after a checkpoint.
		sql += `(SELECT system_identifier::text FROM pg_control_system()), substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`
	} else {
		sql += `'', ''`
	}
	err := tx.QueryRow(ctx, sql+` FROM pg_database d WHERE d.datname = current_database()`).Scan(&database, &table, &start, &system, &timeline)
	if err != nil {
		return nil, fmt.Errorf("identify the database: %w", err)
	}
	id := identity{"database": database, "log": table, started: start}
	if c.control {
		id["system"], id["timeline"] = system, timeline
	}
	return id, nil
}

// mayReadControl reports whether the caller may read what [identity] is made of.
func mayReadControl(ctx context.Context, q querier) (bool, error) {
	var ok bool
	err := q.QueryRow(ctx, `SELECT coalesce(bool_and(has_function_privilege(p.oid, 'execute')), false) AND count(DISTINCT proname) = 3
		FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace
		AND proname IN ('pg_control_system', 'pg_walfile_name', 'pg_current_wal_lsn')`).Scan(&ok)
	return ok, err
}

// renew gives the log another epoch. The heads jump to the time and the floors
// with them: also a follower that does not look at epochs is told that its
// number is no longer served.
func renew(ctx context.Context, tx pgx.Tx, l *look, p *passed, why string) error {
	p.renewed, l.seeded = why, false
	_, err := tx.Exec(ctx, `UPDATE chef_sync.meta SET epoch = gen_random_uuid(), seeded = false`)
	if err == nil {
		_, err = tx.Exec(ctx, raiseFloors)
	}
	if err != nil {
		return fmt.Errorf("begin a new epoch: %w", err)
	}
	return nil
}

const raiseFloors = `UPDATE chef_sync.organizations SET head = x.seq, floor = x.seq, jumps = '{}'
	FROM (SELECT org_id AS id, greatest(head + 1, base + 1, ` + microseconds + `) AS seq FROM chef_sync.organizations) x WHERE org_id = x.id`
