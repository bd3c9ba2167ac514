package connect

import (
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/pace"
)

// paces are the paces of both servers; the same one twice if they are one server.
// They outlive the clients, which are made anew when a key changes.
type paces struct{ primary, replica *pace.Server }

func newPaces(cfg *config.Config) paces {
	primary, replica := limitsOf(cfg, cfg.Primary), limitsOf(cfg, cfg.Replica)
	if cfg.OneServer() {
		one := pace.New(primary.Both(replica), pace.Clock{})
		return paces{one, one}
	}
	return paces{pace.New(primary, pace.Clock{}), pace.New(replica, pace.Clock{})}
}

func limitsOf(cfg *config.Config, s config.Server) pace.Limits {
	return pace.Limits{
		Parallel: cfg.Parallel, RequestsPerSecond: s.Limit.RequestsPerSecond, BytesPerSecond: s.Limit.BytesPerSecond,
	}
}

// Pace returns how both servers are treated now, by all pairs together. If they are
// one server, both are the same.
func (c *Connector) Pace() (primary, replica pace.Stats) {
	return c.paces.primary.Stats(), c.paces.replica.Stats()
}
