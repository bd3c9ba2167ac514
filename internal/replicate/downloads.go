package replicate

import (
	"context"
	"sync"
)

// Downloads keeps apart the downloads of one file, so that organizations which are
// copied at the same time and share it bring it into staging once: whoever comes
// second waits and finds it there. The zero value is ready; one is shared by all
// engines of a process. A nil one keeps nothing apart.
type Downloads struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // by MD5; closed when the download has ended
}

// begin waits until no other download of the file is under way, and returns what ends
// this one. Its error is that of ctx.
func (d *Downloads) begin(ctx context.Context, sum string) (end func(), err error) {
	if d == nil {
		return func() {}, nil
	}
	for {
		d.mu.Lock()
		other, taken := d.busy[sum]
		if !taken {
			if d.busy == nil {
				d.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			d.busy[sum] = mine
			d.mu.Unlock()
			return func() { d.end(sum, mine) }, nil
		}
		d.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (d *Downloads) end(sum string, mine chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, sum)
	close(mine)
}
