package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/logfile"
)

// History is what a script gives as the history of a run.
func (f *fake) History(_ context.Context, id, runID string) ([]*history.HistoryEvent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("history %s %s", id, runID); err != nil {
		return nil, err
	}
	w := f.Workflows[id]
	if w == nil {
		return nil, ErrNotRunning
	}
	if runID == "" {
		runID = w.Newest
	}
	data, ok := w.Histories[runID]
	if !ok {
		return nil, ErrNotRunning
	}
	h, err := client.HistoryFromJSON(bytes.NewReader(data), client.HistoryJSONOptions{})
	return h.GetEvents(), err
}

// A recorded history, of all that a pair may do, becomes readable.
func TestReadHistory(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../tests/replay/testdata/initial.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, e := range readHistory("r", h.GetEvents()) {
		fmt.Fprintf(&got, "%s %s | %s | %s\n", e.Time.Format(time.TimeOnly), e.Level, e.What, e.Text)
	}
	golden := filepath.Join("testdata", "history.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

// sync-log -f prints what is added, through a rotation, and ends when interrupted.
func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "chef-sync.rb")
	logs := filepath.Join(dir, "log")
	if err := os.Mkdir(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("role :replica\nmaster 'https://a'\nreplica 'https://b'\norganizations ['acme']\nec_sync_client['log_directory'] = '%s'\n", logs)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := logfile.NewWriter(filepath.Join(logs, "sync-acme.log"), 400, 0)
	defer w.Close()
	looks, n := 0, 0
	var out, errOut bytes.Buffer
	a := &App{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errOut, DefaultConfig: config, Now: time.Now, Env: noEnv{},
		Sleep: func(context.Context, time.Duration) error {
			if looks++; looks > 20 {
				return context.Canceled
			}
			for range 2 {
				n++
				level := "INFO"
				if n%2 == 0 {
					level = "WARN"
				}
				line := fmt.Sprintf(`{"time":"2026-11-23T12:00:%02dZ","level":%q,"msg":"line","n":%d}`+"\n", n%60, level, n)
				if _, err := w.Write([]byte(line)); err != nil {
					return err
				}
			}
			time.Sleep(4 * time.Millisecond) //nolint:forbidigo // the names of old files hold the millisecond
			return nil
		},
	}
	if code := a.Run(t.Context(), []string{program, "sync-log", "acme", "-f", "--level", "warn", "--output", "json"}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	var got []int
	for line := range strings.Lines(out.String()) {
		var v struct{ N int }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, v.N)
	}
	var want []int
	for i := 2; i <= 40; i += 2 {
		want = append(want, i)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(errOut.String(), "is not there yet") {
		t.Errorf("stderr %q; want that the log is waited for", errOut.String())
	}
	if files, err := logfile.Files(filepath.Join(logs, "sync-acme.log")); err != nil || len(files) < 3 {
		t.Errorf("%d files (%v); want that it was rotated", len(files), err)
	}
}

// noEnv is an empty environment.
type noEnv struct{}

func (noEnv) Environ() []string               { return nil }
func (noEnv) LookupEnv(string) (string, bool) { return "", false }
