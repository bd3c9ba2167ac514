package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// stagingSchemes are those of the stores whose drivers this version contains;
// mem is for tests.
var stagingSchemes = []string{"file", "mem", "s3"}

// finish fills in what depends on several settings, and checks it.
func (r *reader) finish() {
	r.cfg.all = r.all.settings()
	if r.failed["role"] {
		r.cfg.Role = "" // nothing is missing from an unknown role
	}
	primary := r.server("master", &r.cfg.Primary)
	replica := r.server("replica", &r.cfg.Replica)
	r.pairs(primary, replica)
	r.staging()
	r.temporal()
	r.feedServer()
}

// A side is what finish knows about one server besides its Config.
type side struct {
	setting string // master or replica
	server  *Server
	pos     position // of the URL
	org     string   // at the end of the URL
}

// server completes one side.
func (r *reader) server(name string, s *Server) side {
	out := side{setting: name, server: s}
	if s.User == "" {
		s.User = r.syncUser
		r.derive(name+"_user", s.User, "ec_sync_client['sync_user']")
	}
	if s.KeyFile == "" {
		s.KeyFile = r.syncKey
		r.derive(name+"_key", s.KeyFile, "ec_sync_client['sync_key']")
	}
	r.tls(name, s.TLS)
	value, from, ok := r.either(name, "ec_sync_client['"+name+"']")
	switch {
	case ok:
		out.pos = value.pos
		s.URL, out.org = r.serverURL(name, value, s.HasOrganizations)
		r.called(name, from, s.URL)
	case !r.cfg.Replicates() || r.failed[name] || r.failed["ec_sync_client"]:
	case name == "replica":
		s.URL = thisHost
		r.notice(0, name, onThisHost(name, "replica", s))
	case r.cfg.Role == RoleMasterAndReplica && r.replicaElsewhere():
		s.URL = thisHost
		r.notice(0, name, onThisHost(name, "primary", s))
	default:
		r.origins[name] = origin{broken: true}
		r.fail(position{}, "the setting master is missing", "write the URL of the primary server: master 'https://chef.example.com'")
	}
	return out
}

// onThisHost says which server a setting that is not there means, and, if nothing
// says how to trust it, what its certificate has to be.
func onThisHost(setting, role string, s *Server) string {
	out := setting + " is not set: the server on this host, " + s.URL + ", is the " + role + "."
	if s.TLS == (TLS{}) {
		out += " Its certificate has to be for that address; if it is for a name, as most are, write that name: " +
			setting + " 'https://chef.example.com'. For one that nobody signed set " + setting + "_tls['pin_sha256'] or ['ca_file']."
	}
	return out
}

// replicaElsewhere reports whether replica is set, and not to this host.
func (r *reader) replicaElsewhere() bool {
	v, ok := r.given["replica"]
	if !ok {
		v, ok = r.given["ec_sync_client['replica']"]
	}
	text, _ := v.val.(string)
	u, err := url.Parse(strings.TrimSpace(text))
	return ok && err == nil && u.Host != "" && !loopback(u.Hostname())
}

// either returns the value of the first setting that is given, and its name. Two
// that differ are a problem: which one counts must not be a guess.
func (r *reader) either(names ...string) (out node, from string, ok bool) {
	for _, name := range names {
		v, ok := r.given[name]
		switch {
		case !ok || v.val == nil:
		case from == "":
			out, from = v, name
		case v.String() != out.String():
			r.fail(r.lines[name], name+" differs from "+from+" in line "+itoa(r.lines[from].line), "remove one of the two")
		}
	}
	return out, from, from != ""
}

// tls checks the TLS settings of one side against each other.
func (r *reader) tls(name string, t TLS) {
	group := name + "_tls"
	pos := func(key string) position { return r.lines[group+"['"+key+"']"] }
	switch {
	case t.ClientCertFile != "" && t.ClientKeyFile == "":
		r.fail(pos("client_cert"), group+"['client_cert'] needs its key", "add "+group+"['client_key'] = '/path/to/key.pem'")
	case t.ClientKeyFile != "" && t.ClientCertFile == "":
		r.fail(pos("client_key"), group+"['client_key'] needs its certificate", "add "+group+"['client_cert'] = '/path/to/cert.pem'")
	}
	switch {
	case t.Insecure && t.CAFile != "":
		r.fail(pos("insecure"), group+"['insecure'] contradicts ca_file", "remove insecure: a certificate that ca_file accepts needs nothing more")
	case t.Insecure:
		r.notice(pos("insecure").line, group+"['insecure']", "Certificates of the "+name+" are not verified: whoever sits in between can read and change everything.")
	}
}

