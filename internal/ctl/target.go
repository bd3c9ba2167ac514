package ctl

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
)

// Target is the Temporal namespace that a command speaks to, and in which words
// to speak of it.
type Target struct {
	Address, Namespace string

	// From says what the address was taken from.
	From string

	// Embedded says that the server runs inside ec-syncd.
	Embedded bool

	// Daemon is the command that starts the ec-syncd of this replica.
	Daemon string

	// Options are those of the SDK's client: address and namespace again, and
	// the TLS and API key of a Temporal profile.
	Options client.Options
}

// settings are the configuration and the flags that override it.
type settings struct {
	cfg     *config.Config // Defaults without a file
	file    string         // "" without one
	replica string         // the name of the replica
}

// settingsFlags are what the command line says about them.
type settingsFlags struct {
	file, replica, address, namespace string
}

// settings reads the configuration, unless the command line says all that it
// would.
func (a *App) settings(f settingsFlags) (settings, error) {
	if f.replica != "" && strings.ContainsFunc(f.replica, func(c rune) bool { return c <= ' ' || c == '/' || c == 0x7f }) {
		return settings{}, unusable("", "--replica %q: the name of a replica is a word without spaces and slashes", f.replica)
	}
	file, from := a.configFile(f)
	named := from != ""
	alone := settings{cfg: config.Defaults(), replica: f.replica}
	if !named && f.replica != "" && f.address != "" {
		return alone, nil
	}
	cfg, err := config.Load(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named && f.replica != "":
		return alone, nil
	case err != nil:
		return settings{}, configFailure(file, err)
	case f.replica == "":
		f.replica = cfg.Name
	}
	return settings{cfg: cfg, file: cfg.File, replica: f.replica}, nil
}

// configFile is the configuration that counts, and what names it; "" if nothing
// does and it is the default.
func (a *App) configFile(f settingsFlags) (file, from string) {
	if f.file != "" {
		return f.file, "--" + flagConfig
	}
	if env, ok := a.Env.LookupEnv(envConfig); ok && env != "" {
		return env, envConfig
	}
	return a.DefaultConfig, ""
}

// configFailure shows every problem of a configuration, one in each line.
func configFailure(file string, err error) error {
	var problems config.Problems
	switch {
	case errors.As(err, &problems) && len(problems) == 1:
		return fail(ExitUsage, "$EDITOR "+file, "the configuration has a problem:\n%w", problems)
	case errors.As(err, &problems):
		return fail(ExitUsage, "$EDITOR "+file, "the configuration has %d problems:\n%w", len(problems), problems)
	case errors.Is(err, fs.ErrPermission):
		return fail(ExitUsage, "sudo "+program+" …\n"+withoutConfig, "%w", err)
	default:
		return fail(ExitUsage, withoutConfig, "%w", err)
	}
}

// withoutConfig is what helps where there is no configuration.
const withoutConfig = program + " --config FILE …\n" + program + " --address HOST:PORT --replica NAME …"

// replicates reports whether this host's configuration is that of a replica.
func (s settings) replicates(command string) error {
	switch {
	case s.file == "" || s.cfg.Replicates():
		return nil
	case s.cfg.Role == config.RoleMaster:
		hint := "ssh " + hostOf(s.cfg.Replica.URL, "REPLICA") + " " + program + " " + command + " …"
		if command != "diff" && command != "codec-server" { // which need more than Temporal
			hint += "\n" + program + " --address HOST:PORT --replica NAME " + command + " …"
		}
		return fail(ExitUsage, hint,
			"%s belongs on a replica: this host has role :%s in %s, and a primary only serves the feed", command, s.cfg.Role, s.file)
	default:
		return fail(ExitUsage, "$EDITOR "+s.file,
			"%s: nothing is replicated on this host: ec_sync_client['enable'] is false in %s", command, s.file)
	}
}

// onPrimary is the failure of what belongs on the host of the primary. args are
// those of the command there.
func (s settings) onPrimary(what, args string) error {
	return fail(ExitUsage, "ssh "+hostOf(s.cfg.Primary.URL, "PRIMARY")+" "+program+" "+args,
		"%s belongs on the primary: this host has role :%s in %s", what, s.cfg.Role, s.file)
}

// hostOf is the host of a server's URL, or a word for it if that is this host or
// none.
func hostOf(server, word string) string {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
		return word
	}
	return u.Hostname()
}

// reaching is the configuration as if it named the address of the command line, so that
// TLS, API key and namespace count there as they do with temporal['address']. The
// server inside ec-syncd, at another port than the configured one, has neither TLS nor
// an API key: on this host they count only if chef-sync.rb names them.
func (s settings) reaching(address string) *config.Config {
	host, _, err := net.SplitHostPort(address)
	t := s.cfg.Temporal
	here := err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
	if err != nil || !t.Embedded() || here && t.TLS == (config.TemporalTLS{}) && t.APIKeyFile == "" {
		return s.cfg
	}
	as := *s.cfg
	as.Temporal.Address = address
	return &as
}

// target finds Temporal: the command line, else what ec-syncd itself would use.
func (a *App) target(s settings, f settingsFlags) (Target, error) {
	found, err := connect.Temporal(s.reaching(f.address), a.Env)
	if err != nil {
		return Target{}, fail(ExitUsage, "env | grep TEMPORAL_\ntemporal config list", "%w", err)
	}
	t := Target{Daemon: "ec-syncd", Address: found.Options.HostPort, Namespace: found.Options.Namespace,
		From: found.From, Embedded: found.Embedded}
	if s.file != "" {
		t.Daemon += " --config " + s.file
	}
	switch {
	case f.address != "":
		t.Address, t.From, t.Embedded = f.address, "from --address", false
	case t.Embedded && s.cfg.Temporal.Port == 0:
		return Target{}, fail(ExitUsage, program+" --address 127.0.0.1:PORT …",
			"temporal['port'] is 0 in %s, so that the Temporal server inside ec-syncd took any free port; its log names it", s.file)
	}
	if _, _, err := net.SplitHostPort(t.Address); err != nil {
		return Target{}, fail(ExitUsage, program+" --address "+t.Address+":7233 …", "%s is no address of Temporal, %s: it needs HOST:PORT", t.Address, t.From)
	}
	if f.namespace != "" {
		t.Namespace = f.namespace
	}
	t.Options = found.Options
	t.Options.HostPort, t.Options.Namespace, t.Options.Identity = t.Address, t.Namespace, a.Identity
	return t, nil
}
