// Package connect turns the configuration into connections: for each pair a
// client of both servers, the feed, and the engine. It is the one place that
// knows how chef-sync.rb, the Chef client, the feeds and staging fit together.
//
// Connections are made when they are first asked for and kept. A key or
// certificate that is replaced on disk is noticed at the next call, so that an
// operator who mends credentials need not restart anything.
package connect

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/pace"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// Connector is an [activities.Connector] over a configuration. Make one with
// New; its methods are safe for concurrent use.
type Connector struct {
	// Meter is told of requests, objects and files; nil means nobody is. Set it
	// before the first Connect.
	Meter Meter

	// Tracer is told of each request; nil means nobody is. Set it before the first
	// Connect.
	Tracer Tracer

	cfg     *config.Config
	staging *staging.Store
	log     *slog.Logger
	uploads replicate.Uploads
	paces   paces

	downloads replicate.Downloads

	mu    sync.Mutex
	sides map[string]*side
	pairs map[object.Pair]*pair
}

// side is one server, with the files that its client was made from.
type side struct {
	client *chef.Client
	files  string
}

// pair is a connection, with the clients that it was made from.
type pair struct {
	conn             *activities.Connection
	primary, replica *chef.Client
}

// New returns a connector for the pairs of cfg, which must not change any more.
func New(cfg *config.Config, st *staging.Store, log *slog.Logger) *Connector {
	return &Connector{
		cfg: cfg, staging: st, log: log, paces: newPaces(cfg), sides: map[string]*side{}, pairs: map[object.Pair]*pair{},
	}
}

// Connect returns the connection of a pair. No request is made. Returns
// [activities.ErrNotConfigured] if the configuration has no such pair, or a key
// of it cannot be read.
func (c *Connector) Connect(_ context.Context, p object.Pair) (*activities.Connection, error) {
	if have, ok := c.cfg.Pair(p.Destination); !ok || have != p {
		return nil, fmt.Errorf("%s has no such pair (organizations of master and replica), or names it otherwise: %w",
			c.cfg.File, activities.ErrNotConfigured)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	primary, err := c.client("master", c.cfg.Primary, c.paces.primary)
	if err != nil {
		return nil, err
	}
	replica, err := c.client("replica", c.cfg.Replica, c.paces.replica)
	if err != nil {
		return nil, err
	}
	if have := c.pairs[p]; have != nil && have.primary == primary && have.replica == replica {
		return have.conn, nil
	}
	conn := c.connection(p,
		c.logging(inOrganization(primary, c.cfg.Primary, p.Source), p, "master"),
		c.logging(inOrganization(replica, c.cfg.Replica, p.Destination), p, "replica"))
	c.pairs[p] = &pair{conn: conn, primary: primary, replica: replica}
	return conn, nil
}

// connection puts together what a pair needs.
func (c *Connector) connection(p object.Pair, primary, replica *chef.Client) *activities.Connection {
	set := c.cfg.Settings(p)
	engine := &replicate.Engine{
		Primary: primary, Replica: replica, Staging: c.staging,
		Wanted: set.Scope, Recreate: set.Thaw, Parallel: c.cfg.Parallel, Uploads: &c.uploads, Downloads: &c.downloads,
	}
	if c.Meter != nil {
		engine.Meter = pairMeter{c.Meter, p.Destination}
	}
	listing := &feed.Listing{
		Primary: primary, Store: c.staging, Owner: "feed/" + p.Replica + "/" + p.Destination,
		Scope: engine.Scope, DeepInterval: deepInterval(c.cfg.DeepInterval), Parallel: c.cfg.Parallel,
	}
	sequence := &feed.UpdatedSince{Primary: primary, Scope: engine.Scope}
	conn := &activities.Connection{
		Engine: engine, DeleteLimit: deleteLimit(set.DeleteLimit), DeleteExtras: set.Extras == config.ExtrasDelete,
		Maintenance: set.Maintenance,
	}
	switch c.cfg.Feed {
	case config.FeedListing:
		conn.Feed = listing
	case config.FeedUpdatedSince:
		conn.Feed = sequence
	default:
		conn.Feed = &feed.Auto{Sequence: sequence, Listing: listing}
	}
	return conn
}

// deleteLimit turns the configuration's none, which is 0, into the plan's.
func deleteLimit(l config.DeleteLimit) plan.DeleteLimit {
	out := plan.DeleteLimit{Percent: l.Percent, Objects: l.Objects}
	if out.Percent == 0 {
		out.Percent = plan.NoDeletes
	}
	if out.Objects == 0 {
		out.Objects = plan.NoDeletes
	}
	return out
}

// deepInterval keeps the configuration's zero, which means at every poll, apart
// from the feed's, which means the default.
func deepInterval(d time.Duration) time.Duration {
	return max(d, time.Nanosecond)
}

func inOrganization(c *chef.Client, s config.Server, org string) *chef.Client {
	if !s.HasOrganizations {
		return c
	}
	return c.WithOrganization(org)
}

// logging returns a client whose log names the pair.
func (c *Connector) logging(client *chef.Client, p object.Pair, name string) *chef.Client {
	return client.WithLogger(c.log.With("org", p.Destination, "source", p.Source, "side", name))
}

// notConfigured reads as its error, and is [activities.ErrNotConfigured] as well: what
// cannot be used is missing.
type notConfigured struct{ error }

func (e notConfigured) Unwrap() []error { return []error{e.error, activities.ErrNotConfigured} }

// client returns the client of one side, a new one if its files have changed.
func (c *Connector) client(name string, s config.Server, p *pace.Server) (*chef.Client, error) {
	files := fingerprint(s.KeyFile, s.TLS.CAFile, s.TLS.ClientCertFile, s.TLS.ClientKeyFile)
	if have := c.sides[name]; have != nil && have.files == files {
		return have.client, nil
	}
	client, err := newClient(c.cfg, s, p, c.log.With("side", name), c.onRequest(name))
	if err != nil {
		return nil, notConfigured{fmt.Errorf("%s %s: %w", name, s.URL, err)}
	}
	c.sides[name] = &side{client: client, files: files}
	return client, nil
}

// NewClient returns a client of one of the configuration's servers, outside any
// organization.
func NewClient(cfg *config.Config, s config.Server, log *slog.Logger) (*chef.Client, error) {
	return newClient(cfg, s, pace.New(limitsOf(cfg, s), pace.Clock{}), log, nil)
}

func newClient(cfg *config.Config, s config.Server, p *pace.Server, log *slog.Logger, onRequest func(context.Context, chef.RequestInfo)) (*chef.Client, error) {
	key, err := chef.ReadKey(s.KeyFile)
	if err != nil {
		return nil, err
	}
	return chef.New(chef.Options{
		URL: s.URL, User: s.User, Key: key, TLS: chef.TLSOptions(s.TLS), Header: s.Header,
		FileHosts: s.FileHosts, Parallel: cfg.Parallel, Pace: p, Logger: log, OnRequest: onRequest,
	})
}

// fingerprint changes when one of the files does.
func fingerprint(files ...string) string {
	out := ""
	for _, f := range files {
		if f == "" {
			continue
		}
		info, err := os.Stat(f)
		if err != nil {
			out += f + "?"
			continue
		}
		out += fmt.Sprintf("%s@%d:%d:%o ", f, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return out
}
