// Command chef-sync-ctl is the operator's command line of chef-sync: it starts,
// stops and watches the pairs of a replica. See chef-sync-ctl --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/chef-sync/chef-sync/internal/ctl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := ctl.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
