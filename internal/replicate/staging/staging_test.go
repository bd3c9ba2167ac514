package staging

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
)

// each runs a test on every kind of store.
func each(t *testing.T, test func(*testing.T, *Store)) {
	schemes := []string{"mem", "file", "s3"}
	if *s3URL != "" {
		schemes = append(schemes, "given")
	}
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			url := "mem://"
			switch scheme {
			case "file":
				url = "file://" + t.TempDir() + "/staging"
			case "s3":
				url = s3Server(t)
			case "given":
				url = s3Given()
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
		s.clock.fake = func() time.Time { return time.Now().Add(59 * time.Minute) }
		if err := s.Purge(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, s, all...)
		s.clock.fake = func() time.Time { return time.Now().Add(61 * time.Minute) }
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
