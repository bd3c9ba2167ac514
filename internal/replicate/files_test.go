package replicate_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

const cookbook = "/cookbooks/c/1.0.0"

// phantom makes the replica hold half of the primary's cookbook: the version is
// there, frozen, and its file is not.
func phantom(t *testing.T, r *rig) {
	t.Helper()
	r.write.Cookbook("c", "1.0.0", true, map[string]string{"recipes/a.rb": "a"})
	m, err := r.primary.Client.GetCookbook(t.Context(), "c", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.replica.Client.PutCookbook(t.Context(), m, chefPut); err == nil {
		t.Fatal("the replica took a cookbook without its files")
	}
	if snap := r.snapshot(r.replica); snap.Cookbooks[cookbook].Linked || !snap.Cookbooks[cookbook].Frozen {
		t.Fatalf("no phantom: %+v", snap.Cookbooks[cookbook])
	}
}

func TestHalfCookbookIsRepaired(t *testing.T) {
	for _, hint := range []object.Action{object.ActionCreate, object.ActionUpdate} {
		for _, doubt := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, doubt %v", hint, doubt), func(t *testing.T) {
				r := newRig(t)
				phantom(t, r)
				f, err := r.Fetch(t.Context(), changes(hint, cookbook), quiet)
				if err != nil || f.Staged != 1 || f.Files != 1 {
					t.Fatalf("fetched %+v, %v", f, err)
				}
				done, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{Doubt: doubt}, quiet)
				if err != nil || done.Updated != 1 || len(done.Failed) > 0 {
					t.Errorf("applied %+v, %v", done, err)
				}
				if !r.snapshot(r.replica).Cookbooks[cookbook].Linked {
					t.Error("the cookbook has its files and does not hold on to them")
				}
				r.inSync()
			})
		}
	}
}

// TestHalfCookbookOfAnEarlierAttempt: when Fetch asked, the replica had the file
// of another cookbook, which gave it up before ours was written.
func TestHalfCookbookOfAnEarlierAttempt(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("c", "1.0.0", true, map[string]string{"recipes/a.rb": "a"})
	harness.Write(t, r.replica.Client).Cookbook("other", "1.0.0", false, map[string]string{"x": "a"})
	f, err := r.Fetch(t.Context(), update(cookbook), quiet)
	if err != nil || f.Files != 0 {
		t.Fatalf("fetched %+v, %v", f, err)
	}
	r.remove("/cookbooks/other/1.0.0")
	done, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	r.wantFailed(done.Failed, "hasn't been uploaded", cookbook) // and it left a phantom

	_, err = r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{Doubt: true}, quiet)
	if !errors.Is(err, staging.ErrNotFound) {
		t.Errorf("repeated: %v, want ErrNotFound: the file was never staged", err)
	}
	if _, done := r.take(update(cookbook)); done.Updated != 1 {
		t.Errorf("fetched again: applied %+v", done)
	}
	r.inSync()
}

// TestLostBlobs: a server that has lost a blob says so only if it has lost the
// row of its database, too.
func TestLostBlobs(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("c", "1.0.0", true, map[string]string{"recipes/a.rb": "a", "b": "b"})
	r.sync()
	if err := r.replica.DropBlob(harness.Organization, sum("a")); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.take(update(cookbook)); got.Equal != 1 {
		t.Errorf("row and no blob: fetched %+v; a sandbox cannot see that", got)
	}
	c, err := r.Compare(t.Context(), quiet)
	if err != nil || len(c.Differences) != 1 || c.Differences[0].Case == replicate.CaseUnknown ||
		!strings.Contains(c.Differences[0].What, "recipes/a.rb") {
		t.Errorf("compare: %+v, %v; want the lost file", c.Differences, err)
	}
	r.remove(cookbook) // the only repair there is
	r.take(create(cookbook))
	r.inSync()
}

