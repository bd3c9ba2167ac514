package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Ports are taken from below those that systems give to outgoing connections
// (32768 and up on Linux, 49152 and up elsewhere): a server that is killed must
// find its port free when it starts again.
//
// They come in blocks. A block is the process's that holds its lock, until that ends:
// of test binaries that run side by side, none is given the port of another's server,
// be it one that is down for a moment or has yet to start.
const firstPort, lastPort, portBlock = 15000, 32000, 200

// ports are those of this process.
type ports struct {
	locks *os.File     // a byte for each block
	own   map[int]bool // blocks
	left  []int        // what is left of the blocks
}

// FreePort returns a TCP port on 127.0.0.1 that was free just now and that no other
// call gets, neither in this process nor in another one that uses this package. A
// program that does not may still take it.
func FreePort(t testing.TB) int {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	port, err := run.ports.next()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	return port
}

// borrowPort is FreePort for a server that begins now and whose port somebody else in
// this process may have after the test.
func borrowPort(t testing.TB) int {
	t.Helper()
	port := FreePort(t)
	t.Cleanup(func() {
		run.Lock()
		defer run.Unlock()
		run.ports.left = append(run.ports.left, port)
	})
	return port
}

func (p *ports) next() (int, error) {
	for {
		if len(p.left) == 0 {
			if err := p.reserve(); err != nil {
				return 0, err
			}
		}
		port := p.left[0]
		p.left = p.left[1:]
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			l.Close()
			return port, nil
		}
	}
}

// reserve locks a block that nobody has.
func (p *ports) reserve() error {
	for _, block := range rand.Perm((lastPort - firstPort) / portBlock) {
		if p.own[block] {
			continue // a process is always given its own locks again
		}
		ours, err := p.lock(block)
		if err != nil {
			return fmt.Errorf("lock ports: %w", err)
		}
		if !ours {
			continue
		}
		p.own[block] = true
		for i := range portBlock {
			p.left = append(p.left, firstPort+block*portBlock+i)
		}
		return nil
	}
	return fmt.Errorf("no free port on 127.0.0.1 between %d and %d", firstPort, lastPort)
}

// lock returns false if the block is another process's.
func (p *ports) lock(block int) (ours bool, err error) {
	if p.locks == nil {
		name := filepath.Join(os.TempDir(), fmt.Sprintf("chef-sync-ports-%d.lock", os.Geteuid()))
		if p.locks, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return false, err
		}
		p.own = map[int]bool{}
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(block), Len: 1}
	err = syscall.FcntlFlock(p.locks.Fd(), syscall.F_SETLK, &lock)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return false, nil
	}
	return err == nil, err
}
