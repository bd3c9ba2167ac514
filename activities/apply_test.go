package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

func roles(action object.Action, names ...string) (out []object.Change) {
	for _, n := range names {
		out = append(out, change(action, "/roles/"+n))
	}
	return out
}

func (b *bench) fetch(changes []object.Change) FetchResult {
	b.t.Helper()
	got, err := run[FetchResult](b, b.acts.Fetch, FetchInput{Pair: pair, Changes: changes}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func (b *bench) apply(in ApplyInput, heartbeat any) (ApplyResult, error) {
	b.t.Helper()
	in.Pair = pair
	return run[ApplyResult](b, b.acts.Apply, in, heartbeat)
}

func TestFetchAndApply(t *testing.T) {
	b := newBench(t)
	b.write.Role("a", "1")
	b.write.Role("b", "1")
	got := b.fetch(append(roles(object.ActionCreate, "a", "b"), roles(object.ActionUpdate, "absent")...))
	if got.Staged != 2 || got.Batch == "" || got.Queue != "host" || len(got.Gone) != 1 {
		t.Fatalf("fetched %+v", got)
	}
	done, err := b.apply(ApplyInput{Batch: got.Batch}, nil)
	if diff := cmp.Diff(ApplyResult{Created: 2}, done); err != nil || diff != "" {
		t.Errorf("applied: %v\n%s", err, diff)
	}
	harness.CheckInSync(t, b.primary, b.replica)

	_, err = b.apply(ApplyInput{Batch: got.Batch}, nil)
	wantError(t, err, TypeStagingLost, false) // the batch is dropped when it is done
	if !IsStagingLost(err) || IsStagingLost(errors.New("x")) {
		t.Error("IsStagingLost does not know it")
	}
	done, err = b.apply(ApplyInput{Deletes: []object.Ref{object.MustRef("/roles/a"), object.MustRef("/roles/absent")}}, nil)
	if diff := cmp.Diff(ApplyResult{Deleted: 2}, done); err != nil || diff != "" {
		t.Errorf("deleted: %v\n%s", err, diff)
	}
}

// TestApplySkipsWhatTheHeartbeatHolds, and no more than that.
func TestApplySkipsWhatTheHeartbeatHolds(t *testing.T) {
	for name, heartbeat := range map[string]any{
		"refs": []object.Ref{object.MustRef("/roles/a")}, "of another version": map[string]int{"done": 3}, "none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write.Role("a", "1")
			b.write.Role("b", "1")
			got := b.fetch(roles(object.ActionCreate, "a", "b"))
			want := 2
			if name == "refs" {
				want = 1
			}
			if done, err := b.apply(ApplyInput{Batch: got.Batch}, heartbeat); err != nil || done.Created != want {
				t.Errorf("%+v, %v; want %d created", done, err, want)
			}
			onReplica := harness.Write(t, b.replica.Client)
			onReplica.Role("a", "1")
			onReplica.Role("b", "1")
			in := ApplyInput{Deletes: []object.Ref{object.MustRef("/roles/a"), object.MustRef("/roles/b")}}
			if done, err := b.apply(in, heartbeat); err != nil || done.Deleted != want {
				t.Errorf("%+v, %v; want %d deleted", done, err, want)
			}
		})
	}
}

