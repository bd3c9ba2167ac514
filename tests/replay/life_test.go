package replay

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// life is a pair that lives through what one version of the workflow is about: two
// in-process Chef servers, the activities, and a worker of the test, which knows the
// version, or an older one only.
type life struct {
	t                *testing.T
	c                client.Client
	primary, replica *harness.ChefServer
	write            *harness.Content
	late             *chefserver.Rule // refuses a write from the beginning
	old              bool             // the worker knows less than this code

	// What the workflow is started with, and its worker has.
	in        workflows.SyncInput
	limit     plan.DeleteLimit
	extras    bool // are deleted
	pageLimit int
}

// newLife is a life whose worker knows a version of the workflow up to the given
// number only; workflow.DefaultVersion = as if it were not there yet.
func newLife(t *testing.T, c client.Client, name string, most workflow.Version, old bool) *life {
	l := &life{t: t, c: c, old: old, limit: plan.DeleteLimit{Percent: 100}, pageLimit: 100}
	l.primary = harness.FastChef(t, chefserver.Options{Feed: true})
	l.replica = harness.FastChef(t, chefserver.Options{})
	l.write = harness.Write(t, l.primary.Client)
	l.in.Pair = object.Pair{Replica: fmt.Sprintf("recorded-%s-%d", name, most), Source: harness.Organization, Destination: harness.Organization}
	l.in.Options = workflows.Options{RetryFirst: time.Second, RetryMost: 12 * time.Second}
	return l
}

// begin starts the worker and the pair.
func (l *life) begin(known versions) {
	l.t.Helper()
	dir, err := os.MkdirTemp(l.t.TempDir(), "staging-") // nobody else's to read
	l.must(err)
	st, err := staging.Open(l.t.Context(), "file://"+dir)
	l.must(err)
	l.t.Cleanup(func() { _ = st.Close() })
	e := &replicate.Engine{Primary: l.primary.Client, Replica: l.replica.Client, Staging: st, Recreate: true, Uploads: &replicate.Uploads{}}
	conn := &activities.Connection{
		Engine: e, Feed: &feed.UpdatedSince{Primary: l.primary.Client, Scope: e.Scope}, DeleteLimit: l.limit, DeleteExtras: l.extras,
	}
	w := worker.New(l.c, workflows.TaskQueue(l.in.Pair.Replica), worker.Options{
		Identity: "recorder", Interceptors: []interceptor.WorkerInterceptor{&knower{known: known}},
	})
	workflows.RegisterWith(w, func() []string { return slices.Collect(maps.Keys(workflows.SearchAttributes())) })
	soon := activities.Backoff{First: time.Second, Most: time.Second}
	activities.Register(w, &activities.Activities{
		Connector: connector{conn}, Log: slog.New(slog.DiscardHandler),
		Settings: activities.Settings{PollInterval: 200 * time.Millisecond, PageLimit: l.pageLimit, Outage: soon, Refused: soon},
	})
	l.must(w.Start())
	l.t.Cleanup(w.Stop)
	_, err = l.c.ExecuteWorkflow(l.t.Context(), workflows.StartOptions(l.in.Pair, false), workflows.Name, l.in)
	l.must(err)
}

// connector is an activities.Connector of one pair.
type connector struct{ conn *activities.Connection }

func (c connector) Connect(context.Context, object.Pair) (*activities.Connection, error) {
	return c.conn, nil
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) signal(name string) {
	l.t.Helper()
	l.say(name, nil)
}

// say is signal with something to say.
func (l *life) say(name string, what any) {
	l.t.Helper()
	l.must(l.c.SignalWorkflow(l.t.Context(), l.in.Pair.WorkflowID(), "", name, what))
}

// compare has everything compared, the given time in this life.
func (l *life) compare(times int64) {
	l.t.Helper()
	l.signal(workflows.SignalForgetCursor)
	l.untilCompared(times)
	l.untilWell()
}

func (l *life) untilCompared(times int64) {
	l.t.Helper()
	l.until("compared again", func(s workflows.Status) bool { return s.Counters.Surveys == times })
}

