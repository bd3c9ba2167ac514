package telemetry_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/logfile"
	"github.com/chef-sync/chef-sync/internal/telemetry"
)

// messages returns the messages in a log.
func messages(t *testing.T, path string) []string {
	t.Helper()
	lines, tail, err := logfile.Last(path, 100, logfile.Filter{Level: slog.LevelDebug})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	var out []string
	for _, l := range lines {
		out = append(out, l.Message)
	}
	return out
}

func TestOneFileForEachOrganization(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	log, closeLog := telemetry.NewLogger(telemetry.Options{
		Out: &out, Directory: dir, Organizations: true, MaxBytes: 1 << 20, Keep: 2,
	})
	log.Info("begins")
	log.Info("full comparison", "org", "acme", "source", "acme")
	log.With("org", "acme", "source", "uk").Warn("acme waits")
	log.Info("of the workflow", "WorkflowID", "chef-sync/sync/eu")
	log.With("side", "master").With("org", "eu").Info("retried", "wait", 1500*time.Millisecond)
	log.Info("escapes", "org", "../../etc/passwd")
	if err := closeLog(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"ec-syncd.log":  {"begins", "acme waits"},
		"sync-acme.log": {"full comparison", "acme waits"},
		"sync-eu.log":   {"of the workflow", "retried"},
		"sync-%2E%2E%2F%2E%2E%2Fetc%2Fpasswd.log": {"escapes"},
	} {
		if got := messages(t, filepath.Join(dir, name)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("%d files (%v), want 4", len(entries), err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "sync-eu.log"))
	if err != nil || !strings.Contains(string(data), `"side":"master","org":"eu","wait":"1.5s"`) || strings.Count(string(data), `"org":"eu"`) != 2 {
		t.Errorf("sync-eu.log has %s (%v); want all attributes, and the organization in both lines", data, err)
	}
	if n := strings.Count(out.String(), "\n"); n != 6 {
		t.Errorf("standard error has %d lines, want all 6", n)
	}
}

// The feed server's callers choose the organizations that it speaks of: it has one
// file.
func TestOneFileForTheFeedServer(t *testing.T) {
	dir := t.TempDir()
	log, closeLog := telemetry.NewLogger(telemetry.Options{Out: &bytes.Buffer{}, Directory: dir, MaxBytes: 1 << 20, Keep: 2})
	log.Info("a follower has to compare everything", "org", "acme")
	if err := closeLog(); err != nil {
		t.Fatal(err)
	}
	if got := messages(t, filepath.Join(dir, logfile.Manager)); len(got) != 1 {
		t.Errorf("the log has %q, want one line", got)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("there are %q, want one file", files)
	}
}
