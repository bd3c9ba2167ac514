package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/daemon"
	"github.com/chef-sync/chef-sync/internal/telemetry"
)

var configFlag = &cli.StringFlag{
	Name: "config", Aliases: []string{"c"}, Value: config.DefaultFile, EnvVars: []string{"CHEF_SYNC_CONFIG"},
	Usage: "read the configuration from `FILE`",
}

var logLevelFlag = &cli.StringFlag{
	Name: "log-level", Usage: "log from `LEVEL` on: debug, info, warn, error (default: log_level in chef-sync.rb)",
}

// runAction is the daemon.
func runAction(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("there is no command %q (%w); try ec-syncd --help", c.Args().First(), errUsage)
	}
	cfg, err := config.Load(c.String("config"))
	if err != nil {
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	if !cfg.Replicates() && !cfg.Serves() {
		return fmt.Errorf("%s has role :%s, and ec_sync_client['enable'] or ec_sync_server['enable'] is false: nothing runs on this host (%w)", cfg.File, cfg.Role, errUsage)
	}
	log, closeLog, err := logger(c, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = closeLog() }()
	for _, n := range cfg.Notices {
		log.Warn("configuration", "notice", n.String())
	}
	stop, err := start(c, cfg, log)
	if err != nil {
		if errors.Is(err, daemon.ErrConfiguration) {
			return fmt.Errorf("%w (%w)", err, errUsage)
		}
		return err
	}
	defer stop()
	<-c.Context.Done()
	log.Info("ec-syncd ends")
	return nil
}

// start starts what the role says, and returns what stops it.
func start(c *cli.Context, cfg *config.Config, log *slog.Logger) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range slices.Backward(stops) {
			f()
		}
	}
	if cfg.Serves() {
		feedLog, closeLog := log, func() error { return nil }
		if cfg.Replicates() { // whose log is the other one
			if feedLog, closeLog, err = loggerTo(c, cfg, feedFiles(cfg)); err != nil {
				return nil, err
			}
		}
		stops = append(stops, func() { _ = closeLog() })
		m, err := daemon.StartMaster(c.Context, daemon.MasterOptions{Config: cfg, Log: feedLog})
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, m.Stop)
	}
	if cfg.Replicates() {
		d, err := daemon.Start(c.Context, daemon.Options{Config: cfg, Log: log})
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, d.Stop)
		log.Info("ec-syncd runs", "replica", cfg.Name, "organizations", len(cfg.Pairs), "temporal", d.Address(), "web_ui", d.UIURL())
	}
	return stop, nil
}

// logger is the replicator's log, or that of the feed server where it is alone.
func logger(c *cli.Context, cfg *config.Config) (*slog.Logger, func() error, error) {
	if !cfg.Replicates() {
		return loggerTo(c, cfg, feedFiles(cfg))
	}
	return loggerTo(c, cfg, telemetry.Options{
		Directory: cfg.LogDirectory, Organizations: true, MaxBytes: cfg.LogRotation.MaxBytes, Keep: cfg.LogRotation.Keep,
	})
}

// feedFiles is where the feed server logs.
func feedFiles(cfg *config.Config) telemetry.Options {
	r := cfg.Server.LogRotation
	return telemetry.Options{Directory: cfg.Server.LogDirectory, MaxBytes: r.MaxBytes, Keep: r.Keep}
}

// loggerTo is for people on a terminal and for machines elsewhere. o has the files.
func loggerTo(c *cli.Context, cfg *config.Config, o telemetry.Options) (*slog.Logger, func() error, error) {
	o.Level = cfg.LogLevel
	if s := c.String("log-level"); s != "" {
		if err := o.Level.UnmarshalText([]byte(s)); err != nil {
			return nil, nil, fmt.Errorf("--log-level %q: use debug, info, warn or error (%w)", s, errUsage)
		}
	}
	o.Out, o.Plain = c.App.ErrWriter, isTerminal(c.App.ErrWriter)
	log, closeLog := telemetry.NewLogger(o)
	return log, closeLog, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
