package activities

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/tests/harness"
)

var pair = object.Pair{Replica: "sync", Source: "acme", Destination: "acme"}

// at is a cursor of the fake feed.
func at(position string) object.Cursor { return object.Cursor{Feed: "fake", Position: position} }

// fakeFeed answers what a test says.
type fakeFeed struct {
	next  func(object.Cursor, feed.NextOptions) (feed.Page, error)
	heads int
}

func (f *fakeFeed) Name() string { return "fake" }

func (f *fakeFeed) Head(context.Context) (object.Cursor, error) { f.heads++; return at("head"), nil }

func (f *fakeFeed) Next(_ context.Context, c object.Cursor, o feed.NextOptions) (feed.Page, error) {
	if f.next == nil {
		return feed.Page{Next: c}, nil
	}
	return f.next(c, o)
}

// bench is two servers, a fake feed, and the activities over them.
type bench struct {
	t                *testing.T
	primary, replica *harness.ChefServer
	write            *harness.Content // to the primary
	feed             *fakeFeed
	conn             *Connection
	connectErr       error
	acts             *Activities
	log              strings.Builder

	beats []string // JSON of all heartbeats and results
	mu    sync.Mutex
}

func (b *bench) Connect(context.Context, object.Pair) (*Connection, error) {
	return b.conn, b.connectErr
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, primary: harness.FastChef(t, chefserver.Options{}), replica: harness.FastChef(t, chefserver.Options{}), feed: &fakeFeed{}}
	st, err := staging.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	b.write = harness.Write(t, b.primary.Client)
	b.conn = &Connection{Feed: b.feed, Engine: &replicate.Engine{
		Primary: b.primary.Client, Replica: b.replica.Client, Staging: st, Uploads: &replicate.Uploads{},
	}}
	b.acts = &Activities{Connector: b, Log: slog.New(slog.NewTextHandler(&b.log, nil)), HostQueue: "host"}
	return b
}

// quiet is a suite that logs nothing.
func quiet() *testsuite.WorkflowTestSuite {
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return suite
}

// env is an activity environment; details are the heartbeat of an earlier
// attempt, nil = none.
func (b *bench) env(details any) *testsuite.TestActivityEnvironment {
	env := quiet().NewTestActivityEnvironment()
	for _, f := range []any{b.acts.Poll, b.acts.Fetch, b.acts.Apply} {
		env.RegisterActivity(f)
	}
	if details != nil {
		env.SetHeartbeatDetails(details)
	}
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var raw json.RawMessage
		if err := details.Get(&raw); err != nil {
			b.t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.beats = append(b.beats, string(raw))
	})
	return env
}

// beat is the last heartbeat of a Poll.
func (b *bench) beat() (out Beat) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.beats) == 0 {
		b.t.Fatal("no heartbeat")
	}
	if err := json.Unmarshal([]byte(b.beats[len(b.beats)-1]), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// run executes an activity.
func run[R any](b *bench, f, in, details any) (out R, err error) {
	b.t.Helper()
	v, err := b.env(details).ExecuteActivity(f, in)
	if err == nil {
		err = v.Get(&out)
	}
	return out, err
}

func (b *bench) poll(in PollInput, beat *Beat) (PollResult, error) {
	b.t.Helper()
	in.Pair = pair
	var details any
	if beat != nil {
		details = *beat
	}
	return run[PollResult](b, b.acts.Poll, in, details)
}

// page polls, which has to bring a result.
func (b *bench) page(in PollInput) PollResult {
	b.t.Helper()
	out, err := b.poll(in, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) ids() object.Identities {
	b.t.Helper()
	ids, err := b.conn.Engine.Identities(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return ids
}

// wantError checks an activity's application error and returns it.
func wantError(t *testing.T, err error, kind string, retryable bool) *temporal.ApplicationError {
	t.Helper()
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != kind || app.NonRetryable() == retryable {
		t.Fatalf("error %v, want type %s, retryable %v", err, kind, retryable)
	}
	return app
}

// wantAgain checks that a Poll asks for another attempt after about d.
func wantAgain(t *testing.T, err error, kind string, d time.Duration) *temporal.ApplicationError {
	t.Helper()
	app := wantError(t, err, kind, true)
	if app.Category() != temporal.ApplicationErrorCategoryBenign {
		t.Errorf("%v: category %v, want benign", err, app.Category())
	}
	if got := app.NextRetryDelay(); got < d*89/100 || got > d*111/100 {
		t.Errorf("%v: next attempt after %v, want about %v", err, got, d)
	}
	return app
}

func fault(s *harness.ChefServer, method, path string, e chefserver.Effect) *chefserver.Rule {
	return s.Faults().Add(chefserver.Fault{Method: method, Path: regexp.MustCompile(path), Effect: e})
}
