package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxSize bounds a file: what is larger is not a configuration.
const maxSize = 1 << 20

// Example is a complete file for the simplest case.
const Example = `role :replica
master 'https://chef-1.example.com'
replica 'https://chef-2.example.com'
organizations ['acme']
ec_sync_client['sync_key'] = '/etc/chef-sync/ec_sync_user.pem'
`

// Load reads, parses and validates a file. Its error is [Problems] if the file
// could be read, and wraps [fs.ErrNotExist] with an example if there is none.
func Load(file string) (*Config, error) {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no configuration at %s: %w\nwrite it there, for instance:\n\n%s", file, fs.ErrNotExist, Example)
	case err != nil:
		return nil, fmt.Errorf("configuration: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("the configuration %s is a directory; name the file, %s", file, filepath.Join(file, "chef-sync.rb"))
	case info.Size() > maxSize:
		return nil, fmt.Errorf("the configuration %s has %d bytes; it may have %d", file, info.Size(), maxSize)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(file, src)
}

// Parse parses and validates the content of a file. name stands in messages, and
// relative paths in the file are relative to its directory. The error, if any,
// is [Problems]; all that are found at once.
func Parse(name string, src []byte) (*Config, error) {
	r := newReader(name)
	r.statements(string(src))
	r.values()
	r.finish()
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	slices.SortStableFunc(r.cfg.Notices, func(a, b Notice) int { return a.Line - b.Line })
	r.cfg.given = r.given
	return r.cfg, nil
}

// Defaults returns the configuration of an empty file. It is not valid for any
// role that replicates, because it names no servers.
func Defaults() *Config {
	r := newReader(DefaultFile)
	r.values()
	r.finish()
	r.cfg.given = r.given
	return r.cfg
}
