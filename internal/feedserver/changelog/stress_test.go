package changelog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	stressTime    = 4 * time.Second
	stressWriters = 16
)

// load is what many writers do to an organization at the same time.
type load struct {
	chef      chef
	committed atomic.Int64
}

// step does one random thing to one of a few objects.
func (l *load) step(db executor, r *rand.Rand) error {
	c := l.chef
	c.db = db
	name := fmt.Sprintf("n%d", r.IntN(30))
	switch r.IntN(14) {
	case 0, 1:
		return c.insert("roles", "name", name)
	case 2, 3:
		return c.try(`UPDATE roles SET updated_at = now() WHERE org_id = $1 AND name = $2`, c.org, name)
	case 4:
		return c.try(`DELETE FROM roles WHERE org_id = $1 AND name = $2`, c.org, name)
	case 5:
		return c.insert("data_bags", "name", name)
	case 6, 7:
		return c.insert("data_bag_items", "data_bag_name, item_name", name, fmt.Sprintf("i%d", r.IntN(5)))
	case 8:
		return c.try(`UPDATE data_bag_items SET updated_at = now() WHERE org_id = $1 AND data_bag_name = $2`, c.org, name)
	case 9:
		return c.try(`DELETE FROM data_bags WHERE org_id = $1 AND name = $2`, c.org, name)
	case 10:
		return c.insert("clients", "name, public_key", name, "PEM")
	case 11:
		return c.try(`INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at) SELECT id, $3, '', 0, now(), 'infinity' FROM clients WHERE org_id = $1 AND name = $2`, c.org, name, guid())
	case 12:
		return c.try(`DELETE FROM clients WHERE org_id = $1 AND name = $2`, c.org, name)
	default:
		if r.IntN(2) == 0 {
			return c.try(`SELECT insert_cookbook_artifact_version('id', ''::bytea, ''::bytea, now()::timestamp, $2::char(32), $1::char(32), $3, $2::char(32), '{}')`, c.org, guid(), name)
		}
		return c.try(`SELECT delete_cookbook_artifact_version(v.id) FROM cookbook_artifact_versions v JOIN cookbook_artifacts a ON a.id = v.cookbook_artifact_id WHERE a.org_id = $1 AND a.name = $2`, c.org, name)
	}
}

// write does steps until the context ends: alone, or in transactions that take
// their time, some of which are rolled back.
func (l *load) write(ctx context.Context, k *kit, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		if r.IntN(2) == 0 {
			if l.step(k.pool, r) == nil {
				l.committed.Add(1)
			}
			continue
		}
		tx, err := k.pool.Begin(k.t.Context())
		if err != nil {
			k.t.Error(err)
			return
		}
		err = l.step(tx, r)
		for i := 0; err == nil && i < r.IntN(3); i++ {
			err = l.step(tx, r)
		}
		d := time.Duration(r.IntN(30)) * time.Millisecond
		if r.IntN(100) == 0 {
			d = 500 * time.Millisecond
		}
		sleep(ctx, d)
		if err != nil || r.IntN(20) == 0 {
			_ = tx.Rollback(k.t.Context())
		} else if tx.Commit(k.t.Context()) == nil {
			l.committed.Add(1)
		}
	}
}

