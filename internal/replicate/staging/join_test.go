package staging

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJoin(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id, err := s.Join(ctx)
		if err != nil || len(id) != 10 {
			t.Fatalf("new store: %q, %v", id, err)
		}
		wantKeys(t, s, "store.json")
		again := &Store{bucket: s.bucket} // another process
		again.clock.measure = again.measure
		if got, err := again.Join(ctx); err != nil || got != id {
			t.Errorf("joined again: %q, %v; want %q", got, err, id)
		}
		for _, damaged := range []string{"", "{", `{"format":1}`, "null"} {
			if err := s.bucket.WriteAll(ctx, markKey, []byte(damaged), nil); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Join(ctx); err != nil || got == "" || got == id {
				t.Errorf("mark %q: %q, %v; want a new ID", damaged, got, err)
			}
		}
		newer := `{"format":2,"id":"abc","more":true}`
		if err := s.bucket.WriteAll(ctx, markKey, []byte(newer), nil); err != nil {
			t.Fatal(err)
		}
		_, err = s.Join(ctx)
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "format 2, this one knows 1") {
			t.Errorf("a newer store: %v", err)
		}
		if got, err := s.bucket.ReadAll(ctx, markKey); err != nil || string(got) != newer {
			t.Errorf("its mark is now %s, %v", got, err)
		}
		if _, err := s.PutFile(ctx, sum("x"), content("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.Purge(ctx, Lifetime); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, s, fileKey(sum("x")), markKey) // a purge leaves the mark alone
	})
}

// TestClockIsTheStores: a host whose clock is days off takes nothing from others.
func TestClockIsTheStores(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		now, err := s.clock.now(ctx)
		if off := time.Since(now).Abs(); err != nil || off > time.Minute {
			t.Errorf("the store's clock is off by %s, %v", off, err)
		}
		wantKeys(t, s)
		boom := errors.New("boom")
		s.clock = clock{measure: func(context.Context) (time.Time, error) { return time.Time{}, boom }}
		stageBatch(t, s, "B", item(1))
		if err := s.Purge(ctx, 0); !errors.Is(err, boom) {
			t.Errorf("purge without a clock: %v", err)
		}
		wantKeys(t, s, "batches/B.items")
		asked := 0
		s.clock = clock{measure: func(context.Context) (time.Time, error) {
			asked++
			return time.Now().Add(2 * time.Hour), nil
		}}
		for _, c := range []struct {
			age  time.Duration
			want []string
		}{{3 * time.Hour, []string{"batches/B.items"}}, {time.Hour, nil}} {
			if err := s.Purge(ctx, c.age); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, s, c.want...)
		}
		if asked != 1 {
			t.Errorf("asked for the time %d times, want once an hour", asked)
		}
	})
}

// TestOldFilesAreRenewed: who finds a file must be able to rely on it although
// another process purges.
func TestOldFilesAreRenewed(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put := func() {
			t.Helper()
			if _, err := s.PutFile(ctx, sum("x"), content("x")); err != nil {
				t.Fatal(err)
			}
		}
		has := func(after time.Duration, want bool) {
			t.Helper()
			s.clock.fake = func() time.Time { return time.Now().Add(after) }
			if _, ok, err := s.HasFile(ctx, sum("x")); err != nil || ok != want {
				t.Errorf("after %s: %v, %v; want %v", after, ok, err, want)
			}
		}
		put()
		has(Lifetime/2-time.Minute, true)
		has(Lifetime/2+time.Minute, false)
		put()
		has(0, true)
		if err := s.Purge(ctx, Lifetime); err != nil {
			t.Fatal(err)
		}
		has(0, true)
	})
}

func TestPurgeSnapshots(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for _, id := range []string{"1", "2"} {
			if err := s.PutSnapshot(ctx, "o", id, []byte(id)); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			after time.Duration
			keep  []string
			want  []string
		}{
			{time.Minute, nil, []string{"snapshots/o/1", "snapshots/o/2"}},
			{3 * time.Minute, []string{"2", ""}, []string{"snapshots/o/2"}},
			{3 * time.Minute, nil, nil},
		} {
			s.clock.fake = func() time.Time { return time.Now().Add(c.after) }
			if err := s.PurgeSnapshots(ctx, "o", 2*time.Minute, c.keep...); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, s, c.want...)
		}
	})
}
