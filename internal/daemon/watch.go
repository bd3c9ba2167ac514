package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
	"github.com/chef-sync/chef-sync/internal/pace"
	"github.com/chef-sync/chef-sync/internal/telemetry"
	"github.com/chef-sync/chef-sync/internal/traces"
	"github.com/chef-sync/chef-sync/internal/version"
	"github.com/chef-sync/chef-sync/internal/watch"
)

// watching is what tells operators of the replicator: its metrics, if somebody may
// read them, and who looks at the pairs for these and for the webhook.
type watching struct {
	metrics *telemetry.Metrics // nil: nobody reads them
	server  *telemetry.Server
	stop    context.CancelFunc
	running sync.WaitGroup
}

// newMetrics returns the metrics that the configuration asks for; nil if none.
func newMetrics(cfg *config.Config) *telemetry.Metrics {
	if cfg.Watch.MetricsAddress == "" {
		return nil
	}
	o := telemetry.MetricsOptions{Replica: cfg.Name, Version: version.Get().Version}
	for _, p := range cfg.Pairs {
		o.Organizations = append(o.Organizations, p.Destination)
	}
	return telemetry.NewMetrics(o)
}

// newTraces returns the traces that configuration or environment ask for; nil if none.
func newTraces(ctx context.Context, cfg *config.Config, log *slog.Logger) (*traces.Traces, error) {
	t, err := traces.New(ctx, traces.Options{
		Endpoint: cfg.Watch.TracesEndpoint, Replica: cfg.Name, Version: version.Get().Version, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("%w (traces_endpoint in %s)", err, cfg.File)
	}
	return t, nil
}

// paces tells the metrics how both servers are treated.
func paces(c *connect.Connector) func() []telemetry.Pace {
	return func() []telemetry.Pace {
		primary, replica := c.Pace()
		of := func(server string, s pace.Stats) telemetry.Pace {
			p := telemetry.Pace{Server: server, Parallel: s.Parallel, InFlight: s.InFlight, Waiting: s.Waiting, Cuts: s.Cuts}
			if !s.AloneUntil.IsZero() {
				p.AloneSeconds = max(time.Until(s.AloneUntil).Seconds(), 0)
			}
			return p
		}
		return []telemetry.Pace{of("primary", primary), of("replica", replica)}
	}
}

// watch serves the metrics, if the configuration asks for it, and looks at the pairs.
func (d *Daemon) watch(ctx context.Context, cfg *config.Config) error {
	w := &d.watching
	if w.metrics != nil {
		var err error
		if w.server, err = w.metrics.Serve(ctx, cfg.Watch.MetricsAddress, d.ready); err != nil {
			return fmt.Errorf("listen for metrics (metrics_address in %s): %w", cfg.File, err)
		}
		d.log.InfoContext(ctx, "metrics are served", "address", w.server.Address())
	}
	o := watch.Options{
		Client: d.client, Namespace: d.namespace, Replica: cfg.Name, Pairs: cfg.Pairs, Log: d.log, Metrics: w.metrics,
		StaleAfter: cfg.Watch.StaleAfter, Webhook: cfg.Watch.WebhookURL != "",
	}
	wctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.running.Go(func() { watch.New(o).Run(wctx) })
	return nil
}

// ready reports whether this process can do its work: Temporal answers.
func (d *Daemon) ready(ctx context.Context) error {
	if _, err := d.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("no answer from Temporal at %s: %w", d.address, err)
	}
	return nil
}

// end ends all of it. It may be called again.
func (w *watching) end(log func(error)) {
	if w.stop != nil {
		w.stop()
	}
	w.running.Wait()
	if w.server != nil {
		if err := w.server.Stop(); err != nil {
			log(err)
		}
	}
	w.stop, w.server = nil, nil
}
