package activities

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/maintenance"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// Connection is what a worker needs to replicate one pair.
type Connection struct {
	Engine *replicate.Engine
	Feed   feed.Feed

	DeleteLimit  plan.DeleteLimit // what needs no operator's word
	DeleteExtras bool             // delete what only the replica has, in a full comparison

	// Maintenance is when the pair rests.
	Maintenance maintenance.Windows
}

// Connector knows the pairs of this worker and how to reach their servers.
// Connect must be cheap when called again: it is called by every activity.
// Returns an error that names the configuration if the pair is not in it.
type Connector interface {
	Connect(ctx context.Context, p object.Pair) (*Connection, error)
}

// Activities are the activities of one worker process.
type Activities struct {
	Connector Connector
	Log       *slog.Logger // required

	// HostQueue is the task queue that only processes with this one's staging store
	// serve; staged batches are applied there. "" if all workers share one store.
	HostQueue string

	Settings Settings

	// Webhook is told of what operators should hear; nil tells nobody.
	Webhook Poster

	// Now is the clock by which pairs rest; nil = time.Now.
	Now func() time.Time

	// Version is that of chef-sync, for reports.
	Version string

	polls sync.Map // the latest *poll by pair

	checks struct {
		mu sync.Mutex
		of map[object.Pair]verification
	}
}

// Settings are what an operator may tune; a zero field means its default.
type Settings struct {
	PollInterval time.Duration // between two polls; default 10 s
	PollHold     time.Duration // how long one Poll keeps polling before it waits; default 0
	PageLimit    int           // most changes in a page; default 1,000

	// PollWait is how long a feed that can wait for changes may do so even beyond
	// PollHold; an attempt then ends when the feed has answered. Default 0.
	PollWait time.Duration

	// PollBeat is how often a Poll reports that it lives; default 2 s. Where there
	// are very many pairs this is most of Temporal's work.
	PollBeat time.Duration

	// CheckEvery is how often servers are asked who they are while nothing changes;
	// default 1 minute.
	CheckEvery time.Duration

	// ReportDir is where verifications write their reports; "" = nowhere.
	ReportDir string

	// Outage is the waiting while a server is down, Refused while one refuses
	// us; the latter needs a person.
	Outage, Refused Backoff
}

// Defaults of [Settings].
const (
	DefaultPollInterval = 10 * time.Second
	DefaultPageLimit    = 1000
	DefaultCheckEvery   = time.Minute
)

func (s Settings) orDefault() Settings {
	if s.PollInterval <= 0 {
		s.PollInterval = DefaultPollInterval
	}
	if s.PageLimit <= 0 {
		s.PageLimit = DefaultPageLimit
	}
	if s.PollBeat <= 0 {
		s.PollBeat = beatEvery
	}
	if s.CheckEvery <= 0 {
		s.CheckEvery = DefaultCheckEvery
	}
	if s.Outage == (Backoff{}) {
		s.Outage = Backoff{First: 2 * time.Second, Most: time.Minute}
	}
	if s.Refused == (Backoff{}) {
		s.Refused = Backoff{First: 30 * time.Second, Most: 5 * time.Minute}
	}
	return s
}

// beatEvery is how often a working activity reports. Temporal gives a dead
// worker's activity to another after the heartbeat timeout, a multiple of this.
const beatEvery = 2 * time.Second

// beating calls say() and sends the result as a heartbeat, with what slows the
// servers of of(), again and again, until the returned stop is called.
func beating(ctx context.Context, of func() *Connection, say func() any) (stop func()) {
	return beatingEvery(ctx, beatEvery, of, say)
}

// beatingEvery is beating at another pace.
func beatingEvery(ctx context.Context, every time.Duration, of func() *Connection, say func() any) (stop func()) {
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-t.C:
				activity.RecordHeartbeat(ctx, beatOf(say(), of())...)
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// log is the log of a pair.
func (a *Activities) log(p object.Pair) *slog.Logger {
	return a.Log.With("org", p.Destination, "source", p.Source)
}

// connect finds the pair's connection; not finding it is a trouble of the pair, and
// while the pair rests the error is a [restError].
func (a *Activities) connect(ctx context.Context, p object.Pair) (*Connection, error) {
	c, err := a.Connector.Connect(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("organization %s: %w", p, err)
	}
	return c, a.resting(c)
}

// itself is c, for beating.
func (c *Connection) itself() *Connection { return c }

// connectTo is connect for what concerns certain servers only, if identities
// are given.
func (a *Activities) connectTo(ctx context.Context, p object.Pair, was object.Identities) (*Connection, error) {
	c, err := a.connect(ctx, p)
	if err != nil || was == (object.Identities{}) {
		return c, err
	}
	is, err := c.Engine.Identities(ctx)
	if err != nil {
		return nil, err
	}
	if why := changed(was, is); why != "" {
		return nil, fmt.Errorf("%w: %s", errOtherServer, why)
	}
	return c, nil
}
