package config

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
)

// DefaultFile is where the configuration is looked for unless another file is
// named.
const DefaultFile = "/etc/chef-sync/chef-sync.rb"

// Role says which parts of chef-sync run on this host.
type Role string

// The roles, with the words of the original file.
const (
	RoleMaster           Role = "master"             // the feed server, beside a primary
	RoleReplica          Role = "replica"            // the replicator
	RoleMasterAndReplica Role = "master_and_replica" // both
)

// The values of the setting feed.
const (
	FeedAuto         = "auto"          // updated_since where it answers, else listing
	FeedUpdatedSince = "updated_since" // the change log of a feed server
	FeedListing      = "listing"       // name lists and contents, compared
)

// HoldAuto is the PollHold of a file that leaves it to the number of pairs.
const HoldAuto time.Duration = -1

// The values of the setting ec_sync_server['capture'].
const (
	CaptureSnapshot = "snapshot" // the tables are compared with what they were
	CaptureTriggers = "triggers" // PostgreSQL writes each change down
)

// Extras says what happens to an object that only the replica has.
type Extras string

// The values of the setting extras.
const (
	ExtrasKeep   Extras = "keep"   // report it and leave it
	ExtrasDelete Extras = "delete" // delete it, within the delete limit
)

// Config is a whole chef-sync.rb with all defaults filled in. Its paths are
// absolute if the file's own path is: a relative path in the file is relative to
// the file.
type Config struct {
	// File is the name of the file that was read.
	File string

	Role Role

	// Name keeps apart several replicas on one Temporal cluster; it is part of
	// the workflow IDs.
	Name string

	Primary, Replica Server

	// Pairs are in the order of the file. Empty with the role master alone.
	Pairs []object.Pair

	// Bootstrap is false if a new pair must not start with a full sync.
	Bootstrap bool

	Temporal Temporal

	Watch Watch

	PollInterval time.Duration // from one look at the feed to the next
	PollHold     time.Duration // how long one poll may wait for a change; 0: not at all; or HoldAuto
	DeepInterval time.Duration // how often the listing feed compares contents; 0: at each poll

	Feed string // FeedAuto, FeedUpdatedSince or FeedListing

	// Parallel is the number of requests to one server at a time, 1 to 8.
	Parallel int

	// StagingURL is a gocloud.dev/blob URL; file:// below Dir unless set.
	StagingURL string

	Dir          string // the replicator's working directory
	LogDirectory string // "" writes no log files
	LogLevel     slog.Level
	LogRotation  LogRotation

	// ClientEnabled is ec_sync_client['enable']; see [Config.Replicates].
	ClientEnabled bool

	// Server configures the feed server, for the roles that run one.
	Server ServerSide

	// Notices are remarks on settings that have no effect or an unexpected one.
	// They are meant to be logged once, at start.
	Notices []Notice

	// given holds what the file itself sets, by the name of the setting.
	given map[string]node

	// origins and ownLines say where each value comes from; see [Config.Effective].
	origins  map[string]origin
	ownLines map[object.Pair]lineOfKey

	// all is how a pair is replicated unless its entry says otherwise; own is how
	// each of Pairs is. Read them with [Config.Settings].
	all PairSettings
	own map[object.Pair]PairSettings
}

// Server is one Chef Infra Server and how to speak to it.
type Server struct {
	// URL is the root of the server, without /organizations/ORG and without a
	// slash at the end.
	URL string

	// HasOrganizations is false for a server whose API is at the root: goiardi,
	// chef-zero in single-organization mode. The names of its side of a pair are
	// then labels only.
	HasOrganizations bool

	User    string // the name that signs requests
	KeyFile string // PEM of its private key

	TLS TLS

	// Header is sent with every request. Values may be secrets.
	Header http.Header

	Limit ServerLimit

	// FileHosts are hosts, besides the URL's own, from and to which cookbook
	// files may be transferred: "host", "host:port", "*.example.com", each with
	// "http://" before it if the transfer may be unencrypted.
	FileHosts []string
}

// ServerLimit bounds what a server is asked for by all pairs together; zero means
// no bound.
type ServerLimit struct {
	RequestsPerSecond int
	BytesPerSecond    int64 // of cookbook files, both ways
}

