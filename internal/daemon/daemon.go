// Package daemon is ec-syncd without its command line: it opens staging, starts
// the embedded Temporal server where no other is given, and runs the workers of
// one replica until it is told to stop.
package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/internal/temporalserver"
	"github.com/chef-sync/chef-sync/internal/traces"
	"github.com/chef-sync/chef-sync/internal/version"
	"github.com/chef-sync/chef-sync/internal/webhook"
	"github.com/chef-sync/chef-sync/workflows"
)

// Options are the arguments of [Start].
type Options struct {
	Config *config.Config
	Log    *slog.Logger

	// Settings of the activities beyond what Config says; its zero fields are
	// filled in from Config.
	Settings activities.Settings
}

// Daemon is a running ec-syncd.
type Daemon struct {
	log     *slog.Logger
	server  *temporalserver.Server // nil with an external Temporal
	client  client.Client
	staging *staging.Store
	workers []worker.Worker
	stop    context.CancelFunc // of the purge
	uiURL   string
	address string

	namespace  string
	attributes *attributes
	watching   watching
	traces     *traces.Traces // nil: nobody wants them
}

// Start starts everything, and returns when the workers poll. A crash of the
// process leaves nothing that the next Start does not take up.
func Start(ctx context.Context, o Options) (_ *Daemon, err error) {
	d := &Daemon{log: o.Log}
	defer func() {
		if err != nil {
			d.Stop()
		}
	}()
	if d.staging, err = staging.Open(ctx, o.Config.StagingURL); err != nil {
		return nil, fmt.Errorf("%w (staging, or ec_sync_client['dir'], in %s)", err, o.Config.File)
	}
	store, err := d.staging.Join(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w (staging in %s)", err, o.Config.File)
	}
	d.watching.metrics = newMetrics(o.Config)
	if d.traces, err = newTraces(ctx, o.Config, o.Log); err != nil {
		return nil, err
	}
	if err := d.dial(ctx, o.Config); err != nil {
		return nil, err
	}
	checkKeys(ctx, o.Log, o.Config)
	connector := connect.New(o.Config, d.staging, o.Log)
	if d.watching.metrics != nil {
		connector.Meter = d.watching.metrics
		d.watching.metrics.Paces(paces(connector))
	}
	if d.traces != nil {
		connector.Tracer = d.traces
	}
	acts := &activities.Activities{
		Connector: connector, Log: o.Log, Settings: settings(o), Version: version.Get().Version,
	}
	if url := o.Config.Watch.WebhookURL; url != "" {
		acts.Webhook = webhook.New(url, o.Config.Watch.WebhookHeadersFile)
	}
	if !staging.Shared(o.Config.StagingURL) {
		acts.HostQueue = workflows.HostQueue(o.Config.Name, store)
	}
	if err := d.work(o.Config, acts); err != nil {
		return nil, err
	}
	d.deployed(ctx, o.Config.Temporal.Deployment)
	if err := d.watch(ctx, o.Config); err != nil {
		return nil, err
	}
	schedules := newScheduler(d.client.ScheduleClient(), o.Config, d.log)
	schedules.put(ctx)
	pctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = cancel
	go d.purge(pctx)
	go d.attributes.watch(pctx)
	go schedules.retry(pctx)
	return d, nil
}

