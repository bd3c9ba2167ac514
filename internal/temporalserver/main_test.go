//go:build !noembed

package temporalserver

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// helperDir makes this test binary a process that serves the database in that
// directory until it is killed; see TestKilledServer.
const helperDir = "TEMPORALSERVER_TEST_DIR"

const taskQueue = "temporalserver-test"

var (
	chefOrg = temporal.NewSearchAttributeKeyKeyword("ChefOrg")
	chefSeq = temporal.NewSearchAttributeKeyInt64("ChefSeq")
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// followWorkflow sets a search attribute, waits for a signal, and returns it.
func followWorkflow(ctx workflow.Context, seq int64) (string, error) {
	if seq > 0 {
		if err := workflow.UpsertTypedSearchAttributes(ctx, chefSeq.ValueSet(seq)); err != nil {
			return "", err
		}
	}
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return word, nil
}

// startWorker connects to s and runs followWorkflow there.
func startWorker(s *Server) (client.Client, worker.Worker, error) {
	c, err := client.Dial(client.Options{HostPort: s.HostPort(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return nil, nil, err
	}
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(followWorkflow)
	if err := w.Start(); err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, w, nil
}

func startFollow(ctx context.Context, c client.Client, id string, seq int64) (client.WorkflowRun, error) {
	return c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: taskQueue, TypedSearchAttributes: temporal.NewSearchAttributes(chefOrg.ValueSet("acme")),
	}, followWorkflow, seq)
}

// finish signals the workflow and checks that the signal comes back as its result.
func finish(t *testing.T, c client.Client, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.SignalWorkflow(ctx, id, "", "word", "enough"); err != nil {
		t.Fatalf("signal %s: %v", id, err)
	}
	var got string
	if err := c.GetWorkflow(ctx, id, "").Get(ctx, &got); err != nil || got != "enough" {
		t.Fatalf("result of %s: got %q, %v; want %q", id, got, err, "enough")
	}
}

// eventually polls until try returns nil.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := poll(ctx, try); err != nil {
		t.Fatal(err)
	}
}

// logBuffer collects log lines of level warn and above.
type logBuffer struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.Write(p)
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// take returns what was written since the last call, without what the server says of
// its own deadlines: it passes them on a machine that stands still, and tries again.
func (b *logBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.lines.Reset()
	var out strings.Builder
	for line := range strings.Lines(b.lines.String()) {
		if !strings.Contains(line, context.DeadlineExceeded.Error()) {
			out.WriteString(line)
		}
	}
	return strings.TrimSpace(out.String())
}