// TestDownloads: what arrives damaged is asked for again, and never gets to the
// replica.
func TestDownloads(t *testing.T) {
	const blob = "/bookshelf/.*"
	setup := func(t *testing.T) *rig {
		r := newRig(t)
		r.write.Cookbook("c", "1.0.0", false, map[string]string{"recipes/a.rb": strings.Repeat("a", 2000)})
		r.write.Cookbook("good", "1.0.0", false, map[string]string{"x": "x"})
		return r
	}
	bad := blob + sum(strings.Repeat("a", 2000))
	for name, e := range map[string]chefserver.Effect{
		"cut":       chefserver.CutBody(1000),
		"cut early": chefserver.CutBefore(),
		"short":     chefserver.ShortBody(1000),
		"empty":     chefserver.ShortBody(0),
		"corrupt":   chefserver.CorruptBody(),
		"expired":   chefserver.ExpiredURL(),
		"500":       chefserver.Status(500, "no"),
		"lost":      chefserver.Status(404, "<Error><Code>NoSuchKey</Code></Error>"),
	} {
		t.Run(name, func(t *testing.T) {
			r := setup(t)
			rule := fault(r.primary, "GET", bad, e)
			got, done := r.take(create(cookbook, "/cookbooks/good/1.0.0"))
			r.wantFailed(got.Failed, "primary: ", cookbook)
			if done.Created != 1 || done.Files != 1 || len(done.Failed) > 0 || rule.Hits() == 0 {
				t.Errorf("applied %+v after %d faults; want the good one", done, rule.Hits())
			}
			snap := r.snapshot(r.replica)
			if _, there := snap.Cookbooks[cookbook]; there {
				t.Error("a cookbook was written whose file never came")
			}
			rule.Remove()
			r.take(update(cookbook))
			r.inSync()
		})
		if name == "500" || name == "lost" {
			continue
		}
		t.Run(name+" once", func(t *testing.T) {
			r := setup(t)
			rule := once(r.primary, "GET", bad, e)
			got, _ := r.take(create(cookbook, "/cookbooks/good/1.0.0"))
			if len(got.Failed) > 0 || rule.Hits() != 1 || got.Files != 2 {
				t.Errorf("%d faults, fetched %+v", rule.Hits(), got)
			}
			r.inSync()
		})
	}
}

// TestExpiredURLOfADeletedCookbook: the file is also that of a cookbook that is
// still there.
func TestExpiredURLOfADeletedCookbook(t *testing.T) {
	r := newRig(t)
	shared := map[string]string{"x": "shared"}
	r.write.Cookbook("a", "1.0.0", false, shared)
	r.write.Cookbook("b", "1.0.0", false, shared)
	once(r.primary, "GET", "/bookshelf/", chefserver.ExpiredURL())
	r.primary.Faults().Add(chefserver.Fault{ // it vanishes once it was read
		Method: "GET", Path: regexp.MustCompile("/cookbooks/a/1.0.0"), Skip: 1, Effect: chefserver.Status(404, `{"error":["gone"]}`),
	})
	got, done := r.take(create("/cookbooks/a/1.0.0", "/cookbooks/b/1.0.0"))
	if len(got.Failed) > 0 || done.Created != 2 {
		t.Errorf("fetched %+v, applied %+v; want both", got, done)
	}
}

// TestStagedFilesAreNotDownloadedAgain, and are counted once.
func TestStagedFilesAreNotDownloadedAgain(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	paths := []string{"/cookbooks/app/1.0.0", "/cookbooks/app/1.1.0"}
	first, err := r.Fetch(t.Context(), create(paths...), quiet)
	if err != nil || first.Files != 4 || first.Bytes == 0 {
		t.Fatalf("first: %+v, %v", first, err)
	}
	again, err := r.Fetch(t.Context(), create(paths...), quiet)
	if err != nil || again.Files != 0 || again.Bytes != 0 || again.Staged != 2 {
		t.Errorf("again: %+v, %v; want no file", again, err)
	}
	if n := r.primary.Stats().Requests["GET /bookshelf/FILE"]; n != 4 {
		t.Errorf("%d downloads, want 4", n)
	}
}

