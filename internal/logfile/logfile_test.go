package logfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/logfile"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// line is the nth line of a log; every third is a warning.
func line(n int) string {
	level := slog.LevelInfo
	if n%3 == 0 {
		level = slog.LevelWarn
	}
	return fmt.Sprintf(`{"time":%q,"level":%q,"msg":"line %d","n":%d}`+"\n", noon.Add(time.Duration(n)*time.Second).Format(time.RFC3339Nano), level, n, n)
}

func messages(lines []logfile.Line) []string {
	out := []string{}
	for _, l := range lines {
		out = append(out, l.Message)
	}
	return out
}

func numbers(from, to, step int) []string {
	out := []string{}
	for n := from; n <= to; n += step {
		out = append(out, fmt.Sprintf("line %d", n))
	}
	return out
}

// write makes a log of 90 lines in three files.
func write(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sync-acme.log")
	for i, name := range []string{"sync-acme-2026-11-23T12-00-30.000.log", "sync-acme-2026-11-23T12-01-00.000.log", "sync-acme.log"} {
		var b strings.Builder
		for n := i*30 + 1; n <= i*30+30; n++ {
			b.WriteString(line(n))
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The files of an organization whose name begins alike, and others.
	for _, name := range []string{"sync-acme-eu.log", "sync-acme-eu-2026-11-23T12-00-30.000.log", "sync-acme-2026.gz", "ec-syncd.log"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(line(1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestLast(t *testing.T) {
	t.Parallel()
	path := write(t)
	for _, c := range []struct {
		name string
		n    int
		f    logfile.Filter
		want []string
	}{
		{"some of the newest file", 3, logfile.Filter{}, numbers(88, 90, 1)},
		{"across two rotations", 70, logfile.Filter{}, numbers(21, 90, 1)},
		{"more than there are", 1000, logfile.Filter{}, numbers(1, 90, 1)},
		{"warnings", 25, logfile.Filter{Level: slog.LevelWarn}, numbers(18, 90, 3)},
		{"errors", 25, logfile.Filter{Level: slog.LevelError}, numbers(1, 0, 1)},
		{"since", 1000, logfile.Filter{Since: noon.Add(55 * time.Second)}, numbers(55, 90, 1)},
		{"warnings since", 1000, logfile.Filter{Level: slog.LevelWarn, Since: noon.Add(55 * time.Second)}, numbers(57, 90, 3)},
		{"none", 0, logfile.Filter{}, numbers(1, 0, 1)},
	} {
		got, tail, err := logfile.Last(path, c.n, c.f)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, messages(got)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if err := tail.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := logfile.Last(filepath.Join(filepath.Dir(path), "sync-nope.log"), 1, logfile.Filter{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log that there is not: %v, want fs.ErrNotExist", err)
	}
}

// Lines are found whole wherever the blocks end that are read.
func TestLastOfLongLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ec-syncd.log")
	var b strings.Builder
	for n := range 50 {
		fmt.Fprintf(&b, `{"time":%q,"level":"INFO","msg":"line %d","pad":%q}`+"\n", noon.Format(time.RFC3339Nano), n+1, strings.Repeat("x", n*977))
	}
	b.WriteString(`{"time":"cut by a crash`)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, tail, err := logfile.Last(path, 1000, logfile.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	last := got[len(got)-1]
	if last.Parsed() || string(last.Raw) != `{"time":"cut by a crash` {
		t.Errorf("the last line is %q, want what the crash left", last.Raw)
	}
	if diff := cmp.Diff(numbers(1, 50, 1), messages(got[:len(got)-1])); diff != "" {
		t.Error(diff)
	}
}

// A tail misses no line and repeats none, however often the log was rotated between
// two looks.
func TestTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sync-acme.log")
	w := logfile.NewWriter(path, 2000, 0)
	defer w.Close()
	tail := logfile.NewTail(path)
	defer tail.Close()
	var got []logfile.Line
	look := func() {
		t.Helper()
		lines, err := tail.New()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, lines...)
	}
	look() // there is no file yet
	n := 0
	for _, many := range []int{1, 5, 0, 30, 100, 1, 0, 47, 3} {
		for range many {
			n++
			if _, err := w.Write([]byte(line(n))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // the names of old files hold the millisecond
		}
		look()
	}
	if diff := cmp.Diff(numbers(1, n, 1), messages(got)); diff != "" {
		t.Error(diff)
	}
	if files, err := logfile.Files(path); err != nil || len(files) < 3 {
		t.Errorf("the log was rotated into %d files (%v), want some", len(files), err)
	}
	// From the end of what Last returned.
	last, more, err := logfile.Last(path, 5, logfile.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	for range 60 {
		n++
		if _, err := w.Write([]byte(line(n))); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := more.New()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbers(n-64, n, 1), messages(append(last, lines...))); diff != "" {
		t.Error(diff)
	}
}

// Files are as large as the setting says, and as many.
func TestWriterRotates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "ec-syncd.log")
	w := logfile.NewWriter(path, 1024, 3)
	for n := range 200 {
		if _, err := w.Write([]byte(line(n))); err != nil {
			t.Fatal(err)
		}
		if n%10 == 9 {
			time.Sleep(3 * time.Millisecond) //nolint:forbidigo // the names of old files hold the millisecond
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := logfile.Files(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Errorf("there are %q, want the log and 3 old ones", files)
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Size() > 2048 {
			t.Errorf("%s has %d bytes (%v), want about 1024", name, info.Size(), err)
		}
	}
	// A new process goes on with the file.
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	w = logfile.NewWriter(path, before.Size()+int64(len(line(1000)))-1, 0)
	defer w.Close()
	if _, err := w.Write([]byte(line(1000))); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || after.Size() != int64(len(line(1000))) {
		t.Errorf("the log has %d bytes (%v), want the one line that was too much", after.Size(), err)
	}
}

func TestOrganization(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 255)
	for org, want := range map[string]string{
		"acme": "sync-acme.log", "acme-eu_2": "sync-acme-eu_2.log", "": "sync-.log",
		"../x/y": "sync-%2E%2E%2Fx%2Fy.log", "a%2Eb": "sync-a%252Eb.log",
		"acme-2026-11-23T12-00-30.000": "sync-acme-2026-11-23T12-00-30%2E000.log",
	} {
		if got := logfile.Organization(org); got != want {
			t.Errorf("Organization(%q) = %q, want %q", org, got, want)
		}
	}
	seen := []string{logfile.Organization(long), logfile.Organization(long + "y"), logfile.Organization(long[:180])}
	for _, name := range seen {
		if len(name) > 200 {
			t.Errorf("%q has %d bytes; with the time of a rotation it has to fit in 255", name, len(name))
		}
	}
	if slices.Sort(seen); len(slices.Compact(seen)) != 3 {
		t.Errorf("different organizations share a file: %q", seen)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	got := logfile.Parse([]byte(`{"time":"2026-11-23T12:00:00.5Z","level":"WARN","msg":"pair waits","org":"acme","n":12345678901234567890,"g":{"a":{"b":true},"c":"x"},"list":[1,{"x":2}]}`))
	want := logfile.Line{
		Raw: got.Raw, Time: noon.Add(time.Second / 2), Level: slog.LevelWarn, Message: "pair waits",
		Attrs: []logfile.Attr{{"org", "acme"}, {"n", "12345678901234567890"}, {"g.a.b", "true"}, {"g.c", "x"}, {"list", `[1,{"x":2}]`}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, raw := range []string{"", "plain text", `{"time":"2026-11-23T12:00:00Z","level":`, `[1]`, `{"msg":"x"}`} {
		if got := logfile.Parse([]byte(raw)); got.Parsed() || len(got.Attrs) > 0 {
			t.Errorf("%q was understood: %+v", raw, got)
		}
	}
}
