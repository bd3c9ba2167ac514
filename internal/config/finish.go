package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// stagingSchemes are those of the stores that the replicator can use.
var stagingSchemes = []string{"file", "s3", "gs", "azblob", "mem"}

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
	}
	if s.KeyFile == "" {
		s.KeyFile = r.syncKey
	}
	r.tls(name, s.TLS)
	value, ok := r.either(name, "ec_sync_client['"+name+"']")
	switch {
	case ok:
		out.pos = value.pos
		s.URL, out.org = r.serverURL(name, value, s.HasOrganizations)
	case !r.cfg.Replicates() || r.failed[name] || r.failed["ec_sync_client"]:
	case name == "replica":
		s.URL = "https://127.0.0.1"
		r.notice(0, name, "replica is not set: the server on this host, "+s.URL+", is the replica.")
	default:
		r.fail(position{}, "the setting master is missing", "write the URL of the primary server: master 'https://chef.example.com'")
	}
	return out
}

// either returns the value of the first setting that is given. Two that differ
// are a problem: which one counts must not be a guess.
func (r *reader) either(names ...string) (node, bool) {
	var out node
	var from string
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
	return out, from != ""
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
		return
	}
	u, err := url.Parse(r.cfg.StagingURL)
	if err != nil || !slices.Contains(stagingSchemes, u.Scheme) {
		r.fail(r.given["staging"].pos, "staging is not the URL of a store", "write one that begins with "+
			strings.Join(stagingSchemes[:len(stagingSchemes)-1], "://, ")+"://, such as 's3://bucket?region=eu-central-1'")
	}
}

// temporal checks the ports of the embedded server.
func (r *reader) temporal() {
	t := r.cfg.Temporal
	if t.Embedded() && t.Port == t.UIPort && t.Port != 0 {
		pos := r.lines["temporal['ui_port']"]
		if pos.line == 0 {
			pos = r.lines["temporal['port']"]
		}
		r.fail(pos, fmt.Sprintf("temporal['port'] and temporal['ui_port'] are both %d", t.Port), "choose two ports, or leave both out for 7233 and 8233")
	}
}
