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
	file, src, err := read(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, src)
}

// Inspect is Load for those who want to see what could be read of a file that has
// problems, too. The configuration is then not fit for anything but
// [Config.Effective] and [Config.EffectiveOf]. The error is about a file that could
// not be read.
func Inspect(file string) (*Config, Problems, error) {
	file, src, err := read(file)
	if err != nil {
		return nil, nil, err
	}
	c, problems := parse(file, src)
	return c, problems, nil
}

// read reads a file and makes its name absolute.
func read(file string) (string, []byte, error) {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file, nil, fmt.Errorf("there is no configuration at %s: %w\nwrite it there, for instance:\n\n%s", file, fs.ErrNotExist, Example)
	case err != nil:
		return file, nil, fmt.Errorf("configuration: %w", err)
	case info.IsDir():
		return file, nil, fmt.Errorf("the configuration %s is a directory; name the file, %s", file, filepath.Join(file, "chef-sync.rb"))
	case info.Size() > maxSize:
		return file, nil, fmt.Errorf("the configuration %s has %d bytes; it may have %d", file, info.Size(), maxSize)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return file, nil, fmt.Errorf("configuration: %w", err)
	}
	return file, src, nil
}

// Parse parses and validates the content of a file. name stands in messages, and
// relative paths in the file are relative to its directory. The error, if any,
// is [Problems]; all that are found at once.
func Parse(name string, src []byte) (*Config, error) {
	c, problems := parse(name, src)
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// parse returns what was understood, and what was not.
func parse(name string, src []byte) (*Config, Problems) {
	r := newReader(name)
	r.statements(string(src))
	return r.config(), r.problems
}

// config makes a Config of what was given.
func (r *reader) config() *Config {
	r.values()
	r.finish()
	r.problems.sort()
	slices.SortStableFunc(r.cfg.Notices, func(a, b Notice) int { return a.Line - b.Line })
	r.cfg.given, r.cfg.origins, r.cfg.ownLines = r.given, r.origins, r.own
	return r.cfg
}

// Defaults returns the configuration of an empty file. It is not valid for any
// role that replicates, because it names no servers.
func Defaults() *Config { return newReader(DefaultFile).config() }
