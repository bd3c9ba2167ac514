package doctor

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
)

// exam is one Run: what its checks have in common, each thing found out once and
// when it is first asked for.
type exam struct {
	Options
	sides map[Side]*side

	temporal func() (Temporal, error)
	pool     func() (*pgxpool.Pool, error)

	mu      sync.Mutex
	closers []func()
}

// side is one Chef server.
type side struct {
	config.Server
	setting string // that names it: master, replica

	look   func() (chef.Glance, error)
	key    func() (*rsa.PrivateKey, error)
	client func() (*chef.Client, error) // outside any organization

	// signed is what the server says to a signed request; nil if it believes it.
	signed func() error
}

func newExam(ctx context.Context, o Options) *exam {
	x := &exam{Options: o}
	x.temporal = sync.OnceValues(func() (Temporal, error) {
		ctx, cancel := context.WithTimeout(ctx, x.limit())
		defer cancel()
		t, err := o.Temporal(ctx)
		if err == nil {
			x.atEnd(t.Close)
		}
		return t, err
	})
	x.pool = sync.OnceValues(func() (*pgxpool.Pool, error) { return x.logIn(ctx) })
	if o.Config != nil {
		x.sides = map[Side]*side{
			Primary: x.newSide(ctx, "master", o.Config.Primary, Primary),
			Replica: x.newSide(ctx, "replica", o.Config.Replica, Replica),
		}
	}
	return x
}

func (x *exam) newSide(ctx context.Context, setting string, s config.Server, which Side) *side {
	out := &side{Server: s, setting: setting}
	options := chef.Options{
		URL: s.URL, User: s.User, TLS: chef.TLSOptions(s.TLS), Header: s.Header,
		Timeout: x.limit(), Retries: -1, // what fails is to be seen
	}
	out.look = sync.OnceValues(func() (chef.Glance, error) { return chef.Look(ctx, options) })
	out.key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return chef.ReadKey(s.KeyFile) })
	out.client = sync.OnceValues(func() (*chef.Client, error) {
		key, err := out.key()
		if err != nil {
			return nil, err
		}
		o := options
		o.Key = key
		c, err := chef.New(o)
		if err == nil {
			x.atEnd(c.Close)
		}
		return c, err
	})
	out.signed = sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(ctx, x.limit())
		defer cancel()
		return x.trySignature(ctx, out, which)
	})
	return out
}

// trySignature asks for something that only a valid signature gets. A server
// without the first organization of the pairs says so before it looks at the
// signature; it is asked about the user then.
func (x *exam) trySignature(ctx context.Context, s *side, which Side) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	org := subject{side: which}
	if len(x.Config.Pairs) > 0 {
		org.pair = &x.Config.Pairs[0]
	}
	_, err = s.within(c, org).ListEnvironments(ctx)
	if errors.Is(err, chef.ErrOrgNotFound) {
		_, err = c.DoGlobal(ctx, http.MethodGet, "/users/"+url.PathEscape(s.User), nil, nil)
	}
	if errors.Is(err, chef.ErrNotMember) || chef.Classify(err) == chef.ClassObject {
		return nil // believed, and refused
	}
	return err
}

// within returns the client of an organization.
func (s *side) within(c *chef.Client, of subject) *chef.Client {
	if !s.HasOrganizations {
		return c
	}
	return c.WithOrganization(of.organization())
}

func (x *exam) limit() time.Duration { return cmp.Or(x.Limit, DefaultLimit) }

func (x *exam) now() time.Time {
	if x.Now != nil {
		return x.Now()
	}
	return time.Now()
}

func (x *exam) replicates() bool { return x.Config != nil && x.Config.Replicates() }
func (x *exam) serves() bool     { return x.Config != nil && x.Config.Serves() }

func (x *exam) atEnd(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closers = append(x.closers, f)
}

func (x *exam) close() {
	for _, f := range x.closers {
		f()
	}
}

// logIn connects to the Chef server's database as the feed server does.
func (x *exam) logIn(ctx context.Context) (*pgxpool.Pool, error) {
	s := x.Config.Server
	cfg, _, err := primary.Database{URL: s.Database, PasswordFile: s.DatabasePasswordFile}.Config()
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 4
	ctx, cancel := context.WithTimeout(ctx, x.limit())
	defer cancel()
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return nil, err
	}
	x.atEnd(pool.Close)
	return pool, pool.Ping(ctx)
}
