package replicate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
)

// FileChecks remembers which contents of cookbook files were read, on either
// side, and how that went. The zero value is ready; it is safe for concurrent
// use.
type FileChecks struct {
	mu   sync.Mutex
	done map[fileOn]error
}

// fileOn is a content on one of the servers.
type fileOn struct {
	server *chef.Client
	sum    string
}

func (f *FileChecks) get(k fileOn) (err error, known bool) { //nolint:revive // not an error of get
	f.mu.Lock()
	defer f.mu.Unlock()
	err, known = f.done[k]
	return err, known
}

func (f *FileChecks) put(k fileOn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = map[fileOn]error{}
	}
	f.done[k] = err
}

// intact counts the distinct contents that were read and match their MD5 wherever
// they were read.
func (f *FileChecks) intact() int {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ok := map[string]bool{}
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

// files reads the files of two equal objects, on both sides, and counts the pair
// as equal if all are what their MD5 says.
func (c *comparison) files(ctx context.Context, d Difference, src, held kinds.Object) error {
	if c.opts.Files != nil {
		for _, side := range []struct {
			name   string
			server *chef.Client
			files  []chef.File
		}{{"replica", c.e.Replica, held.Files}, {"primary", c.e.Primary, src.Files}} {
			for _, f := range side.files {
				err := c.file(ctx, side.server, f)
				if err == nil {
					continue
				}
				err = fmt.Errorf("%s: file %s: %w", side.name, f.Path, err)
				if errors.Is(err, chef.ErrFileMissing) || errors.Is(err, chef.ErrChecksum) {
					d.Case, d.What = CaseDamaged, reason(err)
					c.differ(d, src, held)
					return nil
				}
				return c.unknown(ctx, d.Ref, KindCount{}, side.server, err) // it was counted
			}
		}
	}
	c.count(d.Ref.Kind, KindCount{Equal: 1})
	return nil
}

// file reads one file of a server, once per content. Two goroutines may read the
// same file; that costs a request and nothing else.
func (c *comparison) file(ctx context.Context, server *chef.Client, f chef.File) error {
	k := fileOn{server, f.Checksum}
	if err, known := c.opts.Files.get(k); known {
		return err
	}
	_, err := server.DownloadFile(ctx, f.URL, f.Checksum, io.Discard)
	if err != nil && brokeOff(err) {
		_, err = server.DownloadFile(ctx, f.URL, f.Checksum, io.Discard)
	}
	if chef.Classify(err) == chef.ClassRetry { // may be another for the next cookbook
		return err
	}
	c.opts.Files.put(k, err)
	return err
}
