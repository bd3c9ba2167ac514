package connect

import (
	"context"
	"log/slog"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// Engine returns an engine of a pair that compares and does nothing else: it has
// no staging, so that it must not fetch or apply. No request is made. Its errors
// are those of [Connector.Connect].
func Engine(ctx context.Context, cfg *config.Config, p object.Pair, log *slog.Logger) (*replicate.Engine, error) {
	conn, err := New(cfg, nil, log).Connect(ctx, p)
	if err != nil {
		return nil, err
	}
	return conn.Engine, nil
}