// until waits for a state of the pair.
func (l *life) until(what string, is func(workflows.Status) bool) {
	l.t.Helper()
	var last workflows.Status
	harness.Until(l.t, what, func() bool {
		v, err := l.c.QueryWorkflow(l.t.Context(), l.in.Pair.WorkflowID(), "", workflows.QueryStatus)
		if err == nil {
			err = v.Get(&last)
		}
		return err == nil && is(last)
	}, func() string { return fmt.Sprintf("%+v\n%v", last, harness.Diff(l.t, l.primary, l.replica)) })
}

func (l *life) untilMode(m workflows.Mode) {
	l.t.Helper()
	l.until(string(m), func(s workflows.Status) bool { return s.Mode == m })
}

// untilWell waits until nothing is left to be done. An older worker may believe that
// of servers which differ.
func (l *life) untilWell() {
	l.t.Helper()
	l.until("well", func(s workflows.Status) bool {
		return s.Mode == workflows.ModeFollowing && s.Unsynced == 0 && (l.old || len(harness.Diff(l.t, l.primary, l.replica)) == 0)
	})
}

func (l *life) untilUnsynced(n int) {
	l.t.Helper()
	l.until(fmt.Sprint(n, " unsynced objects"), func(s workflows.Status) bool { return s.Unsynced == n })
}

// untilTrouble waits until the pair waits for what a fault does.
func (l *life) untilTrouble() {
	l.t.Helper()
	l.until("trouble", func(s workflows.Status) bool { return s.Trouble != "" })
}

// page changes the primary while the pair is stopped: one page has it all.
func (l *life) page(change func()) {
	l.t.Helper()
	l.signal(workflows.SignalStop)
	l.untilMode(workflows.ModeStopped)
	change()
	l.signal(workflows.SignalStart)
}

// fault breaks the replica.
func (l *life) fault(method, path string, e chefserver.Effect) *chefserver.Rule {
	return l.replica.Faults().Add(chefserver.Fault{Method: method, Path: harness.Path(path), Effect: e})
}

// refused is what one object meets, denied what the whole pair does.
func refused() chefserver.Effect { return chefserver.Status(413, `{"error":["too large"]}`) }
func denied() chefserver.Effect  { return chefserver.LicenceInvalid() }

func (l *life) roles(names ...string) {
	for _, name := range names {
		l.write.Role(name, "1")
	}
}

// asked remembers which versions workflows asked for, and what they were told.
type asked map[string]map[workflow.Version]bool

func (a asked) note(id string, v workflow.Version) {
	if a[id] == nil {
		a[id] = map[workflow.Version]bool{}
	}
	a[id][v] = true
}

// versions are the highest versions that a worker knows; it knows those that are not
// in it as this code does.
type versions map[string]workflow.Version

// knower has a worker know some versions only, hears which are asked for, and forces
// others upon workflows, as code would whose versions were taken away.
type knower struct {
	interceptor.WorkerInterceptorBase

	known, forced versions
	heard         func(id string, v workflow.Version)
}

func (k *knower) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &knowing{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, k: k}
}

type knowing struct {
	interceptor.WorkflowInboundInterceptorBase

	k *knower
}

func (i *knowing) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&knownVersions{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: out}, k: i.k})
}

type knownVersions struct {
	interceptor.WorkflowOutboundInterceptorBase

	k *knower
}

func (o *knownVersions) GetVersion(ctx workflow.Context, id string, least, most workflow.Version) (v workflow.Version) {
	if forced, ok := o.k.forced[id]; ok {
		return forced
	}
	switch known, ok := o.k.known[id]; {
	case !ok:
		v = o.Next.GetVersion(ctx, id, least, most)
	case known > workflow.DefaultVersion:
		v = o.Next.GetVersion(ctx, id, least, known)
	default: // code that has no such version does not ask
		v = workflow.DefaultVersion
	}
	if o.k.heard != nil {
		o.k.heard(id, v)
	}
	return v
}
