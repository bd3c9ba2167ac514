package config

// Why the settings of the original that have no effect have none.
const (
	whyInstalled = "the package decides where its programs are, and nothing moves them later"
	whyBase      = "no program of the Chef server's is used; ec_sync_server['database'] and ['nginx_addon_dir'] say where its parts are"
	whySocket    = "chef-sync-ctl speaks to Temporal, and there is no socket"
	whyClientHA  = "with a Temporal cluster of yours an ec-syncd on another host goes on where this one stopped, with nothing to switch"
	whyServerHA  = "the change log is in the Chef server's PostgreSQL, so that any host may serve it, with nothing to switch"
	whyUser      = "the package makes a user of its own, chef-sync, without rights, and its systemd unit runs the daemon as that"
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
		{path: c("ha"), def: false, set: ignored, why: whyClientHA},
		{path: c("log_directory"), def: "/var/log/opscode/chef-sync/client", set: file(func(r *reader) *string { return &r.cfg.LogDirectory }),
			doc: "Where the replicator's log files are; '' writes none."},
		{path: c("log_rotation.file_maxbytes"), def: 104857600, set: number(func(r *reader) *int64 { return &rotation(r).MaxBytes }, 1<<10, 1<<40),
			doc: "The size at which a log file is put aside, in bytes."},
		{path: c("log_rotation.num_to_keep"), def: 10, set: number(func(r *reader) *int { return &rotation(r).Keep }, 1, 10_000),
			doc: "How many log files are kept."},
		{path: c("master"), def: thisHost, set: anyText, implied: true, doc: "Another name of master."},
		{path: c("organizations"), def: list{}, set: anyPairs, implied: true, doc: "Another name of organizations."},
		{path: c("replica"), def: thisHost, set: anyText, implied: true, doc: "Another name of replica."},
		{path: c("socket_path"), def: "/var/opt/chef-sync/ec_sync_client/ec_sync.sock", set: ignored, why: whySocket},
		{path: c("sync_key"), def: "/etc/chef-sync/ec_sync_user.pem", set: file(func(r *reader) *string { return &r.syncKey }),
			doc: "The private key of sync_user, a PEM file."},
		{path: c("sync_user"), def: "ec_sync_user", set: label(func(r *reader) *string { return &r.syncUser }),
			doc: "The user or client that signs requests to both servers."},
	}
}

// originalRows are the rest of the original's settings.
func originalRows() []row {
	return []row{
		{path: p("chef_base_path"), def: "/opt/opscode", set: ignored, why: whyBase},
		{path: p("install_path"), def: "/opt/chef-sync", set: ignored, why: whyInstalled},
		{path: p("user.home"), def: "/opt/opscode/embedded", set: ignored, why: whyUser},
		{path: p("user.shell"), def: "/bin/sh", set: ignored, why: whyUser},
		{path: p("user.username"), def: "opscode", set: ignored, why: whyUser},
	}
}
