package replicate

import (
	"context"
	"hash/maphash"
	"sync"
)

// Uploads keeps apart the uploads of one file: two at the same time make a Chef
// server answer 500. The zero value is ready; one is shared by all engines of a
// process.
type Uploads struct {
	once sync.Once
	seed maphash.Seed

	// Locks are striped, so that they need no cleaning up. Two files that share
	// one merely wait for each other. Each holds one value while it is taken.
	stripes [256]chan struct{}
}

// lock waits until no other upload of the file is under way, and returns its
// unlock. Its error is that of ctx: another pair's upload may take its time.
func (u *Uploads) lock(ctx context.Context, sum string) (unlock func(), err error) {
	u.once.Do(func() {
		u.seed = maphash.MakeSeed()
		for i := range u.stripes {
			u.stripes[i] = make(chan struct{}, 1)
		}
	})
	stripe := u.stripes[maphash.String(u.seed, sum)%uint64(len(u.stripes))]
	select {
	case stripe <- struct{}{}:
		return func() { <-stripe }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
