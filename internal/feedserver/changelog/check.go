package changelog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// state is what the database's catalog says about Chef's tables and ours.
type state struct {
	// unknown is why nothing can be captured; "" = it can.
	unknown string

	// unreadable are the tables of objects that lack a column, with the reason.
	unreadable map[string]string

	// broken is why our triggers cannot work, missing why they have not worked;
	// "" = nothing is wrong. They say nothing when there are to be no triggers.
	broken, missing string

	// triggers has the tables with both triggers as they should be; strays those
	// with any trigger of ours.
	triggers, strays []string
}

// ours are the tables that triggers write to.
var ours = map[string][]string{
	"outbox":  {"id", "kind", "action", "org_id", "ref", "parent", "changed_at"},
	"parents": {"kind", "id", "org_id", "name"},

	"trigger_failures": {"last_value", "is_called"},
}

// inspect reads the state.
func inspect(ctx context.Context, q querier, nodes bool) (state, error) {
	s := state{unreadable: map[string]string{}}
	chefs, err := columns(ctx, q, "public", append(watched(true), "orgs"))
	if err != nil {
		return s, err
	}
	s.unknown = lacks(chefs, map[string][]string{"orgs": {"id", "name"}})
	for _, t := range objectTables(nodes) {
		if why := lacks(chefs, t.reads()); why != "" {
			s.unreadable[t.name] = why
			s.broken = why
		}
	}
	own, err := columns(ctx, q, "chef_sync", slices.Collect(maps.Keys(ours)))
	if err != nil {
		return s, err
	}
	if why := lacks(own, ours); why != "" {
		s.broken = "of chef_sync, " + why
	}
	return s, s.readTriggers(ctx, q, nodes)
}

// readTriggers finds the triggers that there are.
func (s *state) readTriggers(ctx context.Context, q querier, nodes bool) error {
	rows, err := q.Query(ctx, text("triggers"))
	if err != nil {
		return err
	}
	good, some := map[string]int{}, map[string]bool{}
	var tbl, name string
	var always bool
	_, err = pgx.ForEachRow(rows, []any{&tbl, &name, &always}, func() error {
		some[tbl] = true
		if always {
			good[tbl]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.strays = slices.Sorted(maps.Keys(some))
	for _, tbl := range watched(nodes) {
		if good[tbl] == 2 {
			s.triggers = append(s.triggers, tbl)
		} else {
			s.missing = "the triggers on " + tbl + " are gone or were turned off"
		}
	}
	return nil
}

// columns returns the columns of the tables that there are.
func columns(ctx context.Context, q querier, schema string, tables []string) (map[string][]string, error) {
	rows, err := q.Query(ctx, text("columns"), schema, tables)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	var tbl, column string
	_, err = pgx.ForEachRow(rows, []any{&tbl, &column}, func() error {
		out[tbl] = append(out[tbl], column)
		return nil
	})
	return out, err
}

// lacks says which of the wanted columns are not among those there are.
func lacks(have, want map[string][]string) string {
	var out []string
	for _, tbl := range slices.Sorted(maps.Keys(want)) {
		if len(have[tbl]) == 0 {
			out = append(out, "there is no table "+tbl)
			continue
		}
		for _, c := range want[tbl] {
			if !slices.Contains(have[tbl], c) {
				out = append(out, fmt.Sprintf("the table %s has no column %s", tbl, c))
			}
		}
	}
	return strings.Join(out, ", ")
}

// checkTriggers makes the capture go on by snapshots if the triggers cannot be
// relied on.
func (c *capturer) checkTriggers(ctx context.Context, tx pgx.Tx, s state, l *look, p *passed) error {
	why := s.broken
	if why == "" {
		var failures int64
		err := tx.QueryRow(ctx, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM chef_sync.trigger_failures`).Scan(&failures)
		if err != nil {
			return err
		}
		if failures > 0 {
			why = fmt.Sprintf("triggers failed %d times, the server's log says why", failures)
		}
	}
	if s.missing != "" {
		if err := renew(ctx, tx, l, p, s.missing); err != nil {
			return err
		}
		why = s.missing
	}
	if why == "" {
		return nil
	}
	p.fallback, p.capture, l.capture = why, Snapshot, Snapshot
	_, err := tx.Exec(ctx, `UPDATE chef_sync.meta SET capture = $1, fallback = $2`, Snapshot, why)
	return err
}