// TestStagingLost: what Fetch staged is gone or damaged when Apply wants it.
func TestStagingLost(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("c", "1.0.0", false, map[string]string{"x": "x"})
	if _, err := r.Apply(t.Context(), "NONE", replicate.ApplyOptions{}, quiet); !errors.Is(err, staging.ErrNotFound) {
		t.Errorf("unknown batch: %v, want ErrNotFound", err)
	}
	f, err := r.Fetch(t.Context(), create(cookbook), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Staging.Purge(t.Context(), -time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, doubt := range []bool{false, true} {
		_, err = r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{Doubt: doubt}, quiet)
		if !errors.Is(err, staging.ErrNotFound) {
			t.Errorf("purged, doubt %v: %v, want ErrNotFound", doubt, err)
		}
	}
	r.take(create(cookbook))
	r.inSync()
}

// TestOneUploadPerFile: the server fails two uploads of one file at a time.
func TestOneUploadPerFile(t *testing.T) {
	r := newRig(t)
	large := strings.Repeat("same", 1<<20) // so that two uploads of it would meet
	for i := range 12 {
		r.write.Cookbook("c", fmt.Sprintf("1.%d.0", i), true, map[string]string{"LICENSE": large, "x": fmt.Sprint(i), "y": "same too"})
	}
	other := &replicate.Engine{
		Primary: r.Primary, Replica: r.replica.Client.WithOrganization("beta"), Staging: r.Staging, Uploads: r.Uploads,
	}
	if _, err := r.replica.CreateOrganization("beta", "Beta"); err != nil {
		t.Fatal(err)
	}
	if err := r.replica.AddMember("beta", harness.FastUser, true); err != nil {
		t.Fatal(err)
	}
	// The same pair once more, as after a lost heartbeat.
	twice := &replicate.Engine{Primary: r.Primary, Replica: r.Replica, Staging: r.Staging, Uploads: r.Uploads}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, e := range []*replicate.Engine{r.Engine, other, twice} {
		s, err := e.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f, err := e.Fetch(t.Context(), s.Writes, quiet)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			<-start
			done, err := e.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
			if err != nil || len(done.Failed) > 0 {
				t.Errorf("apply: %v, %s", err, reasons(done.Failed))
			}
		})
	}
	close(start)
	wg.Wait()
	stats := r.replica.Stats()
	if stats.MaxSameUpload != 1 || stats.Statuses[500] != 0 {
		t.Errorf("%d uploads of one file at a time, %d answers 500", stats.MaxSameUpload, stats.Statuses[500])
	}
	r.inSync()
	if c, err := other.Compare(t.Context(), quiet); err != nil || !c.Equal() {
		t.Errorf("the other organization: %v, %v", c.Differences, err)
	}
}

// TestSandboxLife: upload URLs that are too old, or of a clock that was set
// back, are not used.
func TestSandboxLife(t *testing.T) {
	for _, c := range []struct {
		age  time.Duration
		asks int
	}{{0, 1}, {9 * time.Minute, 1}, {11 * time.Minute, 2}, {-time.Minute, 2}} {
		r := newRig(t)
		r.write.Cookbook("c", "1.0.0", false, map[string]string{"x": "x"})
		now := time.Now()
		r.Now = func() time.Time { return now }
		f, err := r.Fetch(t.Context(), create(cookbook), quiet)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(c.age)
		done, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
		if err != nil || done.Files != 1 {
			t.Errorf("age %v: %+v, %v", c.age, done, err)
		}
		if n := r.replica.Stats().Requests["POST /organizations/ORG/sandboxes"]; n != c.asks {
			t.Errorf("age %v: %d sandboxes, want %d", c.age, n, c.asks)
		}
		r.inSync()
	}
}

// TestSandboxes: many files need several.
func TestSandboxes(t *testing.T) {
	r := newRig(t)
	files := map[string]string{}
	for i := range 11 {
		files[fmt.Sprintf("recipes/r%d.rb", i)] = fmt.Sprint(i)
	}
	r.write.Cookbook("c", "1.0.0", false, files)
	r.SetSandboxFiles(4)
	if _, done := r.take(create(cookbook)); done.Files != 11 {
		t.Errorf("applied %+v", done)
	}
	if n := r.replica.Stats().Requests["PUT /organizations/ORG/sandboxes/ID"]; n != 3 {
		t.Errorf("%d sandboxes were committed, want 3", n)
	}
	r.inSync()
}
