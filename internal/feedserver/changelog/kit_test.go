package changelog

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// kit is a Chef server's database with a log in it.
type kit struct {
	t    testing.TB
	dsn  string
	pool *pgxpool.Pool
	log  *Log
	c    *capturer
	chef chef // of the organization acme
}

// start makes a kit with an organization acme.
func start(t testing.TB, o InstallOptions) *kit {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a PostgreSQL")
	}
	k := &kit{t: t, dsn: database(t)}
	k.pool = pool(t, k.dsn)
	k.chef = chef{t: t, db: k.pool}
	k.chef.org = k.chef.newOrg("acme")
	k.install(o)
	k.open(Options{})
	return k
}

// each runs a test with both captures.
func each(t *testing.T, f func(t *testing.T, capture Capture)) {
	for _, c := range []Capture{Snapshot, Triggers} {
		t.Run(string(c), func(t *testing.T) { f(t, c) })
	}
}

func (k *kit) conn() *pgx.Conn {
	k.t.Helper()
	c, err := pgx.Connect(k.t.Context(), k.dsn)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		c.Close(ctx)
	})
	return c
}

func (k *kit) install(o InstallOptions) Report {
	k.t.Helper()
	r, err := Install(k.t.Context(), k.conn(), o)
	if err != nil {
		k.t.Fatalf("install: %v", err)
	}
	return r
}

func (k *kit) open(o Options) {
	k.t.Helper()
	var err error
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(k.t.Output(), nil))
	}
	if k.log, err = Open(k.t.Context(), k.pool, o); err != nil {
		k.t.Fatalf("open: %v", err)
	}
	k.c = &capturer{log: k.log.o.Logger, control: k.log.control, now: k.log.o.Now}
}

// pass makes a pass, and what follows from it.
func (k *kit) pass() passed {
	k.t.Helper()
	p, err := k.c.pass(k.t.Context(), k.pool, true)
	if err == nil {
		err = k.log.settle(k.t.Context(), p, k.conn())
	}
	if err != nil {
		k.t.Fatalf("pass: %v", err)
	}
	return p
}

// page reads everything after a number.
func (k *kit) page(seq int64) Page {
	k.t.Helper()
	p, err := k.log.Page(k.t.Context(), "acme", seq, 0)
	if err != nil {
		k.t.Fatalf("page after %d: %v", seq, err)
	}
	return p
}

// changed makes a pass and returns what is new after a page, sorted.
func (k *kit) changed(since Page) []string {
	k.t.Helper()
	k.pass()
	return words(k.page(since.Head))
}

func words(p Page) []string {
	out := []string{}
	for _, e := range p.Entries {
		out = append(out, e.Action+" "+e.Path)
	}
	slices.Sort(out)
	return out
}

func (k *kit) status() Status {
	k.t.Helper()
	s, err := k.log.Status(k.t.Context())
	if err != nil {
		k.t.Fatalf("status: %v", err)
	}
	return s
}

// want compares what changed since a page.
func (k *kit) want(since Page, want ...string) {
	k.t.Helper()
	slices.Sort(want)
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, k.changed(since)); diff != "" {
		k.t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// exec runs a superuser's statement.
func (k *kit) exec(sql string, args ...any) {
	k.t.Helper()
	if _, err := k.pool.Exec(k.t.Context(), sql, args...); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
}

func (k *kit) count(sql string, args ...any) (n int64) {
	k.t.Helper()
	if err := k.pool.QueryRow(k.t.Context(), sql, args...).Scan(&n); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// cleanupContext is for what is done after the test's own context has ended.
func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute) //nolint:forbidigo // the test's context is over
}
