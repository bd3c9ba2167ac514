package staging

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
)

// dirStore is a store in a directory that holds a file for each of the texts.
func dirStore(t *testing.T, texts ...string) (s *Store, dir string) {
	t.Helper()
	dir = t.TempDir() + "/staging"
	s, err := Open(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, text := range texts {
		if _, err := s.PutFile(t.Context(), sum(text), content(text)); err != nil {
			t.Fatal(err)
		}
	}
	return s, dir
}

// TestPurgeWhileFilesGo: a write ends with the renaming of its file. Whoever lists the
// directory meanwhile finds that one gone.
func TestPurgeWhileFilesGo(t *testing.T) {
	s, dir := dirStore(t, "x")
	file := filepath.Join(dir, fileKey(sum("x")))
	// What waits for a file of this name to be read goes on when the file is gone.
	if err := syscall.Mkfifo(file+attrsExt, 0o600); err != nil {
		t.Fatal(err)
	}
	done, waited := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(waited)
		for {
			if f, err := os.OpenFile(file+attrsExt, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				_ = os.Remove(file)
				_ = f.Close()
				return
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	if err := s.Purge(t.Context(), time.Hour); err != nil {
		t.Errorf("a file went before it was looked at: %v", err)
	}
	close(done)
	<-waited
}

// TestPurgeGoesOnWhereAFileWent: what comes after it is purged all the same.
func TestPurgeGoesOnWhereAFileWent(t *testing.T) {
	s, dir := dirStore(t)
	for _, name := range []string{"a", "b", "c"} {
		if err := s.bucket.WriteAll(t.Context(), "files/00/"+name, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	err := s.removeIf(t.Context(), "files/", func(o *blob.ListObject) bool {
		if o.Key == "files/00/a" {
			if err := os.Remove(filepath.Join(dir, "files/00/b")); err != nil {
				t.Error(err)
			}
		}
		return o.Key == "files/00/c"
	})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, s, "files/00/a")
}

// TestPurgeTakesBlobsOnly: not what an operator put in the place of a directory.
func TestPurgeTakesBlobsOnly(t *testing.T) {
	s, dir := dirStore(t)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "files")); err != nil {
		t.Fatal(err)
	}
	s.clock.fake = func() time.Time { return time.Now().Add(48 * time.Hour) }
	if err := s.Purge(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "files")); errors.Is(err, os.ErrNotExist) {
		t.Error("the link is gone")
	}
}
