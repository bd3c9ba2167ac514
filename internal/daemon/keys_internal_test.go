package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckKeys: the log of the start names the file, the setting and the command.
func TestCheckKeys(t *testing.T) {
	key := filepath.Join(t.TempDir(), "sync.pem")
	if err := os.WriteFile(key, []byte("hush"), 0o644); err != nil { //nolint:gosec // that is the test
		t.Fatal(err)
	}
	var logged bytes.Buffer
	checkKeys(t.Context(), slog.New(slog.NewTextHandler(&logged, nil)), parse(t, "organizations ['acme']\nec_sync_client['sync_key'] = '"+key+"'\n"))
	text := logged.String()
	for _, want := range []string{"level=ERROR", "pairs wait", "ec_sync_client['sync_key']", "file=" + key, "chmod 600 " + key} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if strings.Contains(text, "hush") || strings.Count(text, "\n") != 1 {
		t.Errorf("said %s", text)
	}
}
