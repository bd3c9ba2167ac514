package integration

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/tests/webui"
	"github.com/chef-sync/chef-sync/workflows"
)

// site is an ec-syncd with several pairs, each of another kind of day.
type site struct {
	t                *testing.T
	primary, replica *harness.ChefServer
	syncd            *harness.Syncd
}

// organizations of a site, in the order of their names.
var organizations = []string{"asia", "europe", "payments", "staging"}

func newSite(t *testing.T) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	s := &site{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	list := ""
	for _, org := range organizations {
		list += fmt.Sprintf("{ :source => '%s', :destination => '%s' },", org, org)
		for _, server := range []*harness.ChefServer{s.primary, s.replica} {
			if _, err := server.CreateOrganization(org, org); err != nil {
				t.Fatal(err)
			}
			if err := server.AddMember(org, harness.SyncUser, true); err != nil {
				t.Fatal(err)
			}
		}
		s.write(org).Small()
	}
	s.syncd = harness.PrepareSyncd(t)
	s.syncd.Configure(t, s.primary.Side(), s.replica.Side(), "poll_interval 1\ndelete_limit({ 'percent' => 1, 'objects' => 1 })\n")
	text, err := os.ReadFile(s.syncd.Config)
	if err != nil {
		t.Fatal(err)
	}
	one := fmt.Sprintf("{ :source => '%s', :destination => '%s' }", harness.Organization, harness.Organization)
	if err := os.WriteFile(s.syncd.Config, []byte(strings.Replace(string(text), one, list, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.syncd.Start(t)
	return s
}

func (s *site) write(org string) *harness.Content {
	return harness.Write(s.t, harness.NewClient(s.t, s.primary.URL, org, harness.SyncUser, s.primary.KeyFile))
}

func (s *site) id(org string) string {
	return object.Pair{Replica: "sync", Source: org, Destination: org}.WorkflowID()
}

// is waits until a pair is in a mode, with so many unsynced objects.
func (s *site) is(org string, mode workflows.Mode, unsynced int) {
	s.t.Helper()
	var got workflows.Status
	harness.Until(s.t, fmt.Sprintf("%s is %s with %d unsynced", org, mode, unsynced), func() bool {
		got = workflows.Status{}
		v, err := s.syncd.Temporal(s.t).QueryWorkflow(s.t.Context(), s.id(org), "", workflows.QueryStatus)
		return err == nil && v.Get(&got) == nil && got.Mode == mode && got.Unsynced == unsynced
	}, func() string { return fmt.Sprintf("%+v", got) })
}

// live has each pair come to what it is to show.
func (s *site) live() {
	s.t.Helper()
	s.replica.Faults().Add(chefserver.Fault{Method: "POST", Path: harness.Path("/europe/environments$"),
		Effect: chefserver.Status(413, `{"error":["JSON must be no more than 2000000 bytes."]}`)})
	for _, org := range organizations {
		s.syncd.MustCtl(s.t, "sync-start", org)
	}
	s.is("asia", workflows.ModeFollowing, 0)
	s.is("europe", workflows.ModeFollowing, 1)
	s.is("payments", workflows.ModeFollowing, 0)
	s.is("staging", workflows.ModeFollowing, 0)
	s.syncd.MustCtl(s.t, "sync-stop", "staging", "--reason", "upgrade")
	c := s.write("payments")
	for i := range 8 {
		c.Item("cards", fmt.Sprintf("item%d", i), "1")
	}
	s.until("payments has its cards", func() bool {
		names, err := harness.NewClient(s.t, s.replica.URL, "payments", harness.SyncUser, s.replica.KeyFile).ListDataBagItems(s.t.Context(), "cards")
		return err == nil && len(names) == 8
	})
	if err := harness.NewClient(s.t, s.primary.URL, "payments", harness.SyncUser, s.primary.KeyFile).DeleteDataBag(s.t.Context(), "cards"); err != nil {
		s.t.Fatal(err)
	}
	s.is("payments", workflows.ModeHalted, 0)
}

func (s *site) until(what string, cond func() bool) {
	s.t.Helper()
	harness.Until(s.t, what, cond, func() string { return s.syncd.Log(s.t) })
}

// What an operator who knows nothing of our own tools sees in Temporal's Web UI, in a
// real browser. The pictures of it are those of the documentation if
// CHEF_SYNC_SCREENSHOTS names where that has them (make screenshots).
func TestWebUIShowsThePairs(t *testing.T) {
	s := newSite(t)
	s.live()
	pictures := os.Getenv("CHEF_SYNC_SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	b := webui.Open(t)
	b.ForPictures()
	list := s.syncd.UIURL() + "/namespaces/default/workflows"
	b.ShowColumns(s.syncd.UIURL(), "default", "Status", "Workflow ID", "ChefSyncOrganization", "ChefSyncMode", "ChefSyncLag", "ChefSyncUnsynced")
	b.WaitText(list+"?query="+url.QueryEscape("WorkflowType = \"SyncWorkflow\""), "4 Workflows",
		"Running "+s.id("asia")+" asia following 0 0", "Running "+s.id("europe")+" europe following 0 1",
		"Running "+s.id("payments")+" payments halted 0 0", "Running "+s.id("staging")+" staging stopped 0 0")
	picture(t, b, filepath.Join(pictures, "web-ui-list.png"))
	text := b.WaitText(list+"?query="+url.QueryEscape("ChefSyncMode = \"halted\" OR ChefSyncUnsynced > 0"), "2 Workflows", "payments", "europe")
	if strings.Contains(text, s.id("asia")) || strings.Contains(text, s.id("staging")) {
		t.Errorf("a pair that is well is among those that are not:\n%s", text)
	}

	documentedQueries(t, s.syncd.Temporal(t))

	got, err := s.syncd.Temporal(t).DescribeWorkflowExecution(t.Context(), s.id("europe"), "")
	if err != nil {
		t.Fatal(err)
	}
	page := list + "/" + url.PathEscape(s.id("europe")) + "/" + got.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	b.WaitText(page+"/user-metadata", "keeps europe on replica sync equal to the primary", "following since", "Feed updated_since", "Lag 0 changes",
		"Last sync", "Next sync", "Unsynced 1", "/environments/prod", "413")
	picture(t, b, filepath.Join(pictures, "web-ui-pair.png"))
	b.WaitText(page+"/timeline", "read /environments/prod", "write /", "retry unsynced objects", "wait for changes after updated_since")
	b.WaitText(page+"/pending-activities", "Poll", "up to date at updated_since")
}

// documentedQueries checks that Temporal understands each query of docs/web-ui.md, and
// what the two find that are for what needs somebody.
func documentedQueries(t *testing.T, c client.Client) {
	t.Helper()
	text, err := os.ReadFile("../../docs/web-ui.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`--query "([^"]+)"`).FindAllStringSubmatch(string(text), -1)
	var counts []int64
	for _, m := range found {
		got, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default", Query: m[1]})
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		counts = append(counts, got.GetCount())
	}
	if len(counts) < 6 || counts[0] != 1 || counts[1] != 1 {
		t.Errorf("the queries of docs/web-ui.md find %d; want 1 pair halted, 1 with an unsynced object, and more queries", counts)
	}
}

// mostPicture is how large a picture may be: it is in the repository.
const mostPicture = 150 << 10

func picture(t *testing.T, b *webui.Browser, file string) {
	t.Helper()
	b.Picture(file)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d bytes", file, info.Size())
	if info.Size() > mostPicture {
		t.Errorf("%s has %d bytes, and should have %d at most", file, info.Size(), mostPicture)
	}
}
