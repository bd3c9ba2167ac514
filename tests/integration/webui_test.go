package integration

import (
	"net/url"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/tests/webui"
)

// What an operator who knows nothing of our own tools sees in Temporal's Web UI,
// in a real browser.
func TestWebUIShowsThePair(t *testing.T) {
	d := newDuo(t, "")
	d.write.Small()
	d.replica.Faults().Add(chefserver.Fault{Method: "POST", Path: harness.Path("/environments$"),
		Effect: chefserver.Status(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)})
	d.start()
	d.is("unsynced", 1)
	d.is("state", "following")

	b := webui.Open(t)
	list := d.syncd.UIURL() + "/namespaces/default/workflows"
	b.WaitText(list, workflowID, "SyncWorkflow", "Running")

	got, err := d.syncd.Temporal(t).DescribeWorkflowExecution(t.Context(), workflowID, "")
	if err != nil {
		t.Fatal(err)
	}
	page := list + "/" + url.PathEscape(workflowID) + "/" + got.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	b.WaitText(page+"/user-metadata", "following", "updated_since", "Last sync", "Next sync", "Unsynced", "/environments/prod", "413")
	b.WaitText(page+"/pending-activities", "Poll", "up to date at updated_since", "next poll in")
}
