package feedserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// The pause between two tries to open a log.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = 15 * time.Second
)

// errNotOpen is what a log says before anybody tried to open it.
var errNotOpen = errors.New("the change log is not open yet")

// Opened is the [changelog.Log] of a database that may be down, or may not have
// one yet. Until it is open all of its methods return why it is not.
type Opened struct {
	pool    *pgxpool.Pool
	options changelog.Options
	logger  *slog.Logger

	mu  sync.Mutex
	log *changelog.Log
	err error // why there is none
}

// NewOpened returns a log that [Opened.Run] will open. o.Logger is required.
func NewOpened(pool *pgxpool.Pool, o changelog.Options) *Opened {
	return &Opened{pool: pool, options: o, logger: o.Logger, err: errNotOpen}
}

// Run opens the log, however long that takes, and writes it until ctx ends.
func (o *Opened) Run(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		log, err := changelog.Open(ctx, o.pool, o.options)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			o.set(log, nil)
			o.logger.InfoContext(ctx, "the change log is open")
			return log.Run(ctx)
		}
		if errors.Is(err, changelog.ErrNotInstalled) {
			err = fmt.Errorf("%w; run chef-sync-ctl reconfigure on this host", err)
		}
		if was := o.set(nil, err); was == nil || was.Error() != err.Error() {
			o.logger.WarnContext(ctx, "the change log cannot be opened, will try again", "err", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

func (o *Opened) set(log *changelog.Log, err error) (was error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, o.log, o.err = o.err, log, err
	return was
}

func (o *Opened) get() (*changelog.Log, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log, o.err
}

// Page implements [Log].
func (o *Opened) Page(ctx context.Context, org string, seq int64, limit int) (changelog.Page, error) {
	log, err := o.get()
	if err != nil {
		return changelog.Page{}, err
	}
	return log.Page(ctx, org, seq, limit)
}

// Wait implements [Log].
func (o *Opened) Wait(ctx context.Context, org string, seq int64) error {
	log, err := o.get()
	if err != nil {
		return err
	}
	return log.Wait(ctx, org, seq)
}

// Refresh implements [Log].
func (o *Opened) Refresh(ctx context.Context) error {
	log, err := o.get()
	if err != nil {
		return err
	}
	return log.Refresh(ctx)
}

// Status implements [Log].
func (o *Opened) Status(ctx context.Context) (changelog.Status, error) {
	log, err := o.get()
	if err != nil {
		return changelog.Status{}, err
	}
	return log.Status(ctx)
}