// TLS says which server to believe and how to prove who we are. The zero value
// trusts the system's certificate authorities. It has the fields of
// chef.TLSOptions, so that one converts to the other.
type TLS struct {
	CAFile         string // PEM of certificates to trust beside the system's
	ClientCertFile string // PEM, with ClientKeyFile
	ClientKeyFile  string

	// PinSHA256 is the SHA-256 sum of the one public key (SubjectPublicKeyInfo)
	// that the server may show, in lower case hex. "" accepts any certificate
	// that verifies.
	PinSHA256 string

	// Insecure turns the verification of certificates off.
	Insecure bool
}

// Temporal says where workflows run.
type Temporal struct {
	// Address is host:port of a Temporal cluster; "" with an empty Profile starts
	// the embedded server.
	Address string

	Namespace string

	// Profile is a profile of the standard Temporal configuration file.
	Profile string

	TLS TemporalTLS

	// APIKeyFile holds the API key that requests carry; "" sends none but that of
	// a profile.
	APIKeyFile string

	// CodecKeyFile holds the keys that encrypt what Temporal keeps; "" encrypts
	// nothing.
	CodecKeyFile string

	// Deployment is the Worker Deployment that ec-syncd belongs to with its version;
	// "" is none.
	Deployment string

	Port   int // of the embedded server on loopback; 0: any free port
	UIPort int // of its Web UI; 0: any free port
}

// TemporalTLS says which Temporal server to believe and how to prove who we are.
// What is not set is left to the profile, or to the variables TEMPORAL_TLS_….
type TemporalTLS struct {
	CAFile         string // PEM of certificates to trust beside the system's
	ClientCertFile string // PEM, with ClientKeyFile
	ClientKeyFile  string
	ServerName     string // that the certificate has to have; "": the host of the address
	Insecure       bool   // turns the verification of the certificate off
}

// Embedded reports whether the file asks for no Temporal but the embedded one.
// The standard TEMPORAL_* variables, which this package does not read, may.
func (t Temporal) Embedded() bool { return t.Address == "" && t.Profile == "" }

// LogRotation bounds the log files.
type LogRotation struct {
	MaxBytes int64 // of one file
	Keep     int   // how many old files
}

// DeleteLimit bounds what one cycle deletes without an operator's word. A cycle
// that would delete more than Percent of a kind, and more than Objects, halts.
// Zero allows none on its account.
type DeleteLimit struct {
	Percent int
	Objects int
}

// ServerSide configures the feed server (ec_sync_server).
type ServerSide struct {
	Enabled      bool
	Listen       string // the address to listen on, without the port
	Port         int
	Dir          string
	LogDirectory string
	LogRotation  LogRotation

	// AuthSkew is how far a signature's time may be off.
	AuthSkew time.Duration

	// DBPoolSize is the number of connections to the Chef server's PostgreSQL.
	DBPoolSize int

	// VIP is the address, without the port, at which nginx reaches the server.
	VIP string

	// Allow names the users who may ask for changes; never empty.
	Allow []string

	Capture   string // CaptureSnapshot or CaptureTriggers
	Interval  time.Duration
	Retention time.Duration // of deletes
	Nodes     bool          // whether changes of nodes are noticed

	// Database is the URL or DSN of the Chef server's PostgreSQL; "" has it found
	// from the Chef server's own configuration.
	Database             string
	DatabasePasswordFile string

	// ValidateURL is the root of the Chef server that is asked whether a signature
	// is good; "" has it verified with the keys in the database.
	ValidateURL string

	TLSCert, TLSKey string // PEM files; "" speaks plain http

	NginxAddonDir string // "" writes nothing for nginx
}

// Replicates reports whether a replicator runs on this host.
func (c *Config) Replicates() bool {
	return c.ClientEnabled && (c.Role == RoleReplica || c.Role == RoleMasterAndReplica)
}

// Serves reports whether a feed server runs on this host.
func (c *Config) Serves() bool {
	return c.Server.Enabled && (c.Role == RoleMaster || c.Role == RoleMasterAndReplica)
}

// Pair finds the pair of an organization: the one that writes org, else the one
// that reads it. It returns false if there is none, or if org is the source of
// several pairs and the destination of none; then the destination has to be
// named.
func (c *Config) Pair(org string) (object.Pair, bool) {
	var found []object.Pair
	for _, p := range c.Pairs {
		if p.Destination == org {
			return p, true
		}
		if p.Source == org {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return object.Pair{}, false
	}
	return found[0], true
}

// IsSet reports whether the file itself sets the named setting, such as
// "poll_interval" or "temporal['namespace']", rather than leaving it at its
// default.
func (c *Config) IsSet(name string) bool {
	_, ok := c.given[name]
	return ok
}
