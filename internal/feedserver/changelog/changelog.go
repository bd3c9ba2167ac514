package changelog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schemaVersion is the version of our schema that this program works with.
const schemaVersion = 2

// Capture is how changes get into the log.
type Capture string

// The captures; see the package.
const (
	Snapshot Capture = "snapshot"
	Triggers Capture = "triggers"
)

var (
	// ErrNotInstalled says that the schema chef_sync is missing, incomplete or of
	// another version. [Install] helps.
	ErrNotInstalled = errors.New("the change log is not installed in this database")

	// ErrNotReady says that the log has not yet been compared with what there is.
	// It is, by whoever runs it, within seconds.
	ErrNotReady = errors.New("the change log is not complete yet")

	// ErrNoOrganization says that the Chef server has no organization of a name.
	ErrNoOrganization = errors.New("no such organization")

	// ErrGone says that a log cannot go on from a number; see [GoneError].
	ErrGone = errors.New("the change log cannot go on from there")
)

// The defaults of [Options].
const (
	DefaultInterval     = time.Second
	DefaultTombstoneAge = 30 * 24 * time.Hour
)

// Options are for [Open]. The zero value has the defaults.
type Options struct {
	// Capture is the one that is expected; "" = whichever is installed. If
	// another one is in use [Status] has it as a problem.
	Capture Capture

	// Interval is the time between two passes. Where passes take more than a tenth
	// of it the pause is nine times as long as they are, and five minutes at most.
	Interval time.Duration

	// TombstoneAge is how long deletions are remembered: whoever was away for
	// longer has to compare everything.
	TombstoneAge time.Duration

	// Logger, nil: nothing is logged.
	Logger *slog.Logger

	// Now is the clock for the age of tombstones; nil: time.Now. The database's
	// clock writes the time of each change.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.TombstoneAge <= 0 {
		o.TombstoneAge = DefaultTombstoneAge
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Log is the change log in one database. Its methods are safe for concurrent
// use, and so are several logs, of several servers, on one database: one of them
// makes the passes, all of them answer.
type Log struct {
	pool    *pgxpool.Pool
	o       Options
	control bool // pg_control_system may be read

	refresh refresher
	waiters waiters

	mu  sync.Mutex
	run running
}

// running is what [Log.Run] did last.
type running struct {
	leads    bool
	began    time.Time // of the last pass that was finished; as long as there is none, when the log was opened
	took     time.Duration
	changes  int64
	problem  error
	tombs    time.Time // when tombstones were looked for
	problems []string  // that stay: what could not be taken away
}

// querier is a connection, a transaction or a pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Open returns the log of a database, which it looks at and does not change.
// Returns [ErrNotInstalled] if there is none of this version. The pool stays the
// caller's; it is to be open as long as the log is used. Its connections are better
// off with jit=off: compiling takes longer than any statement here.
func Open(ctx context.Context, pool *pgxpool.Pool, o Options) (*Log, error) {
	l := &Log{pool: pool, o: o.withDefaults(), refresh: newRefresher(), run: running{began: time.Now()}}
	if o.Capture != "" && o.Capture != Snapshot && o.Capture != Triggers {
		return nil, fmt.Errorf("there is no capture %q", o.Capture)
	}
	var err error
	if l.control, err = mayReadControl(ctx, pool); err != nil {
		return nil, fmt.Errorf("open the change log: %w", err)
	}
	s, err := l.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the change log: %w", err)
	}
	if s.Version != schemaVersion {
		return nil, fmt.Errorf("%w: the schema chef_sync has version %d, this program wants %d", ErrNotInstalled, s.Version, schemaVersion)
	}
	return l, nil
}

// notInstalled turns the errors of a missing schema or table of ours into
// [ErrNotInstalled].
func notInstalled(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code == "42P01" || e.Code == "3F000") && strings.Contains(e.Message, "chef_sync") {
		return fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	return err
}

// otherVersion does so with the errors of reading our state besides: a column of
// ours that is missing is one of another version, and a row that is missing was
// lost and comes again.
func otherVersion(err error) error {
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && e.Code == "42703":
		return fmt.Errorf("%w: %w", ErrNotInstalled, err)
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotReady
	}
	return notInstalled(err)
}
