package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/telemetry"
)

func TestLinesForPeopleAndForMachines(t *testing.T) {
	for _, plain := range []bool{true, false} {
		var out bytes.Buffer
		dir := filepath.Join(t.TempDir(), "log")
		log, closeLog := telemetry.NewLogger(telemetry.Options{
			Out: &out, Plain: plain, Level: slog.LevelWarn, Directory: dir, MaxBytes: 1 << 20, Keep: 2,
		})
		log.Info("below the level")
		log.Warn("pair waits", "org", "acme")
		if err := closeLog(); err != nil {
			t.Fatal(err)
		}
		if got := json.Valid(out.Bytes()); got == plain || !strings.Contains(out.String(), "pair waits") {
			t.Errorf("plain %t wrote %q", plain, out.String())
		}
		data, err := os.ReadFile(filepath.Join(dir, "ec-syncd.log"))
		if err != nil {
			t.Fatal(err)
		}
		var line map[string]any
		if err := json.Unmarshal(data, &line); err != nil || line["msg"] != "pair waits" || line["org"] != "acme" {
			t.Errorf("the file has %q (%v); want one line of JSON", data, err)
		}
	}
}

// A directory that cannot be made costs the file, not the daemon.
func TestNoDirectory(t *testing.T) {
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log, closeLog := telemetry.NewLogger(telemetry.Options{Out: &out, Directory: filepath.Join(file, "log")})
	log.Info("still here")
	if err := closeLog(); err != nil {
		t.Error(err)
	}
	if got := out.String(); !strings.Contains(got, "still here") || !strings.Contains(got, "log_directory") {
		t.Errorf("wrote %q; want the line, and what to set", got)
	}
}
