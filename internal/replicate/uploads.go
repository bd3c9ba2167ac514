package replicate

import (
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
	// one merely wait for each other.
	stripes [256]sync.Mutex
}

// lock waits until no other upload of the file is under way, and returns its
// unlock.
func (u *Uploads) lock(sum string) (unlock func()) {
	u.once.Do(func() { u.seed = maphash.MakeSeed() })
	m := &u.stripes[maphash.String(u.seed, sum)%uint64(len(u.stripes))]
	m.Lock()
	return m.Unlock
}