// run writes for a while, with one more writer that keeps its transaction open
// all the time.
func (l *load) run(k *kit, during func()) {
	k.t.Helper()
	idle, err := k.pool.Begin(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	sleeper := l.chef
	sleeper.db = idle
	sleeper.add("roles", "idle")
	ctx, cancel := context.WithTimeout(k.t.Context(), stressTime)
	defer cancel()
	var wg sync.WaitGroup
	for i := range stressWriters {
		wg.Go(func() { l.write(ctx, k, uint64(i)) })
	}
	if during != nil {
		during()
	}
	wg.Wait()
	if err := idle.Commit(k.t.Context()); err != nil {
		k.t.Error(err)
	}
}

// follower is a model of a replica: it holds the versions of objects.
type follower struct {
	k       *kit
	name    string
	limit   int
	seq     int64
	epoch   string
	objects map[string]string
	gone    int // how often it had to compare everything
	epochs  int // how often because of another epoch
}

// versions reads what there is; path "" = everything.
func (k *kit) versions(ctx context.Context, path string) (map[string]string, error) {
	rows, err := k.pool.Query(ctx, `SELECT path, version FROM (`+live(objectTables(false))+`) x WHERE org_id = $1 AND ($2 = '' OR path = $2)`, k.chef.org, path)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var p, v string
	_, err = pgx.ForEachRow(rows, []any{&p, &v}, func() error {
		out[p] = v
		return nil
	})
	return out, err
}

// baseline compares everything: the head first, then the list. What the log
// does not know after another pass was created and deleted between two of them.
func (f *follower) baseline(ctx context.Context) error {
	p, err := f.k.log.Page(ctx, "acme", 0, 1)
	if err != nil {
		return err
	}
	head, epoch := p.Head, p.Epoch
	objects, err := f.k.versions(ctx, "")
	if err != nil {
		return err
	}
	c := &capturer{log: f.k.log.o.Logger, control: f.k.log.control, now: time.Now}
	if _, err := c.pass(ctx, f.k.pool, true); err != nil {
		return err
	}
	if p, err = f.k.log.Page(ctx, "acme", 0, 0); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, e := range p.Entries {
		known[e.Path] = e.Action != "delete"
	}
	for path := range objects {
		if !known[path] {
			delete(objects, path)
		}
	}
	f.seq, f.epoch, f.objects = head, epoch, objects // not before: it may be cut short
	return nil
}

// next follows one page, and says whether there was one.
func (f *follower) next(ctx context.Context) (bool, error) {
	p, err := f.k.log.Page(ctx, "acme", f.seq, f.limit)
	if f.epoch == "" {
		f.epoch = p.Epoch
	}
	if errors.Is(err, ErrGone) || err == nil && p.Epoch != f.epoch {
		f.gone++
		if p.Epoch != f.epoch {
			f.epochs++
		}
		return true, f.baseline(ctx)
	}
	if err != nil {
		return false, err
	}
	for _, e := range p.Entries {
		if e.ID <= f.seq {
			f.k.t.Errorf("%s: entry %d after %d", f.name, e.ID, f.seq)
		}
		now := map[string]string{}
		if e.Action != "delete" {
			if now, err = f.k.versions(ctx, e.Path); err != nil {
				return false, err
			}
		}
		delete(f.objects, e.Path)
		if v, ok := now[e.Path]; ok {
			f.objects[e.Path] = v
		}
		f.seq = e.ID // not before: it may be cut short
	}
	return len(p.Entries) > 0, nil
}

// follow goes on until the context ends.
func (f *follower) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if more, err := f.next(ctx); err != nil && ctx.Err() == nil {
			f.k.t.Errorf("%s: %v", f.name, err)
			return
		} else if !more {
			sleep(ctx, 20*time.Millisecond)
		}
	}
}

// check follows to the end and compares.
func (f *follower) check(truth map[string]string) {
	t := f.k.t
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = f.next(t.Context()); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
	}
	lost, stale, extra := 0, 0, 0
	for path, v := range truth {
		got, ok := f.objects[path]
		switch {
		case !ok:
			lost++
			t.Errorf("%s: %s is lost", f.name, path)
		case got != v:
			stale++
			t.Errorf("%s: %s is stale", f.name, path)
		}
	}
	for path := range f.objects {
		if _, ok := truth[path]; !ok {
			extra++
			t.Errorf("%s: %s is extra", f.name, path)
		}
	}
	if f.epochs > 0 {
		t.Errorf("%s: the epoch was renewed", f.name)
	}
	t.Logf("%s: %d objects; %d lost, %d stale, %d extra; compared everything %d times", f.name, len(truth), lost, stale, extra, f.gone)
}

