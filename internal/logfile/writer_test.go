package logfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNotTwiceAtOnce: two files of one millisecond would have one name, and one of
// them would be lost; the second waits.
func TestNotTwiceAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	w := NewWriter(path, 10, 0)
	at := time.Now()
	w.now = func() time.Time { return at }
	put := func(line string, want int) {
		t.Helper()
		if _, err := w.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		if files, err := Files(path); err != nil || len(files) != want {
			t.Errorf("after %s: %v, %v; want %d files", line, files, err, want)
		}
	}
	put("first line", 1)
	put("second line", 2)
	put("third line", 2)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines, _, err := Last(path, 10, Filter{})
	if err != nil || len(lines) != 3 {
		t.Errorf("%d lines are left of 3, %v", len(lines), err)
	}
}

// TestNotTwiceAfterAStall: the name is of the moment in which the file was renamed, which
// on a busy host is later than that in which it was found to be full.
func TestNotTwiceAfterAStall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	w := NewWriter(path, 10, 0)
	defer w.Close()
	at := time.Now()
	for _, write := range []struct {
		line  string
		looks []time.Duration // at the clock; the last one counts on
	}{
		{"first line\n", []time.Duration{0}},
		{"second line\n", []time.Duration{0, 50 * time.Millisecond}},
		{"third line\n", []time.Duration{51 * time.Millisecond}},
	} {
		w.now = func() time.Time {
			now := at.Add(write.looks[0])
			write.looks = write.looks[min(1, len(write.looks)-1):]
			return now
		}
		if _, err := w.Write([]byte(write.line)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Files(path)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v; want 2 files: a third may have the name of the first", files, err)
	}
	if lines, _, err := Last(path, 10, Filter{}); err != nil || len(lines) != 3 {
		t.Errorf("%d lines are left of 3, %v", len(lines), err)
	}
}

// TestGoesOn: what a file holds when the writer is made counts.
func TestGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	if err := os.WriteFile(path, []byte("0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := NewWriter(path, 15, 0)
	if _, err := w.Write([]byte("abcdef\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if files, err := Files(path); err != nil || len(files) != 2 {
		t.Errorf("%v, %v; want a rotated file and the new one", files, err)
	}
}

// TestTailOfRemoved: when the file that is followed was removed, all that there are
// are younger.
func TestTailOfRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one\n")
	tail := NewTail(path)
	defer tail.Close()
	want := func(text string) {
		t.Helper()
		lines, err := tail.New()
		var got []string
		for _, l := range lines {
			got = append(got, string(l.Raw))
		}
		if strings.Join(got, " ") != text || err != nil {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
	}
	want("one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("")
	put("two\n")
	want("two")
	want("")
}
