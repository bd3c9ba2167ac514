package chefserver

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Chef names files by it.
	"encoding/hex"
	"fmt"
	"net/http"
)

// Load does what a signed request of the superuser would, without the request:
// no network, no signature, no faults, and nothing is counted. It fills large
// organizations in seconds. method is POST or PUT, path is relative to the
// organization, and the body is checked as always. It returns an error for every
// answer but a success.
func (s *Server) Load(org, method, path string, body []byte) error {
	o := s.organization(org)
	if o == nil {
		return noOrganization(org)
	}
	hr, err := http.NewRequest(method, "http://localhost/organizations/"+org+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r := s.newRequest(hr)
	r.org, r.api, r.body = o, maxAPIVersion, body
	if r.route, r.args = s.routes.find(r.segments); r.route == nil {
		return fmt.Errorf("%s %s: no such route", method, path)
	}
	act, ok := r.route.actions[method]
	if !ok {
		return fmt.Errorf("%s %s: no such method", method, path)
	}
	r.actor = s.actorsNamed(nil, superuserName)[0]
	var p *reply
	if act.validate != nil {
		p = act.validate(r)
	}
	if p == nil {
		p = s.run(r, act)
	}
	if p.status > 299 {
		return fmt.Errorf("%s %s: %d %s", method, path, p.status, p.body)
	}
	return nil
}

// LoadFile stores a cookbook file, as a sandbox does, and returns its MD5.
func (s *Server) LoadFile(org string, content []byte) (string, error) {
	sum := md5.Sum(content) //nolint:gosec // see the import
	name := hex.EncodeToString(sum[:])
	return name, s.inOrg(org, func(o *organization) {
		o.files.put(name, content)
		if _, known := o.files.rows[name]; !known {
			o.files.rows[name] = 0
		}
	})
}
