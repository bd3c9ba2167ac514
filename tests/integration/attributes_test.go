package integration

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// bare is a namespace without any search attribute of ours.
const bare = "bare"

// A pair on a namespace that lacks the search attributes, which then gets them, and
// then loses one while the pair runs: nothing of this stops the pair, and it shows
// what it can.
func TestNamespaceWithoutSearchAttributes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts two ec-syncd with a Temporal server")
	}
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	d.write = harness.Write(t, d.primary.Client)
	d.write.Small()
	cluster := harness.PrepareSyncd(t)
	cluster.Configure(t, d.primary.Side(), d.replica.Side(), "name 'nobody'\n") // has no pair, and stands for a cluster
	cluster.Start(t)
	registerNamespace(t, cluster.Temporal(t), bare)
	c := temporalOf(t, cluster, bare)
	d.syncd = harness.NewWorker(t, cluster, harness.NewWire(t, fmt.Sprintf("127.0.0.1:%d", cluster.Port)), d.primary.Side(), d.replica.Side(),
		"poll_interval 1\ntemporal['namespace'] = '"+bare+"'\n")
	says := func(what string) {
		t.Helper()
		harness.Until(t, "the log says "+what, func() bool { return strings.Contains(d.syncd.Log(t), what) }, func() string { return d.syncd.Log(t) })
	}
	listed := func(query string) {
		t.Helper()
		var last error
		harness.Until(t, "listed by "+query, func() bool {
			got, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: bare, Query: query})
			last = err
			return err == nil && len(got.GetExecutions()) == 1
		}, func() string { return fmt.Sprint(last) })
	}

	says("search attributes are missing")
	d.start()
	d.equal("without search attributes")
	out, _, _ := d.syncd.Ctl(t, "doctor", "--only", "attributes")
	if !strings.Contains(out, "pairs cannot be listed by ChefSyncLag, ChefSyncMode") {
		t.Errorf("doctor says\n%s", out)
	}

	out, _, _ = d.syncd.Ctl(t, "doctor", "--setup", "--only", "attributes")
	if !strings.Contains(out, "5 search attributes added to the namespace bare") {
		t.Fatalf("doctor --setup says\n%s", out)
	}
	says("the namespace has all search attributes now")
	d.write.Role("role1", "2")
	d.equal("with search attributes")
	listed("ChefSyncOrganization = 'acme' AND ChefSyncReplica = 'sync' AND ChefSyncMode = 'following' AND ChefSyncLag = 0 AND ChefSyncUnsynced = 0")

	if _, err := c.OperatorService().RemoveSearchAttributes(t.Context(), &operatorservice.RemoveSearchAttributesRequest{
		Namespace: bare, SearchAttributes: []string{"ChefSyncMode"},
	}); err != nil {
		t.Fatal(err)
	}
	// ec-syncd does not know it yet, and the stop changes the mode.
	if err := c.SignalWorkflow(t.Context(), workflowID, "", "stop", nil); err != nil {
		t.Fatal(err)
	}
	says(`"missing":"ChefSyncMode"`)
	d.is("state", "stopped")
	if err := c.SignalWorkflow(t.Context(), workflowID, "", "start", nil); err != nil {
		t.Fatal(err)
	}
	d.write.Role("role1", "3")
	d.equal("with a search attribute less")
	listed("ChefSyncOrganization = 'acme' AND ChefSyncLag = 0")
}

// registerNamespace makes a namespace, and returns when it can be used.
func registerNamespace(t *testing.T, c client.Client, name string) {
	t.Helper()
	_, err := c.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatalf("register namespace %s: %v", name, err)
	}
	harness.Until(t, "namespace "+name, func() bool {
		_, err = c.WorkflowService().ListWorkflowExecutions(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: name})
		return err == nil
	}, func() string { return fmt.Sprint(err) })
}

// temporalOf connects to a namespace of an ec-syncd's Temporal server.
func temporalOf(t *testing.T, d *harness.Syncd, namespace string) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: fmt.Sprintf("127.0.0.1:%d", d.Port), Namespace: namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
