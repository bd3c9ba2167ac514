package daemon

import (
	"context"
	"log/slog"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
)

// checkKeys says at the start which keys cannot be used. Nothing ends for that: pairs
// wait, each with the reason, and go on when the key is mended.
func checkKeys(ctx context.Context, log *slog.Logger, cfg *config.Config) {
	for _, p := range connect.KeyProblems(cfg) {
		log.ErrorContext(ctx, "a key cannot be used: pairs wait until it can be",
			"side", p.Side, "setting", p.Setting, "file", p.File, "err", p.Err, "hint", p.Fix)
	}
}
