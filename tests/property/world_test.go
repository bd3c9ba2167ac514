package property

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// world is two servers, the worker between them, and who watches. The servers are
// made once and emptied for each history.
type world struct {
	t                 *testing.T
	primary, replica  *harness.ChefServer
	pclient, rclient  *chef.Client // the worker's, watched
	pempty, rempty    *chefserver.Backup
	in                history
	shadow            *shadow
	extras            map[string]bool // what only the replica had in the beginning
	mu                sync.Mutex
	worker            *process
	hooks             []hook
	crashes           []crash
	requests, started int
	log               []string
}

// process is what the process of a worker holds: it is lost with it.
type process struct {
	*activities.Activities
	conn    *activities.Connection
	staging *staging.Store
	kill    func() // ends what is under way; nil
	killAt  int    // counted in requests
}

// hook is a change of the primary in the middle of the worker's work.
type hook struct {
	at int // counted in requests
	op op
}

// crash is how an activity ends, counted from the next one that starts.
type crash struct {
	at  int
	how int // 0 = before it began, 1 = when it is done, else after so many requests
}

func newWorld(t *testing.T) *world {
	w := &world{t: t}
	w.primary = harness.FastChef(t, chefserver.Options{Feed: true})
	w.replica = harness.FastChef(t, chefserver.Options{ConcurrentUploadFails: true})
	w.pclient = harness.Through(t, w.primary, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.shadow.watchPrimary(next).ServeHTTP(rw, r) })
	})
	w.rclient = harness.Through(t, w.replica, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.shadow.watchReplica(next).ServeHTTP(rw, r) })
	})
	var err error
	if w.pempty, err = w.primary.Backup(harness.Organization); err != nil {
		t.Fatal(err)
	}
	if w.rempty, err = w.replica.Backup(harness.Organization); err != nil {
		t.Fatal(err)
	}
	return w
}

// begin empties the servers and fills them with how a history begins.
func (w *world) begin(in history) error {
	w.in, w.hooks, w.crashes, w.requests, w.started, w.log = in, nil, nil, 0, 0, nil
	for s, b := range map[*harness.ChefServer]*chefserver.Backup{w.primary: w.pempty, w.replica: w.rempty} {
		s.Faults().Clear()
		if err := s.RestoreBackup(harness.Organization, b); err != nil {
			return err
		}
	}
	for _, o := range in.Extras {
		ops[o.What%len(ops)].do(w.t.Context(), w.replica.Client, o)
	}
	w.shadow = newShadow(w)
	for _, o := range in.Before {
		o.do(w)
	}
	w.extras = map[string]bool{}
	for path := range w.snapshot(w.replica).Objects {
		w.extras[path] = true
	}
	return w.restart(true)
}

// restart is a new worker process, on another disk if the old one is lost.
func (w *world) restart(lost bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var st *staging.Store
	if old := w.worker; old != nil {
		if old.kill != nil {
			old.kill()
		}
		if st = old.staging; lost {
			_ = st.Close()
		}
	}
	if st == nil || lost {
		dir, err := os.MkdirTemp(w.t.TempDir(), "staging-")
		if err != nil {
			return err
		}
		if st, err = staging.Open(w.t.Context(), "file://"+dir); err != nil {
			return err
		}
	}
	e := &replicate.Engine{
		Primary: w.pclient, Replica: w.rclient, Staging: st, Recreate: true, Uploads: &replicate.Uploads{}, Parallel: w.in.parallel(),
	}
	c := &activities.Connection{Engine: e, DeleteExtras: w.in.DeleteExtras, DeleteLimit: w.in.limit()}
	if c.Feed = (&feed.UpdatedSince{Primary: w.pclient, Scope: e.Scope}); w.in.Listing {
		c.Feed = &feed.Listing{
			Primary: w.pclient, Store: st, Owner: "feed", Scope: e.Scope, DeepInterval: time.Nanosecond, Parallel: w.in.parallel(),
		}
	}
	w.worker = &process{conn: c, staging: st}
	w.worker.Activities = &activities.Activities{
		Connector: w.worker, Log: slog.New(slog.DiscardHandler), Settings: activities.Settings{PageLimit: w.in.pageLimit()},
	}
	return nil
}