// TestSecondAttemptDoubts: the first one wrote an object, did not get to say so,
// and met an outage. The second compares and does not write again.
func TestSecondAttemptDoubts(t *testing.T) {
	b := newBench(t)
	b.conn.Engine.Parallel = 1
	paths := roles(object.ActionUpdate, "a", "b", "c")
	onReplica := harness.Write(t, b.replica.Client)
	for _, c := range paths {
		onReplica.Role(c.Ref.Name, "old")
		b.write.Role(c.Ref.Name, "new")
	}
	got := b.fetch(paths)
	b.replica.ResetStats()
	b.replica.Faults().Add(chefserver.Fault{ // the outage begins with the answer to the first write
		Count: 1, Method: "PUT", Effect: chefserver.CutAfter(),
	})
	b.replica.Faults().Add(chefserver.Fault{Skip: 1, Count: 7, Effect: chefserver.Status(503, `{}`)})

	env := quiet().NewTestWorkflowEnvironment()
	harness.Patient(env, worker.Options{})
	env.RegisterActivity(b.acts.Apply)
	attempts := 0
	env.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { attempts++ })
	env.ExecuteWorkflow(func(ctx workflow.Context) (out ApplyResult, err error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
		})
		err = workflow.ExecuteActivity(ctx, b.acts.Apply, ApplyInput{Pair: pair, Batch: got.Batch}).Get(ctx, &out)
		return out, err
	})
	var done ApplyResult
	if err := env.GetWorkflowResult(&done); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ApplyResult{Updated: 2, Equal: 1}, done); diff != "" {
		t.Errorf("after %d attempts (-want +got):\n%s", attempts, diff)
	}
	for path, n := range b.replica.Stats().Writes {
		if n != 1 {
			t.Errorf("%s was written %d times", path, n)
		}
	}
	harness.CheckInSync(t, b.primary, b.replica)
}

// TestClasses: what ends an activity, and what is asked of Temporal for it.
func TestClasses(t *testing.T) {
	for _, c := range []struct {
		name   string
		effect chefserver.Effect
		kind   string
		retry  bool
		key    string
	}{
		{"401", chefserver.Status(401, `{"error":["no"]}`), TypePair, false, "pair/401"},
		{"HTML", chefserver.HTMLPage(), TypePair, false, "pair/200"},
		{"organization", chefserver.Status(404, `{"error":["organization 'acme' does not exist."]}`), TypePair, false, "pair/404"},
		{"licence", chefserver.LicenceInvalid(), TypePair, false, "pair/403"},
		{"500", chefserver.Status(500, `{}`), TypeUnavailable, true, "retry"},
		{"cut", chefserver.CutBefore(), TypeUnavailable, true, "retry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.write.Role("a", "1")
			got := b.fetch(roles(object.ActionCreate, "a"))
			fault(b.replica, "", "", c.effect)
			_, err := b.apply(ApplyInput{Batch: got.Batch}, nil)
			wantError(t, err, c.kind, c.retry)
			if trouble := TroubleOf(err); trouble.Key != c.key || !strings.Contains(trouble.Message, "replica: POST") {
				t.Errorf("trouble %+v, want key %s", trouble, c.key)
			}
			_, err = run[FetchResult](b, b.acts.Fetch, FetchInput{Pair: pair, Changes: roles(object.ActionUpdate, "a")}, nil)
			wantError(t, err, c.kind, c.retry)
		})
	}
}

