package replicate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// rig is two servers and an engine between them.
type rig struct {
	t                *testing.T
	primary, replica *harness.ChefServer
	*replicate.Engine
	write *harness.Content // to the primary
}

func newRig(t *testing.T) *rig {
	t.Helper()
	p := harness.Chef(t, chefserver.Options{ConcurrentUploadFails: true})
	r := harness.Chef(t, chefserver.Options{ConcurrentUploadFails: true})
	st, err := staging.Open(t.Context(), "file://"+t.TempDir()+"/staging")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return &rig{t: t, primary: p, replica: r, write: harness.Write(t, p.Client), Engine: &replicate.Engine{
		Primary: p.Client, Replica: r.Client, Staging: st, Uploads: &replicate.Uploads{},
	}}
}

func quiet(object.Ref) {}

// sync does a full comparison and writes what differs, in the order of a plan.
func (r *rig) sync() (got replicate.Fetched, done replicate.Applied) {
	r.t.Helper()
	s, err := r.Survey(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return r.take(s.Writes)
}

// take fetches and applies changes.
func (r *rig) take(changes []object.Change) (got replicate.Fetched, done replicate.Applied) {
	r.t.Helper()
	for _, b := range plan.Batches(plan.Coalesce(changes), plan.Limits{}) {
		f, err := r.Fetch(r.t.Context(), b.Changes, quiet)
		if err != nil {
			r.t.Fatalf("fetch: %v", err)
		}
		got.Staged, got.Equal, got.Files = got.Staged+f.Staged, got.Equal+f.Equal, got.Files+f.Files
		got.Failed, got.Gone = append(got.Failed, f.Failed...), append(got.Gone, f.Gone...)
		if f.Batch == "" {
			continue
		}
		a, err := r.Apply(r.t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
		if err != nil {
			r.t.Fatalf("apply: %v", err)
		}
		done.Created, done.Updated, done.Equal = done.Created+a.Created, done.Updated+a.Updated, done.Equal+a.Equal
		done.Files += a.Files
		done.Failed = append(done.Failed, a.Failed...)
	}
	return got, done
}

func (r *rig) inSync() {
	r.t.Helper()
	harness.CheckInSync(r.t, r.primary, r.replica)
	c, err := r.Compare(r.t.Context(), quiet)
	if err != nil {
		r.t.Fatal(err)
	}
	if !c.Equal() {
		r.t.Errorf("Compare says the servers differ: %v", c.Differences)
	}
}

func TestBootstrapMakesEqualAndRepeatsWithoutWriting(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	got, done := r.sync()
	if len(got.Failed)+len(done.Failed) > 0 {
		t.Fatalf("failures: %v %v", got.Failed, done.Failed)
	}
	if got.Staged != 16 || done.Created != 16 || done.Files != 4 {
		t.Errorf("staged %d, created %d, files %d; want 16, 16, 4", got.Staged, done.Created, done.Files)
	}
	r.inSync()

	r.replica.ResetStats()
	got, done = r.sync()
	if got.Staged != 0 || got.Equal != 16 {
		t.Errorf("second time: staged %d, equal %d; want 0, 16", got.Staged, got.Equal)
	}
	if diff := cmp.Diff(replicate.Applied{}, done); diff != "" {
		t.Errorf("second time wrote: %s", diff)
	}
	if n := r.replica.Stats().WriteTotal(); n != 0 {
		t.Errorf("second time: %d objects written, want 0", n)
	}
}
