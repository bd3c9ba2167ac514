package config

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// ValidateNone is the validate_url that has nobody asked but the database.
const ValidateNone = "none"

// feedServerRows are ec_sync_server, the feed server beside a primary. The first
// are those of the original, the rest are ours.
func feedServerRows() []row {
	s := func(key string) []string { return append([]string{"ec_sync_server"}, p(key)...) }
	side := func(r *reader) *ServerSide { return &r.cfg.Server }
	return []row{
		{path: s("auth_skew"), def: "900", set: duration(func(r *reader) *time.Duration { return &side(r).AuthSkew }, time.Second, 24*time.Hour),
			doc: "How far the time of a signature may be off: seconds, or a duration such as '15m'. With validate_url the Chef server's own setting counts."},
		{path: s("db_pool_size"), def: 10, set: number(func(r *reader) *int { return &side(r).DBPoolSize }, 1, 1000),
			doc: "The most connections to the Chef server's PostgreSQL."},
		{path: s("dir"), def: "/var/opt/chef-sync/ec_sync_server", set: directory(func(r *reader) *string { return &side(r).Dir }),
			doc: "The feed server's working directory."},
		{path: s("enable"), def: true, set: flag(func(r *reader) *bool { return &side(r).Enabled }),
			doc: "With false no feed server runs, whatever the role."},
		{path: s("ha"), def: false, set: ignored, why: whyServerHA},
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
		{path: s("vip"), def: "127.0.0.1", set: label(func(r *reader) *string { return &side(r).VIP }),
			doc: "The address at which the Chef server's nginx reaches the feed server. Where listen names a single one it is that."},

		{path: s("allow"), def: list{}, set: names(func(r *reader) *[]string { return &side(r).Allow }),
			doc: "The users who may ask for changes, as in ['ec_sync_user']; unless set, ec_sync_client['sync_user'] alone. Clients never may."},
		{path: s("capture"), def: symbol(CaptureSnapshot), set: choice(func(r *reader) *string { return &side(r).Capture }, CaptureSnapshot, CaptureTriggers),
			doc: "How changes are noticed: :snapshot compares the tables every interval, :triggers has PostgreSQL write down each change."},
		{path: s("database"), def: "", set: database, secret: true,
			doc: "The Chef server's PostgreSQL database opscode_chef, 'postgres://user@host:5432/opscode_chef' or 'host=… user=… dbname=…'; unless set, as the Chef server on this host uses it."},
		{path: s("database_password_file"), def: "", set: file(func(r *reader) *string { return &side(r).DatabasePasswordFile }),
			doc: "A file that holds the password of the database's user and nothing else; none but its owner may read it."},
		{path: s("interval"), def: "200ms", set: duration(func(r *reader) *time.Duration { return &side(r).Interval }, 100*time.Millisecond, time.Hour),
			doc: "How often the tables are looked at, or what triggers wrote down is put in order; " +
				"longer by itself where looks take long, so that they are a tenth of the time, but no longer than five minutes."},
		{path: s("nginx_addon_dir"), def: "/var/opt/opscode/nginx/etc/addon.d", set: file(func(r *reader) *string { return &side(r).NginxAddonDir }),
			doc: "Where reconfigure writes what tells the Chef server's nginx of the feed server; '' writes none."},
		{path: s("nodes"), def: false, set: flag(func(r *reader) *bool { return &side(r).Nodes }),
			doc: "Whether changes of nodes are noticed: each run of a chef-client is one."},
		{path: s("retention"), def: "720h", set: duration(func(r *reader) *time.Duration { return &side(r).Retention }, time.Hour, 10*365*24*time.Hour),
			doc: "How long deletes are remembered. A replica that was away longer compares everything."},
		{path: s("tls_cert"), def: "", set: file(func(r *reader) *string { return &side(r).TLSCert }),
			doc: "A PEM file with the certificate of the feed server, which then speaks https; with tls_key. Without it nginx is to stand in front."},
		{path: s("tls_key"), def: "", set: file(func(r *reader) *string { return &side(r).TLSKey }),
			doc: "The private key of tls_cert."},
		{path: s("validate_url"), def: "", set: text(func(r *reader) *string { return &side(r).ValidateURL }),
			doc: "The root of the Chef server on loopback, as in 'https://127.0.0.1': it alone is then asked whether a signature is good. Unless set, the keys in the database tell, and a Chef server on this host has to agree if it is there; 'none' does not ask it."},
	}
}

