package replicate

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files, not a protection
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
)

// FileChecks remembers which contents of cookbook files were read, on either
// side, and how that went. The zero value is ready; it is safe for concurrent
// use. It holds some 50 bytes for each content and side.
type FileChecks struct {
	mu      sync.Mutex
	done    map[fileOn]error
	reading map[fileOn]chan struct{} // closed when somebody has read it
}

// fileOn is a content on one of the servers.
type fileOn struct {
	server *chef.Client
	sum    [md5.Size]byte
}

func onServer(server *chef.Client, f chef.File) fileOn {
	k := fileOn{server: server}
	_, _ = hex.Decode(k.sum[:], []byte(f.Checksum)) // what is no MD5 fails when it is read
	return k
}

// begin returns how reading the content went, if that is known. If it is not,
// either somebody is reading it, and busy is closed when that is done, or the
// caller has to read it now and to call end.
func (f *FileChecks) begin(k fileOn) (known bool, busy <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, known = f.done[k]; known {
		return true, nil, err
	}
	if ch := f.reading[k]; ch != nil {
		return false, ch, nil
	}
	if f.reading == nil {
		f.reading, f.done = map[fileOn]chan struct{}{}, map[fileOn]error{}
	}
	f.reading[k] = make(chan struct{})
	return false, nil, nil
}

// end notes how reading the content went; not if it may go otherwise next time.
func (f *FileChecks) end(k fileOn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if chef.Classify(err) != chef.ClassRetry {
		f.done[k] = err
	}
	close(f.reading[k])
	delete(f.reading, k)
}

// intact counts the distinct contents that were read and match their MD5 wherever
// they were read.
func (f *FileChecks) intact() int {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ok := map[[md5.Size]byte]bool{}
	for k, err := range f.done {
		if was, seen := ok[k.sum]; !seen || was {
			ok[k.sum] = err == nil
		}
	}
	n := 0
	for _, yes := range ok {
		if yes {
			n++
		}
	}
	return n
}

// sideFiles are the files of an object on one side.
type sideFiles struct {
	name   string
	server *chef.Client
	files  []chef.File
}

// files reads the files of two equal objects, on both sides, and counts the pair
// as equal if all are what their MD5 says.
func (c *comparison) files(ctx context.Context, d Difference, src, held kinds.Object) error {
	if c.opts.Files == nil {
		c.count(d.Ref.Kind, KindCount{Equal: 1})
		return nil
	}
	sides := []sideFiles{{"replica", c.e.Replica, held.Files}, {"primary", c.e.Primary, src.Files}}
	// Versions of one cookbook share most of their files, and several are compared
	// side by side. First those that nobody is reading, so that nobody waits.
	for _, wait := range []bool{false, true} {
		for _, side := range sides {
			for _, f := range side.files {
				err := c.file(ctx, side.server, f, wait)
				if err == nil {
					continue
				}
				lost := errors.Is(err, chef.ErrFileMissing) || errors.Is(err, chef.ErrChecksum)
				if lost && !wait {
					continue // which one is named does not depend on who reads first
				}
				err = fmt.Errorf("%s: file %s: %w", side.name, f.Path, err)
				if lost {
					d.Case, d.What = CaseDamaged, reason(err)
					c.differ(d, src, held)
					return nil
				}
				return c.unknown(ctx, d, false, side.server, err)
			}
		}
	}
	c.count(d.Ref.Kind, KindCount{Equal: 1})
	return nil
}

// file reads one file of a server, once per content. If somebody else is reading
// it, the result is waited for, or without wait taken to be good for now.
func (c *comparison) file(ctx context.Context, server *chef.Client, f chef.File, wait bool) error {
	k := onServer(server, f)
	for {
		known, busy, err := c.opts.Files.begin(k)
		switch {
		case known:
			return err
		case busy == nil:
			_, err = server.DownloadFile(ctx, f.URL, f.Checksum, io.Discard)
			if err != nil && brokeOff(err) {
				_, err = server.DownloadFile(ctx, f.URL, f.Checksum, io.Discard)
			}
			c.opts.Files.end(k, err)
			return err
		case !wait:
			return nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