func TestAsTemporal(t *testing.T) {
	if asTemporal(nil) != nil {
		t.Error("nil became an error")
	}
	for _, c := range []struct {
		err   error
		kind  string
		retry bool
	}{
		{staging.ErrNotFound, TypeStagingLost, false},
		{staging.ErrCorrupt, TypeStagingLost, false},
		{replicate.ErrDenied, TypePair, false},
		{ErrNotConfigured, TypePair, false},
		{chef.ErrNotChef, TypePair, false},
		{&chef.APIError{Err: chef.ErrLicense}, TypePair, false},
		{chef.ErrFrozen, TypePair, false}, // of something that all objects need
		{errors.New("disk full"), TypeUnavailable, true},
	} {
		wantError(t, asTemporal(errors.Join(errors.New("context"), c.err)), c.kind, c.retry)
	}
	late := &chef.APIError{Status: 503, RetryAfter: 40 * time.Second}
	if app := wantError(t, asTemporal(late), TypeUnavailable, true); app.NextRetryDelay() != 40*time.Second {
		t.Errorf("next attempt after %v, want as the server asked", app.NextRetryDelay())
	}
	late.RetryAfter = 7 * time.Minute // a batch that waited so long could not be stopped
	wantError(t, asTemporal(late), TypePair, false)
	if app := wantError(t, asTemporalLater(late), TypeUnavailable, true); app.NextRetryDelay() != 7*time.Minute {
		t.Errorf("a verification: next attempt after %v, want as the server asked", app.NextRetryDelay())
	}
	wantError(t, asTemporalLater(replicate.ErrDenied), TypePair, false)
	if got := TroubleOf(errors.New("plain")); got != (Trouble{Key: "activity", Message: "plain"}) {
		t.Errorf("trouble of a plain error: %+v", got)
	}
	full := fmt.Errorf("stage batch: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	if got := TroubleOf(asTemporal(full)); !strings.Contains(got.Hint, "make room") || !strings.Contains(got.Message, "no space left") {
		t.Errorf("trouble of a full disk: %+v", got)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{First: 2 * time.Second, Most: time.Minute}
	for n, want := range map[int]time.Duration{
		-1: 2, 0: 2, 1: 2, 2: 4, 3: 8, 4: 16, 5: 32, 6: 60, 7: 60, 100: 60, 1 << 30: 60,
	} {
		if got := b.After(n); got != want*time.Second {
			t.Errorf("after %d: %v, want %v", n, got, want*time.Second)
		}
	}
	if got := (Backoff{First: time.Hour}).After(3); got != time.Hour {
		t.Errorf("without a most: %v, want the first", got)
	}
	if got := (Backoff{First: time.Second, Most: 1 << 62}).After(200); got <= 0 {
		t.Errorf("overflow: %v", got)
	}
}

// TestNoSecrets: nothing that Temporal stores holds a body, whatever happens.
func TestNoSecrets(t *testing.T) {
	const secret = "hunter2-do-not-tell"
	b := newBench(t)
	var seen []string
	see := func(v any, err error) {
		raw, _ := json.Marshal(v)
		seen = append(seen, string(raw))
		if err != nil {
			trouble, _ := json.Marshal(TroubleOf(err))
			seen = append(seen, err.Error(), string(trouble))
		}
	}
	b.feed.next = func(object.Cursor, feed.NextOptions) (feed.Page, error) {
		return feed.Page{Next: at("8"), Changes: []object.Change{change(object.ActionUpdate, "/data/b/i")}}, nil
	}
	changes := []object.Change{}
	for _, p := range []string{"/data/b", "/cookbooks/c/1.0.0", "/data/b/i", "/roles/r", "/environments/e"} {
		changes = append(changes, change(object.ActionUpdate, p))
	}
	b.write.Bag("b")
	harness.Write(t, b.replica.Client).Bag("b")
	for _, round := range []string{"refused POST", "POST", "refused PUT", "PUT"} {
		b.write.Item("b", "i", secret+round)
		b.write.Role("r", secret+round)
		b.write.Environment("e", secret+round)
		b.write.Cookbook("c", "1.0.0", false, map[string]string{"x": secret + round})
		if strings.HasPrefix(round, "refused") {
			for _, method := range []string{"POST", "PUT"} {
				fault(b.replica, method, "/(roles|environments|data)", chefserver.Status(400, `{"error":["Invalid value '`+secret+round+`' for key v"]}`))
			}
		}
		see(b.poll(PollInput{Cursor: at("7")}, nil))
		see(b.poll(PollInput{}, nil))
		got := b.fetch(changes)
		see(got, nil)
		done, err := b.apply(ApplyInput{Batch: got.Batch}, nil)
		see(done, err)
		if want := strings.HasPrefix(round, "refused"); want != (len(done.Failed) == 3) {
			t.Errorf("%s: %+v, %v", round, done, err)
		}
		b.replica.Faults().Clear()
	}
	all := strings.Join(append(seen, b.beats...), "\n") + b.log.String()
	if !strings.Contains(all, "/data/b/i") || !strings.Contains(all, "400") {
		t.Fatalf("the test saw nothing: %s", all)
	}
	for _, word := range []string{secret, "X-Amz-Signature", "X-Ops-Authorization"} {
		if strings.Contains(all, word) {
			t.Errorf("%s stands in what Temporal stores:\n%s", word, all)
		}
	}
}
