package primary

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Where an omnibus Chef server says how it is configured, and its secrets.
const (
	RunningFile = "/etc/opscode/chef-server-running.json"
	SecretsFile = "/etc/opscode/private-chef-secrets.json"
)

// databaseName is the database of erchef.
const databaseName = "opscode_chef"

// ErrDatabase says that it is not known where the database is, or how to log in
// there; the text says what to set.
var ErrDatabase = errors.New("the Chef server's database")

// Database says where the database is and how to log in.
type Database struct {
	// URL is a URL or DSN of PostgreSQL; "" has it found in RunningFile.
	URL string

	// PasswordFile holds the password, and nobody but its owner may read it.
	PasswordFile string

	PoolSize int // the most connections; 0: pgx's own default

	RunningFile, SecretsFile string // "": the constants of the package
}

// Config returns what to connect with, and in words what that was taken from. It
// connects to nothing. Its error is an [ErrDatabase] and shows no secret.
func (d Database) Config() (*pgxpool.Config, string, error) {
	from := "ec_sync_server['database']"
	text := d.URL
	if text == "" {
		var err error
		from = cmp.Or(d.RunningFile, RunningFile)
		if text, err = d.found(); err != nil {
			return nil, "", fmt.Errorf("%w: %w; set ec_sync_server['database'] = 'postgres://USER@HOST:5432/%s', and ec_sync_server['database_password_file']",
				ErrDatabase, err, databaseName)
		}
	}
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		// What pgx says of the text leaves its password out where it can tell.
		return nil, "", fmt.Errorf("%w: %s cannot be understood: write 'postgres://USER@HOST:5432/%s'", ErrDatabase, from, databaseName)
	}
	if d.PasswordFile != "" {
		if cfg.ConnConfig.Password, err = readPassword(d.PasswordFile); err != nil {
			return nil, "", fmt.Errorf("%w: ec_sync_server['database_password_file']: %w", ErrDatabase, err)
		}
	}
	if d.PoolSize > 0 {
		cfg.MaxConns = int32(max(d.PoolSize, 4)) //nolint:gosec // at most a thousand; one writes the log, one waits, two tell who asks
	}
	if cfg.ConnConfig.ValidateConnect == nil {
		// A standby is behind: followers would be told that their numbers were never
		// given out. Of several hosts the one that writes is taken.
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "chef-sync"
	}
	return cfg, from, nil
}

// Where says in words where a connection goes.
func Where(c *pgxpool.Config) string {
	return fmt.Sprintf("%s on %s:%d as %s", c.ConnConfig.Database, c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.User)
}

// readPassword reads a file that is its owner's alone.
func readPassword(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		return "", fmt.Errorf("%s is no file with a password", file)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s: others than its owner have access to it (mode %04o): run chmod 600 %s", file, info.Mode().Perm(), file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return password, nil
}

// running is what we read of RunningFile.
type running struct {
	Chef struct {
		PostgreSQL struct {
			VIP  string `json:"vip"`
			Port any    `json:"port"`
		} `json:"postgresql"`
		Erchef struct {
			User     string `json:"sql_user"`
			Password string `json:"sql_password"`
			VIP      string `json:"vip"`
			Port     any    `json:"port"`
		} `json:"opscode-erchef"`
	} `json:"private_chef"`
}

// found makes a URL of what the Chef server on this host uses itself.
func (d Database) found() (string, error) {
	file := cmp.Or(d.RunningFile, RunningFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("it is not set where it is, and there is no %s on this host that tells", file)
	}
	if err != nil {
		return "", fmt.Errorf("it is not set where it is, and %w", err)
	}
	var r running
	if err := json.Unmarshal(text, &r); err != nil {
		return "", fmt.Errorf("%s is not as it should be", file)
	}
	erchef := r.Chef.Erchef
	password := erchef.Password
	if d.PasswordFile == "" && password == "" {
		if password, err = d.secret("opscode_erchef", "sql_password"); err != nil {
			return "", err
		}
	}
	port, err := portOf(r.Chef.PostgreSQL.Port, 5432)
	if err != nil {
		return "", fmt.Errorf("%s has no port of PostgreSQL", file)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(cmp.Or(erchef.User, databaseName), password),
		Host: cmp.Or(r.Chef.PostgreSQL.VIP, "127.0.0.1") + ":" + strconv.Itoa(port), Path: "/" + databaseName,
	}
	return u.String(), nil
}

// secret reads SecretsFile in its plain form. A Chef server may also keep it
// encrypted.
func (d Database) secret(service, name string) (string, error) {
	file := cmp.Or(d.SecretsFile, SecretsFile)
	show := fmt.Sprintf("; put what 'chef-server-ctl show-secret %s %s' prints into a file of mode 0600 and name it in ec_sync_server['database_password_file']", service, name)
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("its password cannot be read: %w%s", err, show)
	}
	var groups map[string]map[string]any
	if json.Unmarshal(text, &groups) == nil {
		if password, ok := groups[service][name].(string); ok && password != "" {
			return password, nil
		}
	}
	return "", fmt.Errorf("its password is not in %s in a form that can be read%s", file, show)
}

// WithoutDSN is what an error of PostgreSQL or of a login says, without the
// address, user and database that it was tried with: the caller names these.
func WithoutDSN(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Message
	}
	var c *pgconn.ConnectError
	if errors.As(err, &c) && c.Unwrap() != nil {
		return c.Unwrap().Error()
	}
	return err.Error()
}
