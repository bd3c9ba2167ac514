//go:build !noembed

package temporalserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// clusterName is the name of the only cluster the server knows.
const clusterName = "active"

// databaseName returns the name of the database file, temporal-MAJOR.MINOR.db.
// The schema may change with every minor version of the server, and never within one.
func databaseName() string {
	version := strings.SplitN(headers.ServerVersion, ".", 3)
	return fmt.Sprintf("temporal-%s.%s.db", version[0], version[1])
}

// openDatabase returns the connection settings of the database that o asks for,
// and the lock that keeps other processes away from it (nil in memory).
func openDatabase(o Options) (*config.SQL, *fileLock, error) {
	if o.Dir == "" {
		return memoryDatabase(), nil, nil
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("working directory of the embedded Temporal server: %w", err)
	}
	path := filepath.Join(dir, databaseName())
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, nil, fmt.Errorf("working directory of the embedded Temporal server: %w", err)
	}
	if err := createDatabase(path); err != nil {
		lock.release()
		return nil, nil, fmt.Errorf("create %s: %w", path, err)
	}
	return fileDatabase(path, map[string]string{"journal_mode": "wal", "synchronous": "1"}), &lock, nil
}

// memoryDatabase returns a database of its own: the name tells two servers of one
// process apart.
func memoryDatabase() *config.SQL {
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      "chef-sync-" + uuid.NewString(),
		ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
	}
}

// fileDatabase returns the database at path. The plugin pastes the name into a
// file: URI, hence the escaping.
func fileDatabase(path string, pragmas map[string]string) *config.SQL {
	attributes := map[string]string{"mode": "rw"}
	for name, value := range pragmas {
		attributes[name] = value
	}
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      (&url.URL{Path: path}).EscapedPath(),
		ConnectAttributes: attributes,
	}
}

// createDatabase makes the file at path with the server's schema in it, unless it
// exists. The caller holds the lock.
//
// The schema is some hundred statements without a transaction around them, and
// the server does not notice when half of it is missing. So it is written under
// another name, and path appears complete or not at all. Being thrown away after
// a crash, that file needs no journal.
func createDatabase(path string) error {
	const unfinished = ".unfinished-"
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	left, err := filepath.Glob(globEscape(path) + unfinished + "*")
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	// A name not used before: the plugin keeps connections by name for ever.
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+unfinished)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := sqliteschema.SetupSchema(fileDatabase(file.Name(), map[string]string{"journal_mode": "off", "synchronous": "0"})); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// globEscape returns a pattern that matches path and nothing else.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// syncDirectory makes a rename in dir survive a power cut.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// createNamespace adds o's namespace to the database before the server starts, so
// that it is there from the first request on. An existing one is left as it is;
// see updateNamespace.
func createNamespace(db *config.SQL, o Options) error {
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, o.Namespace, false, o.SearchAttributes)
	if err != nil {
		return err
	}
	ns.Detail.Config.Retention = durationpb.New(o.Retention)
	return sqliteschema.CreateNamespaces(db, ns)
}
