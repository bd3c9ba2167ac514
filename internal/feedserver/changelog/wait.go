package changelog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// pollTimeout bounds one look at the heads.
const pollTimeout = 10 * time.Second

// waiters are the callers of Wait. While there are any, one goroutine looks at
// the heads of all organizations for all of them.
type waiters struct {
	mu      sync.Mutex
	callers int
	polling bool

	// heads is what was seen last, nil = nothing yet; next is closed with what is
	// seen after it.
	heads map[string]head
	err   error
	next  chan struct{}
}

// head is where the numbering of an organization stands.
type head struct {
	epoch       string
	head, floor int64
}

// Wait returns nil as soon as a page after seq would not be empty: something
// changed, or the log cannot go on from there, or its epoch is another than it
// was when Wait was called. Returns the context's error when that ends first,
// and [ErrNoOrganization].
func (l *Log) Wait(ctx context.Context, org string, seq int64) error {
	w := &l.waiters
	w.mu.Lock()
	w.callers++
	if !w.polling {
		w.polling, w.heads, w.err, w.next = true, nil, nil, make(chan struct{})
		go l.poll(context.WithoutCancel(ctx))
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.callers--
		w.mu.Unlock()
	}()
	epoch := ""
	for looks := 0; ; looks++ {
		w.mu.Lock()
		heads, err, next := w.heads, w.err, w.next
		w.mu.Unlock()
		if err != nil {
			return fmt.Errorf("wait for changes of %q: %w", org, err)
		}
		if heads != nil {
			h, ok := heads[org]
			if epoch == "" {
				epoch = h.epoch
			}
			switch {
			case !ok:
				return fmt.Errorf("%w: %q", ErrNoOrganization, org)
			case h.head > seq, seq < h.floor, h.epoch != epoch:
				return nil
			case h.head < seq && looks > 1:
				return nil // the first two may have begun before the page that the caller has seen
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// poll looks at the heads until nobody waits any more.
func (l *Log) poll(ctx context.Context) {
	w := &l.waiters
	tick := time.NewTicker(min(max(l.o.Interval/4, 10*time.Millisecond), 100*time.Millisecond))
	defer tick.Stop()
	for {
		heads, err := l.heads(ctx)
		w.mu.Lock()
		w.heads, w.err = heads, err
		close(w.next)
		w.next = make(chan struct{})
		w.polling = w.callers > 0
		done := !w.polling
		w.mu.Unlock()
		if done {
			return
		}
		<-tick.C
	}
}

// heads reads the heads of all organizations.
func (l *Log) heads(ctx context.Context) (map[string]head, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	rows, err := l.pool.Query(ctx, `SELECT o.name, m.epoch::text, coalesce(s.head, 0), coalesce(s.floor, 0)
		FROM public.orgs o CROSS JOIN (SELECT epoch FROM chef_sync.meta LIMIT 1) m LEFT JOIN chef_sync.organizations s ON s.org_id = o.id::text`)
	if err != nil {
		return nil, notInstalled(err)
	}
	out := map[string]head{}
	var name string
	var h head
	_, err = pgx.ForEachRow(rows, []any{&name, &h.epoch, &h.head, &h.floor}, func() error {
		out[name] = h
		return nil
	})
	return out, notInstalled(err)
}