// staging checks the staging store, or puts it below the working directory.
func (r *reader) staging() {
	if r.cfg.StagingURL == "" {
		dir := filepath.ToSlash(filepath.Join(r.cfg.Dir, "staging"))
		r.cfg.StagingURL = (&url.URL{Scheme: "file", Path: dir}).String()
		r.derive("staging", r.cfg.StagingURL, "ec_sync_client['dir']")
		return
	}
	u, err := url.Parse(r.cfg.StagingURL)
	if err != nil || !slices.Contains(stagingSchemes, u.Scheme) {
		r.fail(r.given["staging"].pos, "staging is not the URL of a store that this version has a driver for",
			"write the URL of a directory, as in 'file:///srv/staging', or of a bucket, as in 's3://bucket?region=eu-central-1', or leave it out")
		return
	}
	r.bucket(u)
}

// bucket checks the URL of a staging store on S3. No message repeats it: somebody
// may have written a key into it.
func (r *reader) bucket(u *url.URL) {
	pos := r.given["staging"].pos
	endpoint, err := url.Parse(u.Query().Get("endpoint"))
	switch {
	case u.Scheme != "s3":
	case u.User != nil:
		r.fail(pos, "the URL of staging holds a user or a key",
			"leave it out: credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS files or role of this host")
	case u.Host == "" || u.Path != "" && u.Path != "/":
		r.fail(pos, "staging names no bucket, or more than one", "write 's3://bucket?prefix=chef-sync/': a path within the bucket is its prefix")
	case err != nil:
		r.fail(pos, "the endpoint of staging is no URL", "write it as in 's3://bucket?endpoint=https://s3.example.com'")
	case endpoint.Scheme == "http" && !loopback(endpoint.Hostname()):
		r.notice(pos.line, "staging", "The staging store is reached without encryption: whoever sits in between can read every object, secrets too.")
	}
}

// temporal checks how Temporal is reached, and the ports of the embedded server.
func (r *reader) temporal() {
	t := r.cfg.Temporal
	pair := func(key, other string) {
		name := "temporal['tls']['" + key + "']"
		r.fail(r.lines[name], name+" needs its "+other, "add temporal['tls']['client_"+other+"'] = '/path/to/"+other+".pem'")
	}
	switch {
	case t.TLS.ClientCertFile != "" && t.TLS.ClientKeyFile == "":
		pair("client_cert", "key")
	case t.TLS.ClientKeyFile != "" && t.TLS.ClientCertFile == "":
		pair("client_key", "cert")
	}
	if t.TLS.Insecure {
		name := "temporal['tls']['insecure']"
		r.notice(r.lines[name].line, name, "The certificate of Temporal is not verified: whoever sits in between can steer every pair.")
	}
	if t.Embedded() && t.Deployment != "" {
		name := "temporal['deployment']"
		r.notice(r.lines[name].line, name, "With the server inside ec-syncd nothing runs after an upgrade until its version is made the current one.")
	}
	if t.Embedded() && (t.TLS != TemporalTLS{} || t.APIKeyFile != "") {
		line := 0
		for name, pos := range r.lines {
			if (strings.HasPrefix(name, "temporal['tls']") || name == "temporal['api_key_file']") && (line == 0 || pos.line < line) {
				line = pos.line
			}
		}
		r.notice(line, "temporal['tls']", "TLS and the API key of Temporal count only with temporal['address'], TEMPORAL_ADDRESS, a profile, or chef-sync-ctl --address: the server inside ec-syncd has neither.")
	}
	if t.Embedded() && t.Port == t.UIPort && t.Port != 0 {
		pos := r.lines["temporal['ui_port']"]
		if pos.line == 0 {
			pos = r.lines["temporal['port']"]
		}
		r.fail(pos, fmt.Sprintf("temporal['port'] and temporal['ui_port'] are both %d", t.Port), "choose two ports, or leave both out for 7233 and 8233")
	}
}