// TestStress lets many writers write while servers come and go, deletions are
// forgotten and followers are away. In the end every follower has what there is.
func TestStress(t *testing.T) {
	each(t, func(t *testing.T, capture Capture) {
		k := start(t, InstallOptions{Capture: capture})
		k.open(Options{Interval: 50 * time.Millisecond, TombstoneAge: 500 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var servers, followers sync.WaitGroup
		first, kill := context.WithCancel(ctx)
		defer kill()
		k.serve(first, &servers)
		k.serve(ctx, &servers)

		l := &load{chef: k.chef}
		zero := &follower{k: k, name: "from zero", limit: 50, objects: map[string]string{}}
		middle := &follower{k: k, name: "from the middle", limit: 7, objects: map[string]string{}}
		away := &follower{k: k, name: "away", objects: map[string]string{}}
		reading, stop := context.WithCancel(t.Context())
		defer stop()
		followers.Go(func() { zero.follow(reading) })
		followers.Go(func() {
			if sleep(reading, stressTime/3) {
				if err := middle.baseline(reading); err != nil {
					t.Error(err)
				}
				middle.follow(reading)
			}
		})
		followers.Go(func() {
			sleep(reading, stressTime/8)
			if err := away.baseline(reading); err != nil {
				t.Error(err)
			}
			if sleep(reading, stressTime/2) {
				away.follow(reading)
			}
		})
		l.run(k, func() {
			sleep(ctx, stressTime/4)
			kill() // the one that makes the passes, maybe in the middle of one
			sleep(ctx, stressTime/4)
			k.cut() // the other one's connection
			k.serve(ctx, &servers)
		})
		stop()
		followers.Wait()
		cancel()
		servers.Wait()

		k.pass()
		truth, err := k.versions(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []*follower{zero, middle, away} {
			f.check(truth)
		}
		t.Logf("%d commits", l.committed.Load())
		if away.gone == 0 || len(truth) < 10 || l.committed.Load() < 100 {
			t.Errorf("the test proves nothing: %d commits, %d objects, %d times gone", l.committed.Load(), len(truth), away.gone)
		}
		if s := k.status(); s.Capture != capture || len(s.Problems) > 0 || s.Outbox != 0 {
			t.Errorf("status = %+v", s)
		}
	})
}

// serve runs a log of its own until the context ends.
func (k *kit) serve(ctx context.Context, wg *sync.WaitGroup) {
	k.t.Helper()
	l, err := Open(k.t.Context(), k.pool, k.log.o)
	if err != nil {
		k.t.Error(err)
		return
	}
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			k.t.Errorf("run: %v", err)
		}
	})
}

// cut cuts the connection of the server that makes the passes.
func (k *kit) cut() {
	k.t.Helper()
	n := k.count(`SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, lockClass, lockServer)
	if n != 1 {
		k.t.Errorf("%d servers made the passes, want 1", n)
	}
}

// TestStressLosesNaively is the proof that the load of TestStress is hard: a
// reader of a serial column loses changes under it.
func TestStressLosesNaively(t *testing.T) {
	k := start(t, InstallOptions{})
	k.exec(`CREATE TABLE naive (id bigserial PRIMARY KEY);
		CREATE FUNCTION naive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO naive DEFAULT VALUES; RETURN NULL; END $$`)
	for _, tbl := range watched(false) {
		k.exec(`CREATE TRIGGER naive AFTER INSERT OR UPDATE OR DELETE ON ` + tbl + ` FOR EACH ROW EXECUTE FUNCTION naive()`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, last := map[int64]bool{}, int64(0)
	read := func() {
		rows, err := k.pool.Query(t.Context(), `SELECT id FROM naive WHERE id > $1 ORDER BY id`, last)
		if err != nil {
			t.Error(err)
			return
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			seen[id], last = true, id
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for sleep(ctx, 20*time.Millisecond) {
			read()
		}
	})
	(&load{chef: k.chef}).run(k, nil)
	cancel()
	wg.Wait()
	read()
	all := k.count(`SELECT count(*) FROM naive`)
	if lost := all - int64(len(seen)); lost == 0 {
		t.Errorf("the naive reader lost none of %d changes: the load is too easy", all)
	} else {
		t.Logf("the naive reader lost %d of %d changes", lost, all)
	}
}
