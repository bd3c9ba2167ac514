package config

import "time"

// Why the settings of the original that have no effect have none.
const (
	whyPackaged = "chef-sync is one program without a reconfigure step; what its package installs, it does not move"
	whySocket   = "chef-sync-ctl speaks to Temporal, there is no socket"
	whyHA       = "Temporal decides which host does the work; any number of them may run"
	whyVIP      = "clients reach the feed server through the Chef server's own address"
	whyUser     = "the service manager decides which user the daemon runs as"
)

// clientRows are ec_sync_client, the replicator.
func clientRows() []row {
	c := func(key string) []string { return append([]string{"ec_sync_client"}, p(key)...) }
	rotation := func(r *reader) *LogRotation { return &r.cfg.LogRotation }
	return []row{
		{path: c("dir"), def: "/var/opt/chef-sync/ec_sync_client", set: directory(func(r *reader) *string { return &r.cfg.Dir }),
			doc: "The replicator's working directory."},
		{path: c("enable"), def: true, set: flag(func(r *reader) *bool { return &r.cfg.ClientEnabled }),
			doc: "With false no replicator runs, whatever the role."},
		{path: c("ha"), def: false, set: ignored, why: whyHA},
		{path: c("log_directory"), def: "/var/log/opscode/chef-sync/client", set: file(func(r *reader) *string { return &r.cfg.LogDirectory }),
			doc: "Where the replicator's log files are; '' writes none."},
		{path: c("log_rotation.file_maxbytes"), def: 104857600, set: number(func(r *reader) *int64 { return &rotation(r).MaxBytes }, 1<<10, 1<<40),
			doc: "The size at which a log file is put aside, in bytes."},
		{path: c("log_rotation.num_to_keep"), def: 10, set: number(func(r *reader) *int { return &rotation(r).Keep }, 1, 10_000),
			doc: "How many log files are kept."},
		{path: c("master"), def: nil, set: anyText, doc: "Another name of master."},
		{path: c("organizations"), def: nil, set: anyPairs, doc: "Another name of organizations."},
		{path: c("replica"), def: nil, set: anyText, doc: "Another name of replica."},
		{path: c("socket_path"), def: "/var/opt/chef-sync/ec_sync_client/ec_sync.sock", set: ignored, why: whySocket},
		{path: c("sync_key"), def: "/etc/chef-sync/ec_sync_user.pem", set: file(func(r *reader) *string { return &r.syncKey }),
			doc: "The private key of sync_user, a PEM file."},
		{path: c("sync_user"), def: "ec_sync_user", set: label(func(r *reader) *string { return &r.syncUser }),
			doc: "The user or client that signs requests to both servers."},
	}
}

// feedServerRows are ec_sync_server, the feed server.
func feedServerRows() []row {
	s := func(key string) []string { return append([]string{"ec_sync_server"}, p(key)...) }
	side := func(r *reader) *ServerSide { return &r.cfg.Server }
	return []row{
		{path: s("auth_skew"), def: "900", set: duration(func(r *reader) *time.Duration { return &side(r).AuthSkew }, time.Second, 24*time.Hour),
			doc: "How far the time of a signature may be off: seconds, or a duration such as '15m'."},
		{path: s("db_pool_size"), def: 10, set: number(func(r *reader) *int { return &side(r).DBPoolSize }, 1, 1000),
			doc: "The number of connections to the Chef server's PostgreSQL."},
		{path: s("dir"), def: "/var/opt/chef-sync/ec_sync_server", set: directory(func(r *reader) *string { return &side(r).Dir }),
			doc: "The feed server's working directory."},
		{path: s("enable"), def: true, set: flag(func(r *reader) *bool { return &side(r).Enabled }),
			doc: "With false no feed server runs, whatever the role."},
		{path: s("ha"), def: false, set: ignored, why: whyHA},
		{path: s("listen"), def: "127.0.0.1", set: label(func(r *reader) *string { return &side(r).Listen }),
			doc: "The address that the feed server listens on."},
		{path: s("log_directory"), def: "/var/log/opscode/chef-sync/server", set: file(func(r *reader) *string { return &side(r).LogDirectory }),
			doc: "Where the feed server's log files are; '' writes none."},
		{path: s("log_rotation.file_maxbytes"), def: 104857600, set: number(func(r *reader) *int64 { return &side(r).LogRotation.MaxBytes }, 1<<10, 1<<40),
			doc: "The size at which a log file is put aside, in bytes."},
		{path: s("log_rotation.num_to_keep"), def: 10, set: number(func(r *reader) *int { return &side(r).LogRotation.Keep }, 1, 10_000),
			doc: "How many log files are kept."},
		{path: s("port"), def: 9996, set: number(func(r *reader) *int { return &side(r).Port }, 1, 65535),
			doc: "The port that the feed server listens on."},
		{path: s("vip"), def: "127.0.0.1", set: ignored, why: whyVIP},
	}
}

// originalRows are the rest of the original's settings.
func originalRows() []row {
	return []row{
		{path: p("chef_base_path"), def: "/opt/opscode", set: ignored, why: whyPackaged},
		{path: p("install_path"), def: "/opt/chef-sync", set: ignored, why: whyPackaged},
		{path: p("user.home"), def: "/opt/opscode/embedded", set: ignored, why: whyUser},
		{path: p("user.shell"), def: "/bin/sh", set: ignored, why: whyUser},
		{path: p("user.username"), def: "opscode", set: ignored, why: whyUser},
	}
}
