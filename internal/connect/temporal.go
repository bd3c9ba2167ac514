package connect

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/chef-sync/chef-sync/internal/config"
)

// Temporal says how to reach the Temporal server that a configuration means: the
// address in chef-sync.rb, else the standard TEMPORAL_* variables and profiles,
// else the server that ec-syncd embeds (embedded is true then).
// Source: https://docs.temporal.io/develop/environment-configuration
func Temporal(t config.Temporal, logger *slog.Logger) (opts client.Options, embedded bool, err error) {
	opts, err = envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: t.Profile})
	if err != nil {
		return opts, false, fmt.Errorf("temporal settings of the environment: %w", err)
	}
	switch {
	case t.Address != "":
		opts.HostPort = t.Address
	case opts.HostPort == "" || (t.Profile == "" && os.Getenv("TEMPORAL_ADDRESS") == "" && os.Getenv("TEMPORAL_PROFILE") == ""):
		opts.HostPort = net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port))
		embedded = true
	}
	if opts.Namespace == "" || t.Namespace != config.Defaults().Temporal.Namespace {
		opts.Namespace = t.Namespace
	}
	opts.Logger = log.NewStructuredLogger(logger)
	return opts, embedded, nil
}
