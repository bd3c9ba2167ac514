package feedserver

import (
	"context"

	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// A Log is what is served: a [changelog.Log], whose methods say what each of
// these does. It is safe for concurrent use.
type Log interface {
	Page(ctx context.Context, org string, seq int64, limit int) (changelog.Page, error)
	Wait(ctx context.Context, org string, seq int64) error
	Refresh(ctx context.Context) error
	Status(ctx context.Context) (changelog.Status, error)
}
