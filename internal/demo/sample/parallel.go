package sample

import (
	"context"
	"sync"
)

// A call is one thing to do.
type call func(context.Context) error

// inParallel makes the calls, n at a time and at least one. It stops at the first error and
// returns that one, when all calls that were begun have ended.
func inParallel(ctx context.Context, n int, calls []call) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan call)
	var workers sync.WaitGroup
	for range min(max(n, 1), len(calls)) {
		workers.Go(func() {
			for do := range next {
				if err := do(ctx); err != nil {
					cancel(err) // only the first one counts
				}
			}
		})
	}
feed:
	for _, do := range calls {
		select {
		case next <- do:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
