package config

import (
	"strings"
	"time"
)

// A Setting describes one setting of chef-sync.rb.
type Setting struct {
	// Name is how a file writes it: poll_interval, ec_sync_client['dir'].
	Name string

	// Group is the heading under which the documentation has it.
	Group string

	// Default is the literal that has the effect of leaving the setting out.
	Default string

	// Doc says in sentences what the setting does.
	Doc string

	// Effective is false for a setting of the original that means nothing here;
	// Why says why.
	Effective bool
	Why       string

	// Secret values are not printed by [Config.Ruby].
	Secret bool

	// PerPair settings may also stand in an entry of organizations, and then
	// count for that pair.
	PerPair bool
}

// Settings returns every setting, in the order of the documentation.
func Settings() []Setting {
	var out []Setting
	for _, g := range groups() {
		for _, r := range g.rows {
			s := r.setting()
			s.Group = g.title
			out = append(out, s)
		}
	}
	return out
}

// A row is one line of the table of settings.
type row struct {
	path   []string // name and keys
	def    any
	set    setter
	doc    string
	why    string // not empty: the setting means nothing here
	open   bool   // a hash with keys of the writer's choice
	secret bool

	perPair bool // its setter reads into reader.into

	// implied settings have several names; finish supplies the default where none
	// of them is given.
	implied bool
}

// thisHost is the URL that the original's documentation gives both servers.
const thisHost = "https://127.0.0.1"

func (r row) name() string { return joinPath(r.path) }

func (r row) setting() Setting {
	s := Setting{
		Name: r.name(), Default: lit(r.def).String(), Doc: r.doc,
		Effective: r.why == "", Why: r.why, Secret: r.secret, PerPair: r.perPair,
	}
	if s.Doc == "" {
		s.Doc = "Accepted, without effect."
	}
	return s
}

// joinPath prints a path as a file writes it.
func joinPath(path []string) string {
	if len(path) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(path[0])
	for _, key := range path[1:] {
		b.WriteString("['" + key + "']")
	}
	return b.String()
}

// p splits a dotted path.
func p(path string) []string { return strings.Split(path, ".") }

// A group is a part of the table, with its heading in the documentation.
type group struct {
	title string
	rows  []row
}

// groups are the one list of settings, in the order of the documentation.
func groups() []group {
	return []group{
		{"What is copied to where", pairRows()},
		{"The primary", serverRows("master", "primary")},
		{"The replica", serverRows("replica", "replica")},
		{"What of a pair is copied", scopeRows()},
		{"How it is copied", replicationRows()},
		{"Temporal", temporalRows()},
		{"Metrics and webhooks", watchRows()},
		{"The replicator", clientRows()},
		{"The feed server", feedServerRows()},
		{"The rest of the original's", originalRows()},
	}
}

// table is the one list of settings. Each row's default is read by the same code
// as a value in a file.
func table() []row {
	var out []row
	for _, g := range groups() {
		out = append(out, g.rows...)
	}
	return out
}

// pairRows say what is copied to where.
func pairRows() []row {
	return []row{
		{path: p("role"), def: symbol(RoleReplica), set: choice(func(r *reader) *Role { return &r.cfg.Role }, RoleMaster, RoleReplica, RoleMasterAndReplica),
			doc: "What runs on this host: :replica, the replicator; :master, the feed server beside a primary; :master_and_replica, both."},
		{path: p("name"), def: "sync", set: label(func(r *reader) *string { return &r.cfg.Name }),
			doc: "The name of this replica. Replicas that share a Temporal cluster need different names."},
		{path: p("master"), def: thisHost, set: anyText, implied: true,
			doc: "The URL of the primary server, as in 'https://chef.example.com'. With /organizations/ORG at the end, ORG is the source of the pair. " +
				"The default, the server on this host, counts with role :master_and_replica and another replica; else master has to be set."},
		{path: p("replica"), def: thisHost, set: anyText, implied: true,
			doc: "The URL of the replica server; by default the server on this host. With /organizations/ORG at the end, ORG is the destination of the pair."},
		{path: p("organizations"), def: list{}, set: anyPairs, implied: true,
			doc: "What is copied: an array of { :source => 'acme', :destination => 'acme-eu' }, or of names where both are the same. " +
				"An entry may have keys of its own, which count for its pair before the settings of the same names: " + pairKeyNames() + "."},
		{path: p("organization"), def: list{}, set: anyPairs, implied: true,
			doc: "Another name of organizations."},
		{path: p("bootstrap"), def: true, set: flag(func(r *reader) *bool { return &r.cfg.Bootstrap }),
			doc: "Whether a new pair begins with a full comparison. With false it begins with the changes that come next, and what differs by then stays so until forget-cursor. The listing feed reads each object of the primary once to know what changes. Read by sync-start; sync-once always compares."},
	}
}

