//go:build !noembed

package webui

import (
	"context"
	"fmt"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/internal/temporalserver"
)

const (
	taskQueue  = "webui-test"
	workflowID = "chef-sync/replica one/acme"
)

var (
	chefOrg = temporal.NewSearchAttributeKeyKeyword("ChefOrg")
	chefSeq = temporal.NewSearchAttributeKeyInt64("ChefSeq")
)

// followWorkflow shows everything that a workflow can show without events.
func followWorkflow(ctx workflow.Context) error {
	if err := workflow.UpsertTypedSearchAttributes(ctx, chefSeq.ValueSet(42)); err != nil {
		return err
	}
	workflow.SetCurrentDetails(ctx, "**mode** following\n\n| object | reason |\n|---|---|\n| `/roles/web` | frozen |\n")
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		Summary:             "poll acme after 42",
	})
	return workflow.ExecuteActivity(ctx, pollActivity).Get(ctx, nil)
}

// pollActivity finds nothing new, like a poll of an idle organization.
func pollActivity(ctx context.Context) error {
	return temporal.NewApplicationErrorWithOptions("up to date at seq 42; next poll in 1h", "NoChanges",
		temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour, Category: temporal.ApplicationErrorCategoryBenign})
}

// TestWebUI keeps the package doc's table of pages true.
func TestWebUI(t *testing.T) {
	b := Open(t)
	server, err := temporalserver.Start(t.Context(), temporalserver.Options{
		Port: -1, UIPort: -1,
		SearchAttributes: map[string]enums.IndexedValueType{
			"ChefOrg": enums.INDEXED_VALUE_TYPE_KEYWORD, "ChefSeq": enums.INDEXED_VALUE_TYPE_INT,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	runID := startFollow(t, server)
	pages := server.UIURL() + "/namespaces/default/workflows"
	page := pages + "/" + url.PathEscape(workflowID) + "/" + runID

	for _, test := range []struct {
		name, url string
		wants     []string
	}{
		{"filtered list", pages + "?query=" + url.QueryEscape("ChefOrg = \"acme\" AND ChefSeq = 42"),
			[]string{"1 Workflow", "Running", workflowID, "followWorkflow"}},
		{"timeline", page + "/timeline", []string{"Attempt 2", "pollActivity", "poll acme after 42"}},
		{"history", page + "/history", []string{"Pending Activity", "Next Retry", "acme from the primary", "poll acme after 42"}},
		{"user metadata", page + "/user-metadata",
			[]string{"acme from the primary", "replicates acme", "mode following", "object reason", "/roles/web frozen"}},
		{"search attributes", page + "/search-attributes", []string{`"ChefOrg": "acme"`, `"ChefSeq": 42`}},
		{"pending activities", page + "/pending-activities",
			[]string{"pollActivity", "Attempt 2", "Next Retry", "up to date at seq 42; next poll in 1h", "BENIGN"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.WaitText(test.url, test.wants...)
		})
	}
	t.Run("columns", func(t *testing.T) {
		b.ShowColumns(server.UIURL(), "default", "Status", "Workflow ID", "ChefOrg", "ChefSeq")
		b.WaitText(pages, "ChefOrg ChefSeq", "Running "+workflowID+" acme 42")
	})
	t.Run("screenshot", func(t *testing.T) {
		checkScreenshot(t, b)
	})
}

// checkScreenshot checks that a screenshot is an image of the whole window.
func checkScreenshot(t *testing.T, b *Browser) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.png")
	b.Screenshot(file)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	image, err := png.DecodeConfig(f)
	if err != nil || image.Width < windowWidth {
		t.Errorf("screenshot: got width %d, error %v", image.Width, err)
	}
}

// TestOutsideRequest checks that a page which calls home does not go unnoticed.
func TestOutsideRequest(t *testing.T) {
	b := Open(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<body><p>hello</p><img src="http://outside.example/pixel.png">
			<script>fetch("http://192.0.2.1/news").catch(() => document.body.append("refused"))</script>`)
	}))
	t.Cleanup(server.Close)
	b.WaitText(server.URL, "hello", "refused")

	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.outside)
	if want := []string{"http://192.0.2.1/news", "http://outside.example/pixel.png"}; !slices.Equal(b.outside, want) {
		t.Errorf("requests outside: got %q, want %q", b.outside, want)
	}
	b.outside = nil // or the end of the test would report them
}

// TestReload: a page that does not look again by itself is loaded anew.
func TestReload(t *testing.T) {
	b := Open(t)
	b.reload = 200 * time.Millisecond
	var loads atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/list" {
			fmt.Fprintf(w, "<body>loaded anew: %t</body>", loads.Add(1) > 1)
		}
	}))
	t.Cleanup(server.Close)
	b.WaitText(server.URL+"/list", "loaded anew: true")
}

func TestMissing(t *testing.T) {
	got := missing("Next  Retry\n\nRUNNING", []string{"next retry", "Running", "Paused"})
	if want := []string{"Paused"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// startFollow runs followWorkflow and returns its run ID.
func startFollow(t *testing.T, server *temporalserver.Server) string {
	t.Helper()
	c, err := client.Dial(client.Options{
		HostPort: server.HostPort(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(followWorkflow)
	w.RegisterActivity(pollActivity)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflowID, TaskQueue: taskQueue,
		StaticSummary:         "acme from the primary",
		StaticDetails:         "replicates **acme**",
		TypedSearchAttributes: temporal.NewSearchAttributes(chefOrg.ValueSet("acme")),
	}, followWorkflow)
	if err != nil {
		t.Fatal(err)
	}
	return run.GetRunID()
}
