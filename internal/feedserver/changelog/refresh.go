package changelog

import (
	"context"
	"time"
)

// refresher lets one pass of Refresh run at a time. Those who call meanwhile
// share the next one: their number does not make more work.
type refresher struct {
	turn  chan struct{} // has one element while nobody makes a pass
	began time.Time     // of the last pass that worked; whoever has the turn may touch it
}

func newRefresher() refresher {
	r := refresher{turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// Refresh makes a pass, or waits for one that begins after it was called: what was
// committed before is in the log when it returns. It may be called whether or not
// this server makes the passes, and side by side. Returns the context's error when
// that ends first.
func (l *Log) Refresh(ctx context.Context) error {
	called := time.Now()
	select {
	case <-l.refresh.turn:
		defer func() { l.refresh.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.refresh.began.After(called) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	began := time.Now()
	if err := l.onePass(ctx); err != nil {
		return err
	}
	l.refresh.began = began
	return nil
}

// onePass makes a pass on a connection of the pool.
func (l *Log) onePass(ctx context.Context) error {
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	c := &capturer{log: l.o.Logger, control: l.control, now: l.o.Now}
	p, err := c.pass(ctx, conn.Conn(), true)
	if err != nil {
		return notInstalled(err)
	}
	return l.settle(ctx, p, conn.Conn())
}
