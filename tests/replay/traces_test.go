package replay

import (
	"log/slog"
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/chef-sync/chef-sync/internal/traces"
)

// What was recorded without traces goes on with them.
func TestRecordedHistoriesReplayWithTraces(t *testing.T) {
	silent := slog.New(slog.DiscardHandler)
	tr, err := traces.New(t.Context(), traces.Options{Endpoint: "http://127.0.0.1:1", Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Stop()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded history: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := replayer(t, worker.WorkflowReplayerOptions{Interceptors: tr.Interceptors()})
			if err := r.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(silent), file); err != nil {
				t.Errorf("traces change what a workflow does: %v", err)
			}
		})
	}
}