// names reads names of users.
func names(to func(*reader) *[]string) setter {
	const want = "names of users as in ['ec_sync_user']"
	return func(r *reader, name string, v node) {
		items, ok := words(r, name, v, want)
		if !ok {
			return
		}
		for _, item := range items {
			s := item.val.(string)
			if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '/' || c == 0x7f }) {
				r.fail(item.pos, name+" cannot hold "+quote(s), "write "+want)
				continue
			}
			*to(r) = append(*to(r), s)
		}
		r.understood(name, *to(r))
	}
}

// database reads where PostgreSQL is. No message repeats it: it may hold a
// password.
func database(r *reader, name string, v node) {
	const want = "'postgres://user@host:5432/opscode_chef', or 'host=/tmp user=opscode_chef dbname=opscode_chef'"
	s, ok := v.val.(string)
	switch {
	case !ok:
		r.wrong(name, v, want)
	case s == "", strings.HasPrefix(s, "postgres://"), strings.HasPrefix(s, "postgresql://"), strings.Contains(s, "=") && !strings.Contains(s, "://"):
		r.cfg.Server.Database = s
	default:
		r.fail(v.pos, name+" is no address of PostgreSQL", "write "+want)
	}
}

// feedServer completes and checks ec_sync_server.
func (r *reader) feedServer() {
	s := &r.cfg.Server
	pos := func(key string) position { return r.lines["ec_sync_server['"+key+"']"] }
	if len(s.Allow) == 0 {
		s.Allow = []string{r.syncUser}
		r.derive("ec_sync_server['allow']", s.Allow, "ec_sync_client['sync_user']")
	}
	if _, set := r.lines["ec_sync_server['vip']"]; !set && !everywhere(s.Listen) && s.Listen != s.VIP {
		s.VIP = s.Listen // or nginx asks where nobody listens
		r.derive("ec_sync_server['vip']", s.VIP, "ec_sync_server['listen']")
	}
	switch {
	case s.TLSCert != "" && s.TLSKey == "":
		r.fail(pos("tls_cert"), "ec_sync_server['tls_cert'] needs its key", "add ec_sync_server['tls_key'] = '/path/to/key.pem'")
	case s.TLSKey != "" && s.TLSCert == "":
		r.fail(pos("tls_key"), "ec_sync_server['tls_key'] needs its certificate", "add ec_sync_server['tls_cert'] = '/path/to/cert.pem'")
	}
	if s.ValidateURL != "" && s.ValidateURL != ValidateNone {
		u, err := url.Parse(s.ValidateURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !validHost(u) || strings.Trim(u.Path, "/") != "" {
			r.fail(pos("validate_url"), "ec_sync_server['validate_url'] is not the root of a server", "write 'https://127.0.0.1' or 'none', or leave it out")
		} else if !loopback(u.Hostname()) {
			r.fail(pos("validate_url"), "ec_sync_server['validate_url'] is not on this host", "write 'https://127.0.0.1', or leave it out: a Chef server answers this to its own host only")
		}
	}
	if r.cfg.Serves() && s.TLSCert == "" && !loopback(s.Listen) {
		r.notice(pos("listen").line, "ec_sync_server['listen']", fmt.Sprintf("The feed server speaks plain http on %s: names of objects can be read on their way. Set tls_cert, or listen on 127.0.0.1 behind nginx.", net.JoinHostPort(s.Listen, itoa(s.Port))))
	}
}

// everywhere reports whether an address to listen on stands for all of a host's.
func everywhere(listen string) bool {
	ip := net.ParseIP(listen)
	return listen == "" || ip != nil && ip.IsUnspecified()
}
