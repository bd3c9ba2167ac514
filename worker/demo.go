package main

import (
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/demo"
	"github.com/chef-sync/chef-sync/internal/telemetry"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show replication between two Chef servers in this process, with nothing installed",
		Description: "Starts a primary and a replica Chef server, Temporal and its Web UI, all in this process and on\n" +
			"loopback, loads a sample organization, replicates it, compares both servers, and then keeps\n" +
			"changing the primary so that there is something to watch. Ctrl-C ends it.\n\n" +
			"Example: ec-syncd demo --once   # exit code 0 only if both servers end up equal",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "once", Usage: "end after the first synchronization; exit code 1 if the servers differ"},
			&cli.StringFlag{Name: "dir", Usage: "keep the demo's files in `DIR` (default: a temporary directory)"},
			&cli.DurationFlag{Name: "every", Value: 4 * time.Second, Usage: "change the primary every `DURATION`"},
			&cli.BoolFlag{Name: "verbose", Usage: "show the log"},
		},
		Action: demoAction,
	}
}

func demoAction(c *cli.Context) error {
	level := slog.LevelError
	if c.Bool("verbose") {
		level = slog.LevelDebug
	}
	log, _ := telemetry.NewLogger(telemetry.Options{Out: c.App.ErrWriter, Plain: true, Level: level})
	err := demo.Run(c.Context, demo.Options{
		Once: c.Bool("once"), Dir: c.String("dir"), ChangeEvery: c.Duration("every"),
		Out: c.App.Writer, Log: log,
	})
	if c.Context.Err() != nil { // Ctrl-C is how a demo ends
		return nil
	}
	return err
}
