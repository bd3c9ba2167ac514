package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

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
	if !cfg.Replicates() {
		return fmt.Errorf("%s says role %s: the feed server of a primary is not part of this version, "+
			"and replicas need none: they compare lists. Use role :replica on the replica (%w)", cfg.File, cfg.Role, errUsage)
	}
	log, closeLog, err := logger(c, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = closeLog() }()
	for _, n := range cfg.Notices {
		log.Warn("configuration", "notice", n.String())
	}
	d, err := daemon.Start(c.Context, daemon.Options{Config: cfg, Log: log})
	if err != nil {
		return err
	}
	defer d.Stop()
	log.Info("ec-syncd runs", "replica", cfg.Name, "organizations", len(cfg.Pairs), "temporal", d.Address(), "web_ui", d.UIURL())
	<-c.Context.Done()
	log.Info("ec-syncd ends")
	return nil
}

// logger is for people on a terminal and for machines elsewhere.
func logger(c *cli.Context, cfg *config.Config) (*slog.Logger, func() error, error) {
	level := cfg.LogLevel
	if s := c.String("log-level"); s != "" {
		if err := level.UnmarshalText([]byte(s)); err != nil {
			return nil, nil, fmt.Errorf("--log-level %q: use debug, info, warn or error (%w)", s, errUsage)
		}
	}
	log, closeLog := telemetry.NewLogger(telemetry.Options{
		Out: c.App.ErrWriter, Plain: isTerminal(c.App.ErrWriter), Level: level,
		Directory: cfg.LogDirectory, MaxBytes: cfg.LogRotation.MaxBytes, Keep: cfg.LogRotation.Keep,
	})
	return log, closeLog, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