// serverRows are the settings of one side.
func serverRows(side, word string) []row {
	server := func(r *reader) *Server {
		if side == "master" {
			return &r.cfg.Primary
		}
		return &r.cfg.Replica
	}
	tls := func(key string) []string { return []string{side + "_tls", key} }
	return []row{
		{path: p(side + "_organizations"), def: true, set: flag(func(r *reader) *bool { return &server(r).HasOrganizations }),
			doc: "Whether the " + word + " has organizations. With false its API is at the root of its URL (goiardi), and the names of its side of a pair are labels."},
		{path: p(side + "_user"), def: "", set: text(func(r *reader) *string { return &server(r).User }),
			doc: "The user or client that signs requests to the " + word + "; unless set, ec_sync_client['sync_user']."},
		{path: p(side + "_key"), def: "", set: file(func(r *reader) *string { return &server(r).KeyFile }),
			doc: "The private key of " + side + "_user; unless set, ec_sync_client['sync_key']."},
		{path: tls("ca_file"), def: "", set: file(func(r *reader) *string { return &server(r).TLS.CAFile }),
			doc: "A PEM file of certificates to trust for the " + word + " beside the system's: an authority's, or the server's own self-signed one."},
		{path: tls("client_cert"), def: "", set: file(func(r *reader) *string { return &server(r).TLS.ClientCertFile }),
			doc: "A PEM file with the certificate to show to the " + word + "; with client_key."},
		{path: tls("client_key"), def: "", set: file(func(r *reader) *string { return &server(r).TLS.ClientKeyFile }),
			doc: "The private key of client_cert."},
		{path: tls("pin_sha256"), def: "", set: pin(func(r *reader) *string { return &server(r).TLS.PinSHA256 }),
			doc: "The SHA-256 sum, in hex or base64, of the public key of the " + word + ": it is then believed if and only if it has this key."},
		{path: tls("insecure"), def: false, set: flag(func(r *reader) *bool { return &server(r).TLS.Insecure }),
			doc: "With true no certificate of the " + word + " is verified. For tests; ca_file or pin_sha256 is the safe way to a self-signed one."},
		{path: p(side + "_headers"), def: hash{}, set: headers(server), open: true, secret: true,
			doc: "Header fields to send with each request to the " + word + ", as in { 'X-Proxy-Token' => '…' }."},
		{path: p(side + "_limit.requests_per_second"), def: 0, set: number(func(r *reader) *int { return &server(r).Limit.RequestsPerSecond }, 0, 100_000),
			doc: "The most requests to the " + word + " in a second, of all pairs together; 0 is any number. A server that is both takes the smaller of the two."},
		{path: p(side + "_limit.bytes_per_second"), def: 0, set: number(func(r *reader) *int64 { return &server(r).Limit.BytesPerSecond }, 0, 1<<40),
			doc: "The most bytes of cookbook files that are read from and written to the " + word + " in a second, of all pairs together; 0 is any number."},
		{path: p(side + "_file_hosts"), def: list{}, set: hosts(func(r *reader) *[]string { return &server(r).FileHosts }),
			doc: "Hosts, besides that of its URL, to which the " + word + " may send the replicator for cookbook files (S3, or the name by which a goiardi knows itself): 'host', 'host:port', '*.example.com'; with 'http://' before it also without encryption."},
	}
}

