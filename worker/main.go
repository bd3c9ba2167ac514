// Command ec-syncd is the daemon of chef-sync. On a replica it runs the Temporal
// workers (and, unless told of another, the Temporal server) that keep the
// organizations of chef-sync.rb equal to the primary's. On a primary it runs the
// feed server, which tells replicas what changed.
//
//	go build -o bin/ec-syncd ./worker
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := exec(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes of ec-syncd.
const (
	exitOK     = 0
	exitFailed = 1 // it could not start, or demo --once found the servers unequal
	exitUsage  = 2 // flags or chef-sync.rb
)

// errUsage is wrapped by errors that are about flags or the configuration.
var errUsage = errors.New("usage")

// exec runs the command line and returns the exit code.
func exec(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := app(stdout, stderr).RunContext(ctx, args)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "ec-syncd: %s\n", strings.Replace(err.Error(), " ("+errUsage.Error()+")", "", 1))
		return exitUsage
	default:
		fmt.Fprintf(stderr, "ec-syncd: %v\n", err)
		return exitFailed
	}
}

func app(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:      "ec-syncd",
		Usage:     "keep the organizations of a replica Chef server equal to a primary's",
		UsageText: "ec-syncd [--config FILE]\nec-syncd demo [--once]\nec-syncd [--config FILE] ready\nec-syncd version [--output json]",
		Version:   version.Get().String(),
		Description: "Without a command, ec-syncd runs what the role in chef-sync.rb says, in the foreground,\n" +
			"until it gets SIGTERM or Ctrl-C. Killing it loses nothing: it goes on where it was.\n" +
			"role :replica is the replicator, role :master the feed server beside a primary.\n\n" +
			"Start and watch organizations with chef-sync-ctl (go run ./starter).\n\n" +
			"Exit codes: 0 ended by a signal or done; 1 could not run, or servers differ (demo --once);\n" +
			"2 wrong flags or chef-sync.rb.",
		HideHelpCommand: true,
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // exec decides
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return fmt.Errorf("%w (%w); try ec-syncd --help", err, errUsage)
		},
		Flags:    []cli.Flag{configFlag, logLevelFlag},
		Action:   runAction,
		Commands: []*cli.Command{demoCommand(), readyCommand(), versionCommand()},
	}
}
