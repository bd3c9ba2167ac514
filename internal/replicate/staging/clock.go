package staging

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// measureEvery is how often the store is asked for the time. In between a clock
// counts by the monotonic one of the process, which nobody sets.
const measureEvery = time.Hour

// clock is the clock by which a store dates its blobs. The hosts that share a store
// may disagree about the time; what is old is decided by this one.
type clock struct {
	measure func(context.Context) (time.Time, error)

	mu   sync.Mutex
	at   time.Time // of the process, when was was measured; zero = never
	was  time.Time // of the store
	fake func() time.Time
}

// now returns the store's time.
func (c *clock) now(ctx context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fake != nil {
		return c.fake(), nil
	}
	if c.at.IsZero() || time.Since(c.at) > measureEvery {
		at := time.Now()
		was, err := c.measure(ctx)
		if err != nil {
			return time.Time{}, err
		}
		c.at, c.was = at, was
	}
	return c.was.Add(time.Since(c.at)), nil
}

// measure reads the store's time off a blob that it writes and removes. One that a
// crash leaves goes with the batches.
func (s *Store) measure(ctx context.Context) (time.Time, error) {
	key := batchKey("clock-"+NewBatchID(), "now")
	if err := s.bucket.WriteAll(ctx, key, nil, nil); err != nil {
		return time.Time{}, fmt.Errorf("ask the staging store for the time: %w", err)
	}
	attrs, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the staging store for the time: %w", err)
	}
	return attrs.ModTime, s.remove(ctx, key)
}