// Connect implements activities.Connector.
func (k *process) Connect(context.Context, object.Pair) (*activities.Connection, error) {
	return k.conn, nil
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

// request counts a request of the worker, and lets happen what waits for it.
func (w *world) request() {
	w.mu.Lock()
	w.requests++
	var due []op
	w.hooks = slices.DeleteFunc(w.hooks, func(h hook) bool {
		if h.at <= w.requests {
			due = append(due, h.op)
		}
		return h.at <= w.requests
	})
	if k := w.worker; k.kill != nil && w.requests >= k.killAt {
		k.kill()
		k.kill = nil
	}
	w.mu.Unlock()
	for _, o := range due {
		w.note("in the middle: %s", o)
		o.do(w)
	}
}

// attempt runs an activity, or a part of it.
func attempt[In, Out any](ctx context.Context, w *world, name string, in In, run func(*process) func(context.Context, In) (Out, error)) (out Out, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	how, k := -1, w.worker
	w.started++
	w.crashes = slices.DeleteFunc(w.crashes, func(c crash) bool {
		if c.at <= w.started {
			how = c.how
		}
		return c.at <= w.started
	})
	if how > 1 {
		k.kill, k.killAt = cancel, w.requests+how-1
	}
	w.mu.Unlock()
	died := temporal.NewApplicationError("the worker died in "+name, "Died")
	if how == 0 {
		w.note("%s: crash at once", name)
		return out, died
	}
	out, err = run(k)(ctx, in)
	if ctx.Err() != nil || how == 1 {
		w.note("%s: crash (%d)", name, how)
		var none Out
		return none, died
	}
	return out, err
}

func (w *world) poll(ctx context.Context, in activities.PollInput) (activities.PollResult, error) {
	at := w.shadow.changes()
	out, err := attempt(ctx, w, "Poll", in, func(k *process) func(context.Context, activities.PollInput) (activities.PollResult, error) {
		return k.Poll
	})
	if err == nil {
		w.note("Poll %s: %v, then %s; reset %q, trouble %+v", in.Cursor, out.Changes, out.Cursor, out.Reset, out.Trouble)
		if len(out.Changes) > 0 {
			w.shadow.polled(at)
		}
	}
	return out, err
}

func (w *world) fetch(ctx context.Context, in activities.FetchInput) (activities.FetchResult, error) {
	out, err := attempt(ctx, w, "Fetch", in, func(k *process) func(context.Context, activities.FetchInput) (activities.FetchResult, error) {
		return k.Fetch
	})
	w.note("Fetch %v: %d staged as %s, %d equal, gone %v, failed %v, %v", in.Changes, out.Staged, out.Batch, out.Equal, out.Gone, out.Failed, err)
	w.shadow.failed(out.Failed)
	return out, err
}

func (w *world) apply(ctx context.Context, in activities.ApplyInput) (activities.ApplyResult, error) {
	out, err := attempt(ctx, w, "Apply", in, func(k *process) func(context.Context, activities.ApplyInput) (activities.ApplyResult, error) {
		return k.Apply
	})
	w.note("Apply %s, delete %v: %+v, %v", in.Batch, in.Deletes, out, err)
	w.shadow.failed(out.Failed)
	return out, err
}

// differences compares the servers past their APIs. keep says that the replica may
// have what the primary lost.
func (w *world) differences(keep bool) []string {
	p, r := w.snapshot(w.primary).Objects, w.snapshot(w.replica)
	var out []string
	for _, path := range slices.Sorted(maps.Keys(p)) {
		if aside(path) || hollow(path, p) {
			continue
		}
		if got, ok := r.Objects[path]; !ok {
			out = append(out, path+": missing")
		} else if got != p[path] {
			out = append(out, fmt.Sprintf("%s:\n\tprimary %s\n\treplica %s", path, p[path], got))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r.Objects)) {
		_, ok := p[path]
		switch {
		case ok || aside(path) || hollow(path, r.Objects):
		case strings.Contains(path, placeholder):
			out = append(out, path+": left behind")
		case w.in.DeleteExtras, !keep && !w.extras[path]:
			out = append(out, path+": too much")
		}
	}
	for path, v := range r.Cookbooks {
		if !v.Complete() {
			out = append(out, path+": incomplete")
		}
	}
	if w.in.DeleteExtras {
		return out
	}
	for path := range w.extras {
		_, policy, pointer := strings.Cut(path, "/policies/")
		if pointer && w.shadow.had["/policies/"+policy] {
			continue // it goes with a revision that is made anew
		}
		if _, ok := r.Objects[path]; !ok && !w.shadow.had[path] && !w.shadow.had[parent(path)] {
			out = append(out, path+": was only on the replica, and is gone")
		}
	}
	return out
}

// hollow reports whether an object is a policy without revisions. Servers do not
// list it, so that a full comparison takes it for gone, and a feed does not.
func hollow(path string, objects map[string]string) bool {
	if !strings.HasPrefix(path, "/policies/") || strings.Contains(path, "/revisions/") {
		return false
	}
	for other := range objects {
		if strings.HasPrefix(other, path+"/revisions/") {
			return false
		}
	}
	return true
}

// parent is what an object goes with.
func parent(path string) string {
	word := strings.Split(path, "/")
	return strings.Join(word[:min(len(word), 3)], "/")
}

// aside reports whether an object is of no default kind.
func aside(path string) bool {
	for _, kind := range []string{"/clients/", "/groups/", "/containers/", "/nodes/"} {
		if strings.HasPrefix(path, kind) {
			return true
		}
	}
	return false
}
