package connect

import (
	"fmt"
	"net"
	"strconv"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/chef-sync/chef-sync/internal/config"
)

// TemporalTarget says which Temporal server a configuration means.
type TemporalTarget struct {
	// Options reach it; Logger and Identity are left to the caller.
	Options client.Options

	// Embedded says that it is the one inside ec-syncd. Its port is not known
	// (and 0 in Options.HostPort) if the configuration leaves it open.
	Embedded bool

	// From says in words where that was found.
	From string
}

// Temporal finds the Temporal server: the address or profile in chef-sync.rb,
// else the one that the standard variables TEMPORAL_ADDRESS, TEMPORAL_PROFILE and
// TEMPORAL_CONFIG_FILE name, else the one that ec-syncd embeds. A profile file
// that nobody names does not count: the daemon and the person at the CLI have
// different homes and must mean one server. The embedded server is reached with
// nothing of the environment, whose credentials and namespace are those of
// another cluster. A nil env is the process's own. What is sent to any of them is
// encrypted if chef-sync.rb names keys for that.
// Source: https://docs.temporal.io/develop/environment-configuration
func Temporal(cfg *config.Config, env envconfig.EnvLookup) (TemporalTarget, error) {
	if env == nil {
		env = envconfig.EnvLookupOS
	}
	t, err := located(cfg, env)
	if err != nil {
		return TemporalTarget{}, err
	}
	if t.Options, err = coded(t.Options, cfg.Temporal.CodecKeyFile); err != nil {
		return TemporalTarget{}, err
	}
	return t, nil
}

// located is Temporal without the codec.
func located(cfg *config.Config, env envconfig.EnvLookup) (TemporalTarget, error) {
	embedded := TemporalTarget{From: "inside ec-syncd", Embedded: true, Options: client.Options{
		HostPort:  net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Temporal.Port)),
		Namespace: cfg.Temporal.Namespace,
	}}
	if cfg.Temporal.Embedded() && !set(env, "TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE") {
		return embedded, nil
	}
	opts, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{
		ConfigFileProfile: cfg.Temporal.Profile, EnvLookup: env,
	})
	if err != nil {
		return TemporalTarget{}, fmt.Errorf("profile of Temporal: %w", err)
	}
	t := TemporalTarget{Options: opts, From: "from TEMPORAL_ADDRESS or the Temporal profile"}
	if cfg.Temporal.Address != "" {
		t.Options.HostPort, t.From = cfg.Temporal.Address, "from temporal['address'] in "+cfg.File
	}
	if t.Options.HostPort == "" {
		if cfg.Temporal.Profile == "" && !set(env, "TEMPORAL_PROFILE") {
			return embedded, nil // a profile file without a word on where
		}
		t.Options.HostPort = client.DefaultHostPort
	}
	if t.Options, err = secured(t.Options, cfg.Temporal); err != nil {
		return TemporalTarget{}, err
	}
	if opts.Namespace == "" || cfg.IsSet("temporal['namespace']") {
		t.Options.Namespace = cfg.Temporal.Namespace
	}
	return t, nil
}

// set reports whether the environment has one of the variables.
func set(env envconfig.EnvLookup, names ...string) bool {
	for _, name := range names {
		if v, ok := env.LookupEnv(name); ok && v != "" {
			return true
		}
	}
	return false
}
