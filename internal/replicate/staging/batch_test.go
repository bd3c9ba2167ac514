package staging

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

func item(i int) Item {
	return Item{Ref: object.MustRef(fmt.Sprintf("/data/bag/item%d", i)), Raw: json.RawMessage(fmt.Sprintf(`{"id":"item%d"}`, i)), Held: HeldNothing}
}

func stageBatch(t *testing.T, s *Store, id string, items ...Item) {
	t.Helper()
	w, err := s.NewBatch(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if err := w.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Abandon() // does nothing any more
}

func readBatch(t *testing.T, s *Store, id string) (items []Item, err error) {
	t.Helper()
	err = s.ReadBatch(t.Context(), id, func(it Item) error { items = append(items, it); return nil })
	return items, err
}

func TestBatches(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		want := []Item{item(0), item(1), {
			Ref: object.MustRef("/cookbooks/app/1.0.0"), Raw: json.RawMessage(`{}`), Digest: "d", Frozen: true,
			Held: HeldHalf, HeldFrozen: true, Files: []string{sum("a")},
		}}
		stageBatch(t, s, "B", want...)
		got, err := readBatch(t, s, "B")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("batch: %v\n%s", err, diff)
		}
		boom := errors.New("boom")
		if err := s.ReadBatch(t.Context(), "B", func(Item) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("error of the reader: %v", err)
		}
		sb := Sandbox{IDs: []string{"i"}, Uploads: map[string]string{"m": "u"}, Opened: time.Unix(1, 0).UTC()}
		if _, err := s.Sandbox(t.Context(), "B"); !errors.Is(err, ErrNotFound) {
			t.Errorf("sandbox of a batch without: %v", err)
		}
		if err := s.PutSandbox(t.Context(), "B", sb); err != nil {
			t.Fatal(err)
		}
		gotSB, err := s.Sandbox(t.Context(), "B")
		if diff := cmp.Diff(sb, gotSB); err != nil || diff != "" {
			t.Errorf("sandbox: %v\n%s", err, diff)
		}
		for range 2 {
			if err := s.DropBatch(t.Context(), "B"); err != nil {
				t.Errorf("drop: %v", err)
			}
		}
		wantKeys(t, s)
		if _, err := readBatch(t, s, "B"); !errors.Is(err, ErrNotFound) {
			t.Errorf("dropped batch: %v, want ErrNotFound", err)
		}
	})
}

func TestConcurrentAdd(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		w, err := s.NewBatch(t.Context(), "B")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if err := w.Add(item(i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := readBatch(t, s, "B")
		seen := map[object.Ref]bool{}
		for _, it := range got {
			seen[it.Ref] = true
		}
		if err != nil || len(got) != 200 || len(seen) != 200 {
			t.Errorf("%d items, %d different, %v", len(got), len(seen), err)
		}
	})
}

func TestUnfinishedBatchIsNone(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for name, end := range map[string]func(*BatchWriter, context.CancelFunc){
			"abandoned":         func(w *BatchWriter, _ context.CancelFunc) { w.Abandon() },
			"abandoned twice":   func(w *BatchWriter, _ context.CancelFunc) { w.Abandon(); w.Abandon() },
			"closed after that": func(w *BatchWriter, _ context.CancelFunc) { w.Abandon(); _ = w.Close() },
			"cancelled": func(w *BatchWriter, cancel context.CancelFunc) {
				cancel()
				if w.Close() == nil {
					t.Error("a cancelled batch was closed without an error")
				}
			},
			"with a bad item": func(w *BatchWriter, _ context.CancelFunc) {
				bad := item(1)
				bad.Raw = json.RawMessage(`{"secret`)
				if err := w.Add(bad); err == nil || strings.Contains(err.Error(), "secret") {
					t.Errorf("item that is not JSON: %v", err)
				}
				if w.Close() == nil {
					t.Error("a batch that lacks an item was closed without an error")
				}
			},
		} {
			for _, n := range []int{0, 1, 1000} {
				ctx, cancel := context.WithCancel(t.Context())
				w, err := s.NewBatch(ctx, "B")
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if err := w.Add(item(i)); err != nil {
						t.Fatal(err)
					}
				}
				end(w, cancel)
				cancel()
				wantKeys(t, s)
				if _, err := readBatch(t, s, "B"); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s, %d items: %v, want ErrNotFound", name, n, err)
				}
			}
		}
	})
}

// TestDamagedBatchIsNotFound cuts a batch at every byte, and changes every byte.
func TestDamagedBatchIsNotFound(t *testing.T) {
	s, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	stageBatch(t, s, "B", item(1), item(2))
	whole, err := s.bucket.ReadAll(t.Context(), batchKey("B", "items"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		t.Helper()
		if err := s.bucket.WriteAll(t.Context(), batchKey("B", "items"), data, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := readBatch(t, s, "B"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	for i := range len(whole) - 1 { // the last line may lack its end
		check(fmt.Sprintf("%d of %d bytes", i, len(whole)), whole[:i])
		changed := append([]byte{}, whole...)
		changed[i] ^= 1
		check(fmt.Sprintf("byte %d changed", i), changed)
	}
	if err := s.PutSandbox(t.Context(), "B", Sandbox{}); err != nil {
		t.Fatal(err)
	}
	if err := s.bucket.WriteAll(t.Context(), batchKey("B", "sandbox"), []byte(`{"ids":[`), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sandbox(t.Context(), "B"); !errors.Is(err, ErrNotFound) {
		t.Errorf("damaged sandbox: %v, want ErrNotFound", err)
	}
}

func TestBodiesSurvive(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for i, raw := range []string{
			`{"id":"item0","html":"<a href=\"x\">&amp;</a>","sep":"` + "\u2028\u2029" + `","esc":"\u2028"}`,
			`{"id":"item0","n":12345678901234567890123,"f":1.50,"e":1e400,"zero":-0}`,
			"{\n \"id\" : \"item0\" ,\n\t\"nested\": {\"a\": [1, null, {}]}\n}",
			`{"id":"item0","nul":"\u0000","pair":"\ud83d\ude00","lone":"\ud83d","dup":1,"dup":2}`,
			`{"id":"item0","long":"` + strings.Repeat("é", 100_000) + `"}`,
		} {
			id := fmt.Sprint("B", i)
			it := item(0)
			it.Raw = json.RawMessage(raw)
			stageBatch(t, s, id, it)
			got, err := readBatch(t, s, id)
			if err != nil || len(got) != 1 {
				t.Fatalf("body %d: %d items, %v", i, len(got), err)
			}
			want, err := plan.Digest(it.Raw)
			have, err2 := plan.Digest(got[0].Raw)
			if err != nil || err2 != nil || want != have {
				t.Errorf("body %d changed: %v %v\n%.300s\n%.300s", i, err, err2, raw, got[0].Raw)
			}
			if strings.Contains(raw, "<a") && !strings.Contains(string(got[0].Raw), "<a") {
				t.Errorf("HTML was escaped: %s", got[0].Raw)
			}
		}
	})
}
