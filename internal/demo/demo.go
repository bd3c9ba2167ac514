// Package demo shows replication in one process with nothing installed: two
// in-process Chef servers, the embedded Temporal server with its Web UI, and the
// daemon of package daemon between them, configured by a chef-sync.rb like any
// other. Only the servers are not real; see package chefserver.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
	"github.com/chef-sync/chef-sync/internal/daemon"
	"github.com/chef-sync/chef-sync/internal/demo/sample"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/internal/temporalserver"
	"github.com/chef-sync/chef-sync/workflows"
)

// Organization is the organization that the demo replicates.
const Organization = "acme"

// Options are the arguments of [Run].
type Options struct {
	// Once ends the demo after the first synchronization.
	Once bool

	// Dir keeps the demo's files; "" is a temporary directory that is removed.
	Dir string

	// ChangeEvery is the pause between changes of the primary; 0 = 4 s.
	ChangeEvery time.Duration

	Out io.Writer
	Log *slog.Logger
}

// ErrDiffer says that the servers were not equal after the first
// synchronization.
var ErrDiffer = errors.New("the two servers differ")

// ownDir makes a directory that only we may read, unless it is there, and returns
// its absolute path.
func ownDir(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the demo's directory: %w", err)
	}
	return filepath.Abs(dir)
}

// Run runs the demo until ctx ends or, with Once, until the servers have been
// compared. Returns [ErrDiffer] if they are not equal.
func Run(ctx context.Context, o Options) (err error) {
	if o.ChangeEvery <= 0 {
		o.ChangeEvery = 4 * time.Second
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "chef-sync-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.Dir)
	} else if o.Dir, err = ownDir(o.Dir); err != nil {
		return err
	}
	d := &demo{Options: o}
	defer d.close()
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.load(ctx); err != nil {
		return err
	}
	if err := d.bootstrap(ctx); err != nil {
		return err
	}
	equal, err := d.compare(ctx)
	if err != nil {
		return err
	}
	if !equal {
		return ErrDiffer
	}
	if o.Once {
		return nil
	}
	d.next()
	return d.churn(ctx)
}

// demo is a running demo.
type demo struct {
	Options
	say     printer
	servers *servers
	cfg     *config.Config
	daemon  *daemon.Daemon
	store   *staging.Store
	engine  *replicate.Engine
	pair    object.Pair
}

// start brings up the servers and the daemon.
func (d *demo) start(ctx context.Context) error {
	d.say = printer{d.Out}
	d.say.step("Starting two Chef servers (in this process)")
	var err error
	if d.servers, err = startServers(ctx, d.Dir); err != nil {
		return err
	}
	d.say.fact("primary", d.servers.primary.url)
	d.say.fact("replica", d.servers.replica.url)
	if d.cfg, err = d.configure(); err != nil {
		return err
	}
	d.say.fact("chef-sync.rb", d.cfg.File)

	d.say.step("Starting Temporal, its Web UI, and the worker (in this process)")
	if d.daemon, err = daemon.Start(ctx, daemon.Options{Config: d.cfg, Log: d.Log}); err != nil {
		return err
	}
	d.say.fact("Temporal", d.daemon.Address())
	d.say.fact("Web UI", d.daemon.UIURL())

	d.pair, _ = d.cfg.Pair(Organization)
	if d.store, err = staging.Open(ctx, "mem://"); err != nil {
		return err
	}
	conn, err := connect.New(d.cfg, d.store, d.Log).Connect(ctx, d.pair)
	if err != nil {
		return err
	}
	d.engine = conn.Engine
	return nil
}

// configure writes the chef-sync.rb of the demo and reads it back.
func (d *demo) configure() (*config.Config, error) {
	port, uiPort := 0, 0
	if free(temporalserver.DefaultPort) && free(temporalserver.DefaultUIPort) {
		port, uiPort = temporalserver.DefaultPort, temporalserver.DefaultUIPort
	}
	file := filepath.Join(d.Dir, "chef-sync.rb")
	text := fmt.Sprintf(`# Written by the demo. Yours goes to %s.
role    :replica
master  '%s'
replica '%s'
organizations [ { :source => '%s', :destination => '%s' } ]

poll_interval 1

ec_sync_client['sync_user'] = '%s'
ec_sync_client['sync_key']  = '%s'
ec_sync_client['dir']       = '%s'
ec_sync_client['log_directory'] = '%s'

temporal['port']    = %d
temporal['ui_port'] = %d
`, config.DefaultFile, d.servers.primary.url, d.servers.replica.url, Organization, Organization,
		syncUser, d.servers.keyFile, filepath.Join(d.Dir, "data"), filepath.Join(d.Dir, "log"), port, uiPort)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return config.Load(file)
}

// free reports whether a loopback port can be had.
func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// load fills the primary.
func (d *demo) load(ctx context.Context) error {
	d.say.step("Loading a sample organization into the primary")
	bar := newBar(d.Out, "loaded")
	defer bar.done()
	return sample.Load(ctx, d.engine.Primary, bar.set)
}

// bootstrap starts the SyncWorkflow and waits for the first synchronization.
func (d *demo) bootstrap(ctx context.Context) error {
	d.say.step("Starting the SyncWorkflow %s", d.pair.WorkflowID())
	_, err := d.daemon.Client().ExecuteWorkflow(ctx, workflows.StartOptions(d.pair, true),
		workflows.Name, workflows.SyncInput{Pair: d.pair, Options: workflows.Options{SearchAttributes: true}})
	if err != nil {
		return err
	}
	bar := newBar(d.Out, "compared")
	var last workflows.Status
	err = d.until(ctx, func(s workflows.Status) bool {
		last = s
		if s.Survey != nil {
			bar.set(s.Survey.Offset, s.Survey.Total)
		}
		c := s.Counters
		bar.note("%d created, %d files", c.Created, c.Files)
		return s.Mode == workflows.ModeFollowing && c.Surveys > 0
	})
	bar.done()
	if err == nil {
		d.say.status(last)
	}
	return err
}

// until waits until the pair's status is as wanted.
func (d *demo) until(ctx context.Context, wanted func(workflows.Status) bool) error {
	for {
		v, err := d.daemon.Client().QueryWorkflow(ctx, d.pair.WorkflowID(), "", workflows.QueryStatus)
		if err != nil {
			return fmt.Errorf("status of %s: %w", d.pair.WorkflowID(), err)
		}
		var s workflows.Status
		if err := v.Get(&s); err != nil {
			return err
		}
		switch {
		case s.Mode == workflows.ModeWaiting || s.Mode == workflows.ModeHalted:
			return fmt.Errorf("the pair is %s: %s", s.Mode, s.Reason)
		case wanted(s):
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// compare reads both servers completely and prints what it found.
func (d *demo) compare(ctx context.Context) (bool, error) {
	d.say.step("Comparing both servers, every object and every file")
	c, err := d.engine.Compare(ctx, func(object.Ref) {})
	if err != nil {
		return false, err
	}
	d.say.comparison(c)
	return c.Equal(), nil
}

// close stops everything, in the reverse order of start.
func (d *demo) close() {
	if d.daemon != nil {
		d.daemon.Stop()
	}
	if d.store != nil {
		_ = d.store.Close()
	}
	if d.servers != nil {
		d.servers.close()
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
