package temporalserver

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/enums/v1"
)

// The values that stand for a zero field of Options.
const (
	DefaultNamespace = "default"
	// DefaultPort is Temporal's usual gRPC port, the one every client tries first.
	DefaultPort = 7233
	// DefaultUIPort is where `temporal server start-dev` has its Web UI, too.
	DefaultUIPort = 8233
	// DefaultRetention is how long closed workflows stay to be looked at.
	// Temporal's own default is one day, which is gone after a weekend.
	DefaultRetention = 30 * 24 * time.Hour
)

// loopback is the only address anything here listens on.
const loopback = "127.0.0.1"

var (
	// ErrNotEmbedded is what Start returns in a binary built with the tag noembed.
	ErrNotEmbedded = errors.New("this binary was built without the embedded Temporal server (build tag noembed); " +
		"give it a Temporal cluster: set temporal['address'] in chef-sync.rb, or TEMPORAL_ADDRESS in the environment")

	// ErrPortInUse is in the error of Start if something listens on Port or UIPort already.
	ErrPortInUse = errors.New("port is in use")

	// ErrLocked is in the error of Start if another process uses the database.
	ErrLocked = errors.New("database is in use")
)

// Options are the arguments of Start. The zero value is a server in memory on the
// default ports.
type Options struct {
	// Dir is the directory of the database file. It is created (mode 0700) if it
	// does not exist. Empty means in memory: nothing survives Stop.
	Dir string

	// Namespace is created if it does not exist. Empty means DefaultNamespace.
	Namespace string

	// Port is the gRPC port, UIPort the Web UI's. Zero means DefaultPort and
	// DefaultUIPort, a negative number any free port.
	Port   int
	UIPort int

	// NoUI leaves the Web UI out; UIPort is then not looked at.
	NoUI bool

	// SearchAttributes of the namespace, by name. Those that an existing database
	// lacks are added; none is ever removed.
	SearchAttributes map[string]enums.IndexedValueType

	// Retention is how long closed workflows are kept; an existing database takes
	// it over. Zero means DefaultRetention. Temporal asks for at least an hour.
	Retention time.Duration

	// Logger receives the server's log lines: its warnings and errors as they are,
	// everything else as debug lines. Nil means none.
	Logger *slog.Logger
}

// withDefaults returns o with a value in every field that has a default.
func (o Options) withDefaults() Options {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Port == 0 {
		o.Port = DefaultPort
	}
	if o.UIPort == 0 {
		o.UIPort = DefaultUIPort
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate finds what would otherwise fail deep inside the server.
func (o Options) validate() error {
	const maxPort = 65535
	var errs []error
	for setting, port := range map[string]int{portSetting: o.Port, uiPortSetting: o.UIPort} {
		if port > maxPort {
			errs = append(errs, fmt.Errorf("%s: %d is not a port number", setting, port))
		}
	}
	if o.Port > 0 && o.Port == o.UIPort && !o.NoUI {
		errs = append(errs, fmt.Errorf("%s and %s are both %d", portSetting, uiPortSetting, o.Port))
	}
	if o.Retention < time.Hour {
		errs = append(errs, fmt.Errorf("retention is %s: Temporal keeps closed workflows for an hour at least", o.Retention))
	}
	return errors.Join(errs...)
}

// The settings that error messages send an operator to.
const (
	portSetting   = "temporal['port']"
	uiPortSetting = "temporal['ui_port']"
)