// dial connects to Temporal, after starting it if it is ours.
func (d *Daemon) dial(ctx context.Context, cfg *config.Config) error {
	target, err := connect.Temporal(cfg, nil)
	if err != nil {
		return err
	}
	opts := target.Options
	if opts.Identity == "" {
		host, _ := os.Hostname() // who it is matters more than where
		opts.Identity = version.WorkerIdentity(host, os.Getpid())
	}
	opts.Logger = tlog.NewStructuredLogger(d.log)
	opts.MetricsHandler = d.watching.metrics.SDK()
	d.namespace = opts.Namespace
	if target.Embedded {
		d.server, err = temporalserver.Start(ctx, temporalserver.Options{
			Dir: filepath.Join(cfg.Dir, "temporal"), Namespace: cfg.Temporal.Namespace,
			Port: port(cfg.Temporal.Port), UIPort: port(cfg.Temporal.UIPort),
			SearchAttributes: workflows.SearchAttributes(), Logger: d.log.With("part", "temporal"),
		})
		if err != nil {
			return err
		}
		opts.HostPort, d.uiURL = d.server.HostPort(), d.server.UIURL()
	}
	d.address = opts.HostPort
	d.client, err = client.DialContext(ctx, opts)
	if err != nil {
		return fmt.Errorf("connect to Temporal at %s (%s), namespace %s: %w", opts.HostPort, target.From, opts.Namespace, err)
	}
	d.attributes = newAttributes(ctx, d.client, d.namespace, d.log)
	return nil
}

// port turns the configuration's "any" into the server's.
func port(p int) int {
	if p == 0 {
		return -1
	}
	return p
}

// work starts the workers: one for everything that any process can do, and one for
// what only this one can, because the staged data is here. The latter is part of no
// deployment: what is staged has to be applied here, whatever the current version is.
func (d *Daemon) work(cfg *config.Config, acts *activities.Activities) error {
	name, pairs := cfg.Name, len(cfg.Pairs)
	opts := workerOptions(pairs)
	opts.Interceptors = d.traces.Interceptors()
	opts.DeploymentOptions = deploymentOptions(cfg.Temporal.Deployment)
	worker.SetStickyWorkflowCacheSize(cached(pairs))
	main := worker.New(d.client, workflows.TaskQueue(name), opts)
	workflows.RegisterWith(main, d.attributes.names)
	activities.Register(main, acts)
	d.workers = append(d.workers, main)
	if acts.HostQueue != "" {
		opts.DisableWorkflowWorker, opts.DeploymentOptions = true, worker.DeploymentOptions{}
		host := worker.New(d.client, acts.HostQueue, opts)
		activities.Register(host, acts)
		d.workers = append(d.workers, host)
	}
	for i, w := range d.workers {
		if err := w.Start(); err != nil {
			d.workers = d.workers[:i]
			return fmt.Errorf("start worker of %s: %w", workflows.TaskQueue(name), err)
		}
	}
	return nil
}

// settings are the activities' settings from the configuration.
func settings(o Options) activities.Settings {
	s := o.Settings
	waits(&s, len(o.Config.Pairs), o.Config.PollInterval, o.Config.PollHold)
	s.ReportDir = filepath.Join(o.Config.Dir, "reports")
	return s
}

// purge removes staged data that nobody came back for.
func (d *Daemon) purge(ctx context.Context) {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	for {
		if err := d.staging.Purge(ctx, staging.Lifetime); err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "staging not purged", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Client is the daemon's connection to Temporal.
func (d *Daemon) Client() client.Client { return d.client }

// Address is the host and port of Temporal.
func (d *Daemon) Address() string { return d.address }

// UIURL is the URL of the embedded Web UI, "" with an external Temporal.
func (d *Daemon) UIURL() string { return d.uiURL }

// Stop ends the workers, which finish what they are about for a few seconds,
// then everything else. It may be called again.
func (d *Daemon) Stop() {
	if d.stop != nil {
		d.stop()
	}
	d.watching.end(func(err error) { d.log.Warn("metrics were not served to the end", "err", err) })
	for _, w := range d.workers {
		w.Stop()
	}
	d.workers = nil
	d.traces.Stop()
	if d.client != nil {
		d.client.Close()
	}
	if d.server != nil {
		d.server.Stop()
	}
	if d.staging != nil {
		if err := d.staging.Close(); err != nil {
			d.log.Debug("staging not closed", "err", err)
		}
	}
	d.client, d.server, d.staging = nil, nil, nil
}
