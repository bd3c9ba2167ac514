package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
)

// ErrConfiguration is wrapped by errors that only another configuration mends.
var ErrConfiguration = errors.New("the configuration does not allow it")

// MasterOptions are the arguments of [StartMaster]. Both are required.
type MasterOptions struct {
	Config *config.Config
	Log    *slog.Logger
}

// Master is a running feed server.
type Master struct {
	log     *slog.Logger
	address string
	pool    *pgxpool.Pool
	stop    context.CancelFunc
	running sync.WaitGroup
}

// StartMaster starts the feed server, and returns when it listens. A database that
// is down, or restarted later, is waited for: requests are answered 503 meanwhile.
// A crash leaves nothing to clean up.
func StartMaster(ctx context.Context, o MasterOptions) (_ *Master, err error) {
	side := o.Config.Server
	cfg, from, err := database(o.Config.Server).Config()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
	}
	certs, err := certificates(side)
	if err != nil {
		return nil, err
	}
	m := &Master{log: o.Log}
	defer func() {
		if err != nil && m.pool != nil {
			m.pool.Close()
		}
	}()
	if m.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, fmt.Errorf("the Chef server's database: %w", err)
	}
	auth, err := authenticator(side, m.pool, o.Log)
	if err != nil {
		return nil, err
	}
	log := feedserver.NewOpened(m.pool, changelog.Options{
		Capture: changelog.Capture(side.Capture), Interval: side.Interval, TombstoneAge: side.Retention, Logger: o.Log,
	})
	server := feedserver.New(feedserver.Options{Log: log, Auth: auth, Allow: side.Allow, Logger: o.Log})
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(side.Listen, strconv.Itoa(side.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen for the feed (ec_sync_server['listen'] and ['port'] in %s): %w", o.Config.File, err)
	}
	m.address = l.Addr().String()
	o.Log.Info("feed server listens", "address", m.address, "database", primary.Where(cfg), "from", from,
		"capture", side.Capture, "allow", side.Allow, "authentication", how(side))
	m.run(ctx, log, server, l, certs)
	if both, ok := auth.(*feedserver.Both); ok {
		m.watch(ctx, both)
	}
	return m, nil
}

// run runs the parts, which end with m.stop.
func (m *Master) run(ctx context.Context, log *feedserver.Opened, server *feedserver.Server, l net.Listener, certs *tls.Config) {
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stopServing
	m.running.Go(func() {
		if err := log.Run(logCtx); err != nil {
			m.log.Error("the change log is no longer written", "err", err)
		}
	})
	m.running.Go(func() {
		defer stopLog() // those who wait are answered first
		if err := server.Serve(serveCtx, l, certs); err != nil {
			m.log.Error("the feed is no longer served", "err", err)
		}
	})
}

// watch looks for the Chef server on this host until m.stop.
func (m *Master) watch(ctx context.Context, both *feedserver.Both) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := m.stop
	m.stop = func() { cancel(); stop() }
	m.running.Go(func() { both.Watch(ctx) })
}

// Address is where the feed server listens.
func (m *Master) Address() string { return m.address }

// Stop answers who waits for a change, and returns when everything has ended. It
// may be called again.
func (m *Master) Stop() {
	m.stop()
	m.running.Wait()
	m.pool.Close()
}

// database is where the configuration says that the Chef server's database is.
func database(s config.ServerSide) primary.Database {
	return primary.Database{URL: s.Database, PasswordFile: s.DatabasePasswordFile, PoolSize: s.DBPoolSize}
}

// authenticator is the one that the configuration chooses. Where it leaves the
// choice, the keys in the database tell, and the Chef server on this host, if it
// says where it listens, has to agree.
func authenticator(side config.ServerSide, pool *pgxpool.Pool, log *slog.Logger) (feedserver.Authenticator, error) {
	if side.ValidateURL != "" && side.ValidateURL != config.ValidateNone {
		return feedserver.NewValidator(side.ValidateURL)
	}
	keys, err := feedserver.NewKeys(pool, side.AuthSkew)
	root := primary.Erchef("")
	if err != nil || side.ValidateURL == config.ValidateNone || root == "" {
		return keys, err
	}
	chef, err := feedserver.NewValidator(root)
	if err != nil {
		return nil, err
	}
	return feedserver.NewBoth(keys, chef, log), nil
}

func how(side config.ServerSide) string {
	if side.ValidateURL != "" && side.ValidateURL != config.ValidateNone {
		return side.ValidateURL
	}
	return "keys in the database"
}

// certificates loads what tls_cert and tls_key name; nil for plain http.
func certificates(side config.ServerSide) (*tls.Config, error) {
	if side.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(side.TLSCert, side.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("%w: ec_sync_server['tls_cert'], ['tls_key']: %w", ErrConfiguration, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
