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
// address or profile in chef-sync.rb, else the one that the standard variables
// TEMPORAL_ADDRESS, TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE name, else the
// server that ec-syncd embeds (embedded is true then). The embedded server is
// reached with nothing of the environment: a person's own credentials and
// namespace are those of another cluster.
// Source: https://docs.temporal.io/develop/environment-configuration
func Temporal(t config.Temporal, logger *slog.Logger) (opts client.Options, embedded bool, err error) {
	structured := log.NewStructuredLogger(logger)
	if t.Embedded() && !environmentNames() {
		return client.Options{
			HostPort:  net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port)),
			Namespace: t.Namespace, Logger: structured,
		}, true, nil
	}
	opts, err = envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: t.Profile})
	if err != nil {
		return opts, false, fmt.Errorf("temporal settings of the environment: %w", err)
	}
	if t.Address != "" {
		opts.HostPort = t.Address
	}
	if opts.Namespace == "" || t.Namespace != config.Defaults().Temporal.Namespace {
		opts.Namespace = t.Namespace
	}
	opts.Logger = structured
	return opts, false, nil
}

// environmentNames reports whether the environment names a Temporal server.
func environmentNames() bool {
	for _, name := range []string{"TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}