// replicationRows say how it is copied.
func replicationRows() []row {
	return []row{
		{path: p("poll_interval"), def: 10, set: duration(func(r *reader) *time.Duration { return &r.cfg.PollInterval }, 100*time.Millisecond, 24*time.Hour),
			doc: "How often the feed is asked for changes: seconds, or a duration such as '30s' or '5m'."},
		{path: p("poll_hold"), def: symbol("auto"), set: hold,
			doc: "How long one poll waits for a change before Temporal starts the next one, up to 60 seconds; it occupies one activity slot per pair meanwhile. " +
				":auto has a feed server hold the request, so that a change is copied at once, and ends each poll otherwise; where there are so many pairs that Temporal would start more than five polls a second, polls wait longer, up to five minutes."},
		{path: p("deep_interval"), def: "10m", set: duration(func(r *reader) *time.Duration { return &r.cfg.DeepInterval }, 0, 30*24*time.Hour),
			doc: "How often the listing feed compares contents rather than names; 0 does so at each poll."},
		{path: p("feed"), def: symbol(FeedAuto), set: choice(func(r *reader) *string { return &r.cfg.Feed }, FeedAuto, FeedUpdatedSince, FeedListing),
			doc: "How changes are found: :updated_since asks a feed server, " +
				":listing compares name lists and contents, :auto takes the first that works."},
		{path: p("parallel"), def: 4, set: number(func(r *reader) *int { return &r.cfg.Parallel }, 1, 8),
			doc: "How many requests to one server run at a time at the most, 1 to 8, of all pairs together. While the server fails or is slow there are fewer."},
		{path: p("staging"), def: "", set: text(func(r *reader) *string { return &r.cfg.StagingURL }),
			doc: "Where objects stand between reading and writing: the URL of a directory, as in 'file:///srv/staging', with mode 0700, or for several hosts that work for one replica that of a bucket, as in 's3://bucket?region=eu-central-1&prefix=chef-sync/'; '' is a directory below ec_sync_client['dir']."},
		{path: p("log_level"), def: symbol("info"), set: logLevel,
			doc: "The least level that is logged: :debug, :info, :warn or :error."},
	}
}

// temporalRows say where workflows run.
func temporalRows() []row {
	return []row{
		{path: p("temporal.address"), def: "", set: address(func(r *reader) *string { return &r.cfg.Temporal.Address }),
			doc: "host:port of a Temporal cluster. Without it, without a profile and without TEMPORAL_ADDRESS, a Temporal server runs inside the daemon."},
		{path: p("temporal.namespace"), def: "default", set: label(func(r *reader) *string { return &r.cfg.Temporal.Namespace }),
			doc: "The Temporal namespace."},
		{path: p("temporal.profile"), def: "", set: text(func(r *reader) *string { return &r.cfg.Temporal.Profile }),
			doc: "A profile of the standard Temporal configuration file."},
		{path: p("temporal.tls.ca_file"), def: "", set: file(func(r *reader) *string { return &r.cfg.Temporal.TLS.CAFile }),
			doc: "A PEM file of certificates to trust for Temporal beside the system's. Any setting of this group turns TLS on; what none sets comes from the profile."},
		{path: p("temporal.tls.client_cert"), def: "", set: file(func(r *reader) *string { return &r.cfg.Temporal.TLS.ClientCertFile }),
			doc: "A PEM file with the certificate to show to Temporal; with client_key. It is read anew for each connection."},
		{path: p("temporal.tls.client_key"), def: "", set: file(func(r *reader) *string { return &r.cfg.Temporal.TLS.ClientKeyFile }),
			doc: "The private key of client_cert; none but its owner may read it."},
		{path: p("temporal.tls.server_name"), def: "", set: text(func(r *reader) *string { return &r.cfg.Temporal.TLS.ServerName }),
			doc: "The name that Temporal's certificate has to have; unless set, the host of the address."},
		{path: p("temporal.tls.insecure"), def: false, set: flag(func(r *reader) *bool { return &r.cfg.Temporal.TLS.Insecure }),
			doc: "With true the certificate of Temporal is not verified. For tests; ca_file is the safe way to a private authority."},
		{path: p("temporal.api_key_file"), def: "", set: file(func(r *reader) *string { return &r.cfg.Temporal.APIKeyFile }),
			doc: "A file that holds an API key of Temporal and nothing else; none but its owner may read it. It turns TLS on, and is read anew when it changes."},
		{path: p("temporal.codec_key_file"), def: "", set: file(func(r *reader) *string { return &r.cfg.Temporal.CodecKeyFile }),
			doc: "A file of keys, a line ID:BASE64 of 32 bytes each; none but its owner may read it. What workflows keep in Temporal is then encrypted with the first, and read with all. Every ec-syncd and chef-sync-ctl of the replica needs it. See docs/production.md."},
		{path: p("temporal.deployment"), def: "", set: deployment,
			doc: "The name of a Temporal Worker Deployment: pairs are then moved to another version of ec-syncd by its set-current-version, and nothing runs before the first. Unset, every ec-syncd takes part as soon as it is started. See docs/production-workers.md."},
		{path: p("temporal.port"), def: 7233, set: number(func(r *reader) *int { return &r.cfg.Temporal.Port }, 0, 65535),
			doc: "The loopback port of the Temporal server inside the daemon; 0 takes any free one."},
		{path: p("temporal.ui_port"), def: 8233, set: number(func(r *reader) *int { return &r.cfg.Temporal.UIPort }, 0, 65535),
			doc: "The loopback port of its Web UI; 0 takes any free one."},
	}
}
