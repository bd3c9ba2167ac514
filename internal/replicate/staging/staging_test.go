package staging

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// each runs a test on every kind of store.
func each(t *testing.T, test func(*testing.T, *Store)) {
	for _, scheme := range []string{"mem", "file"} {
		t.Run(scheme, func(t *testing.T) {
			url := "mem://"
			if scheme == "file" {
				url = "file://" + t.TempDir() + "/staging"
			}
			s, err := Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			test(t, s)
		})
	}
}

func sum(text string) string {
	s := md5.Sum([]byte(text)) //nolint:gosec // see the import
	return hex.EncodeToString(s[:])
}

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

// keys lists all that a store holds.
func keys(t *testing.T, s *Store) []string {
	t.Helper()
	out := []string{}
	it := s.bucket.List(nil)
	for {
		o, err := it.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o.Key)
	}
}

func wantKeys(t *testing.T, s *Store, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), keys(t, s)); diff != "" {
		t.Errorf("the store holds (-want +got):\n%s", diff)
	}
}

func TestOpenMakesThePrivateDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := Open(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.PutFile(t.Context(), sum("x"), content("x")); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, infoErr := d.Info()
		if err != nil || infoErr != nil || d.IsDir() && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v, %v, %v", path, info.Mode(), err, infoErr)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesWhatOthersCanRead(t *testing.T) {
	for _, mode := range []os.FileMode{0o755, 0o750, 0o701, 0o720} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), "file://"+dir); err == nil || !strings.Contains(err.Error(), "chmod 0700 "+dir) {
			t.Errorf("mode %04o: error %v, want one that names the command", mode, err)
		}
	}
	if _, err := Open(t.Context(), "nonsense://x"); err == nil {
		t.Error("an unknown scheme was opened")
	}
}

func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		big := strings.Repeat("0123456789", 1000)
		for _, text := range []string{"", "a", big} {
			n, err := s.PutFile(ctx, sum(text), content(text))
			if err != nil || n != int64(len(text)) {
				t.Fatalf("put of %d bytes: %d, %v", len(text), n, err)
			}
			if _, err := s.PutFile(ctx, sum(text), content(text)); err != nil {
				t.Errorf("put again: %v", err)
			}
			got, err := s.File(ctx, sum(text))
			if err != nil || string(got) != text {
				t.Errorf("file of %d bytes: %d bytes, %v", len(text), len(got), err)
			}
			size, ok, err := s.HasFile(ctx, sum(text))
			if err != nil || !ok || size != int64(len(text)) {
				t.Errorf("has file of %d bytes: %d, %v, %v", len(text), size, ok, err)
			}
		}
		if _, ok, err := s.HasFile(ctx, sum("absent")); ok || err != nil {
			t.Errorf("has an absent file: %v, %v", ok, err)
		}
		if _, err := s.File(ctx, sum("absent")); !errors.Is(err, ErrNotFound) {
			t.Errorf("absent file: %v, want ErrNotFound", err)
		}
	})
}

func TestPutFileLeavesNothingBehind(t *testing.T) {
	boom := errors.New("boom")
	big := strings.Repeat("x", 5000) // more than the driver keeps back
	each(t, func(t *testing.T, s *Store) {
		for name, c := range map[string]struct {
			fetch func(context.CancelFunc, io.Writer) error
			want  error
		}{
			"other content":  {func(_ context.CancelFunc, w io.Writer) error { return content(big)(w) }, ErrCorrupt},
			"no content":     {func(context.CancelFunc, io.Writer) error { return nil }, ErrCorrupt},
			"failing fetch":  {func(_ context.CancelFunc, w io.Writer) error { _ = content(big)(w); return boom }, boom},
			"right but late": {func(_ context.CancelFunc, w io.Writer) error { _ = content("right")(w); return boom }, boom},
			"cancelled": {func(cancel context.CancelFunc, w io.Writer) error {
				defer cancel()
				return content("right")(w)
			}, context.Canceled},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := s.PutFile(ctx, sum("right"), func(w io.Writer) error { return c.fetch(cancel, w) })
			cancel()
			if !errors.Is(err, c.want) {
				t.Errorf("%s: error %v, want %v", name, err, c.want)
			}
			wantKeys(t, s)
		}
	})
}

func TestDamagedFileIsRemoved(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, damaged := range []string{"", "good", "evil!"} {
			if err := s.bucket.WriteAll(t.Context(), fileKey(sum("good!")), []byte(damaged), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := s.File(t.Context(), sum("good!")); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%q: %v, want ErrCorrupt", damaged, err)
			}
			wantKeys(t, s)
		}
	})
}

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

func TestSnapshots(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put := func(owner, id, data string) {
			t.Helper()
			if err := s.PutSnapshot(ctx, owner, id, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		// Owners that only a careless escape would mix up.
		put("feed/a/b__c", "1", "one")
		put("feed/a__b/c", "1", "other")
		put("feed/a__b/c", "2", "two")
		put("feed/a__b/c", "3", "three")
		put("feed/a__b/cc", "1", "longer")
		if err := s.KeepSnapshots(ctx, "feed/a__b/c", "2", "", "9"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ owner, id, want string }{
			{"feed/a/b__c", "1", "one"}, {"feed/a__b/c", "1", ""}, {"feed/a__b/c", "2", "two"},
			{"feed/a__b/c", "3", ""}, {"feed/a__b/cc", "1", "longer"}, {"feed/none", "1", ""},
		} {
			got, err := s.Snapshot(ctx, c.owner, c.id)
			if string(got) != c.want || (c.want == "") != errors.Is(err, ErrNotFound) {
				t.Errorf("snapshot %s %s: %q, %v; want %q", c.owner, c.id, got, err, c.want)
			}
		}
		if err := s.KeepSnapshots(ctx, "feed/a__b/c"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot(ctx, "feed/a__b/c", "2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("keep nothing: %v, want ErrNotFound", err)
		}
		if err := s.KeepSnapshots(ctx, "feed/none"); err != nil {
			t.Errorf("keep of an unknown owner: %v", err)
		}
	})
}

func TestPurge(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if err := s.Purge(ctx, time.Hour); err != nil {
			t.Errorf("purge of an empty store: %v", err)
		}
		stageBatch(t, s, "B", item(1))
		if err := s.PutSandbox(ctx, "B", Sandbox{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PutFile(ctx, sum("x"), content("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.PutSnapshot(ctx, "o", "1", nil); err != nil {
			t.Fatal(err)
		}
		// What a killed process leaves of a write.
		if err := s.bucket.WriteAll(ctx, "files/"+sum("y")+".18a.tmp", []byte("half"), &blob.WriterOptions{}); err != nil {
			t.Fatal(err)
		}
		all := keys(t, s)
		s.now = func() time.Time { return time.Now().Add(59 * time.Minute) }
		if err := s.Purge(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, s, all...)
		s.now = func() time.Time { return time.Now().Add(61 * time.Minute) }
		if err := s.Purge(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, s, "snapshots/o/1") // a listing feed's place may be old
	})
}

// TestNoFolderPerBatch: a directory that is made for each batch would never go.
func TestNoFolderPerBatch(t *testing.T) {
	dir := t.TempDir() + "/staging"
	s, err := Open(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 5 {
		id := NewBatchID()
		stageBatch(t, s, id, item(i))
		if err := s.PutSandbox(t.Context(), id, Sandbox{}); err != nil {
			t.Fatal(err)
		}
		if err := s.DropBatch(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, "batches"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
