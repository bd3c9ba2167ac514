package changelog

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// fill makes about as many objects: half of them cookbook versions, 20 of each
// cookbook, the others items of 50 bags.
func (k *kit) fill(objects int) {
	k.t.Helper()
	for _, sql := range []string{
		`INSERT INTO cookbooks (org_id, name, authz_id) SELECT $1, 'cb' || i, md5('c' || i) FROM generate_series(1, $2::int / 40) i`,
		`INSERT INTO cookbook_versions (id, major, minor, patch, frozen, meta_attributes, meta_deps, meta_long_desc, metadata, serialized_object, updated_at, created_at, last_updated_by, cookbook_id)
			SELECT md5(c.id || ':' || v), v, 0, 0, false, '', '', '', repeat('m', 500)::bytea, repeat('x', 1500)::bytea, now(), now(), '', c.id FROM cookbooks c, generate_series(1, 20) v WHERE org_id = $1 AND $2::int > 0`,
		`INSERT INTO data_bags (id, authz_id, org_id, name, last_updated_by, created_at, updated_at) SELECT md5('b' || i), md5('b' || i), $1, 'bag' || i, '', now(), now() FROM generate_series(1, 50) i WHERE $2::int > 0`,
		`INSERT INTO data_bag_items (id, org_id, data_bag_name, item_name, last_updated_by, created_at, updated_at, serialized_object)
			SELECT md5(b || ':' || i), $1, 'bag' || b, 'i' || i, '', now(), now(), repeat('x', 500)::bytea FROM generate_series(1, 50) b, generate_series(1, $2::int / 100) i`,
	} {
		k.exec(sql, k.chef.org, objects)
	}
	k.exec(`ANALYZE`)
}

// BenchmarkPage reads pages of a log of a million rows in 20 organizations, half
// of them in one.
func BenchmarkPage(b *testing.B) {
	k := start(b, InstallOptions{})
	for i := range 19 {
		k.chef.newOrg(fmt.Sprintf("small%d", i))
	}
	k.pass()
	k.exec(`INSERT INTO chef_sync.object_changes (org_id, path, seq, created_seq, action, version, changed_at)
		SELECT s.org_id, '/data/bag/item' || i, s.head + i, s.head + i, 'c', '1', now()
		FROM chef_sync.organizations s JOIN orgs o ON o.id = s.org_id, generate_series(1, 500000) i WHERE o.name = 'acme' OR i <= 500000 / 19`)
	k.exec(`UPDATE chef_sync.organizations s SET head = (SELECT max(seq) FROM chef_sync.object_changes c WHERE c.org_id = s.org_id)`)
	k.exec(`VACUUM ANALYZE chef_sync.object_changes`)
	head, err := k.log.Page(b.Context(), "acme", 0, 1)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name, org string
		seq       int64
		limit     int
		want      int
	}{
		{"head", "acme", head.Head, 1000, 0},
		{"zero", "acme", 0, 1000, 1000},
		{"middle", "acme", head.Head - 250_000, 1000, 1000},
		{"end", "acme", head.Head - 500, 1000, 500},
		{"small organization from zero", "small7", 0, 1000, 1000},
		{"everything", "acme", 0, 0, 500_000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				if p, err := k.log.Page(b.Context(), bb.org, bb.seq, bb.limit); err != nil || len(p.Entries) != bb.want {
					b.Fatalf("%d entries, %v; want %d", len(p.Entries), err, bb.want)
				}
			}
		})
	}
}

// BenchmarkPass makes passes over 21,000 objects.
func BenchmarkPass(b *testing.B) {
	for _, capture := range []Capture{Snapshot, Triggers} {
		b.Run(string(capture), func(b *testing.B) {
			k := start(b, InstallOptions{Capture: capture})
			k.fill(21_000)
			k.pass()
			for _, bb := range []struct {
				name, sql string
				changes   int64
			}{
				{"idle", `SELECT 1`, 0},
				{"unrelated", `INSERT INTO checksums (org_id, checksum) SELECT md5(random()::text), md5(random()::text)`, 0},
				{"one", `UPDATE data_bag_items SET updated_at = now() WHERE item_name = 'i1' AND data_bag_name = 'bag1'`, 1},
				{"thousand", `UPDATE data_bag_items SET updated_at = now() WHERE data_bag_name IN ('bag2', 'bag3', 'bag4', 'bag5', 'bag6')`, 1050},
			} {
				b.Run(bb.name, func(b *testing.B) {
					b.StopTimer()
					k.pass()
					for range b.N {
						k.exec(bb.sql)
						b.StartTimer()
						p, err := k.c.pass(b.Context(), k.pool, true)
						b.StopTimer()
						if err != nil || p.changes != bb.changes {
							b.Fatalf("pass = %+v, %v", p, err)
						}
					}
				})
			}
		})
	}
}

// BenchmarkWrite writes roles by 4 writers, one statement each, to a database
// without a log and with one of either capture, in turns; the servers run
// meanwhile. It tells the time of a write, and how many times that without a log
// it is.
func BenchmarkWrite(b *testing.B) {
	const round = 400
	kinds := []string{"none", string(Snapshot), string(Triggers)}
	kits := map[string]*kit{}
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, kind := range kinds {
		o := InstallOptions{}
		if kind == string(Triggers) {
			o.Capture = Triggers
		}
		k := start(b, o)
		k.fill(5_000)
		if kind == "none" {
			if err := Uninstall(b.Context(), k.conn()); err != nil {
				b.Fatal(err)
			}
		} else {
			k.log.o.Logger = Options{}.withDefaults().Logger
			k.serve(ctx, &wg)
		}
		kits[kind] = k
	}
	took := map[string]time.Duration{}
	n := 0
	for b.Loop() {
		for _, kind := range kinds {
			took[kind] += kits[kind].writeRoles(n, round)
		}
		n += round
	}
	for _, kind := range kinds {
		b.ReportMetric(float64(took[kind].Microseconds())/float64(2*n), kind+"-us/write")
		b.ReportMetric(float64(took[kind])/float64(took["none"]), kind+"-ratio")
	}
}

// writeRoles inserts and updates roles and returns how long it took.
func (k *kit) writeRoles(from, count int) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < count; i += 4 {
				name := fmt.Sprintf("role%d", from+i)
				if err := k.chef.insert("roles", "name, serialized_object", name, make([]byte, 1500)); err != nil {
					k.t.Error(err)
				}
				k.chef.touch("roles", name)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
