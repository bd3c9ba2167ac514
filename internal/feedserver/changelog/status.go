package changelog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is how a log is doing.
type Status struct {
	Version int // of the schema
	Epoch   string
	Seeded  bool // false: the log is not complete yet

	// Capture is the one in use. Why is the reason that it is not the one that
	// was installed; "" = it is.
	Capture Capture
	Why     string
	Nodes   bool // nodes are captured

	Organizations []OrganizationStatus // by name

	// Writes is whether this server makes the passes. Only then are the next
	// three known.
	Writes   bool
	Lag      time.Duration // since the begin of the last finished pass: older changes are in the log; before the first, since Open
	PassTook time.Duration // how long that pass took
	Changes  int64         // numbered by this server

	// Outbox is what triggers have seen and is not in the log.
	Outbox int64

	// Identity says what the epoch is bound to, by name.
	Identity map[string]string

	// Problems are sentences for people; nil = all is well.
	Problems []string
}

// OrganizationStatus is how the log of an organization is doing.
type OrganizationStatus struct {
	Name, GUID  string
	Head, Floor int64
}

// Status looks at the database and changes nothing.
func (l *Log) Status(ctx context.Context) (Status, error) {
	var s Status
	err := l.pool.QueryRow(ctx, `SELECT version, epoch::text, seeded, capture, fallback, nodes, identity FROM chef_sync.meta`).
		Scan(&s.Version, &s.Epoch, &s.Seeded, &s.Capture, &s.Why, &s.Nodes, &s.Identity)
	if err != nil {
		return s, otherVersion(err)
	}
	found, err := inspect(ctx, l.pool, s.Nodes)
	if err != nil {
		return s, err
	}
	if found.unknown == "" {
		if s.Organizations, err = l.organizations(ctx); err != nil {
			return s, err
		}
	}
	if s.Capture == Triggers && found.broken == "" { // or there may be no outbox
		if err := l.pool.QueryRow(ctx, `SELECT count(*) FROM chef_sync.outbox`).Scan(&s.Outbox); err != nil {
			return s, err
		}
	}
	s.Problems = l.problems(s, found)
	l.set(func(r *running) {
		s.Writes, s.PassTook, s.Changes = r.leads, r.took, r.changes
		if r.leads {
			s.Lag = time.Since(r.began)
		}
		if r.problem != nil {
			s.Problems = append(s.Problems, "the last pass failed: "+r.problem.Error())
		}
		s.Problems = append(s.Problems, r.problems...)
	})
	return s, nil
}

// problems puts into words what is wrong.
func (l *Log) problems(s Status, found state) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if found.unknown != "" {
		add("this is not Chef's database as it is known: %s", found.unknown)
	}
	for _, tbl := range slices.Sorted(maps.Keys(found.unreadable)) {
		add("objects of %s are not captured: %s", tbl, found.unreadable[tbl])
	}
	switch {
	case s.Why != "":
		add("the capture went on by snapshots: %s", s.Why)
	case s.Capture == Triggers && found.missing != "":
		add("%s", found.missing)
	case s.Capture == Triggers && found.broken != "":
		add("the triggers cannot work: %s", found.broken)
	}
	if s.Capture == Snapshot && len(found.strays) > 0 {
		add("there are triggers of ours that are not in use, on %v", found.strays)
	}
	if l.o.Capture != "" && l.o.Capture != s.Capture {
		add("the capture is %s, not %s as configured", s.Capture, l.o.Capture)
	}
	if !l.control {
		add("the server's system identifier may not be read (pg_control_system): a restored backup is recognized by the database and the log's table only")
	}
	return out
}

func (l *Log) organizations(ctx context.Context) ([]OrganizationStatus, error) {
	rows, err := l.pool.Query(ctx, `SELECT o.name, o.id::text, coalesce(s.head, 0), coalesce(s.floor, 0)
		FROM public.orgs o LEFT JOIN chef_sync.organizations s ON s.org_id = o.id::text ORDER BY o.name`)
	if err != nil {
		return nil, notInstalled(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OrganizationStatus])
	return out, notInstalled(err)
}
