package chefserver

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// minAPIVersion and maxAPIVersion bound X-Ops-Server-API-Version.
const (
	minAPIVersion = 0
	maxAPIVersion = 2
)

// welcomePage stands for the page nginx shows to browsers, which is what it
// takes every request without X-Chef-Version for. The status is 200: a client
// that does not look at the content type believes that all went well.
const welcomePage = "<!DOCTYPE html><html><head><title>Chef Infra Server</title></head>" +
	"<body><h1>Are You Looking For the Chef Infra Server?</h1></body></html>"

// request is one request on its way through the server.
type request struct {
	s        *Server
	http     *http.Request
	path     string   // escaped, slashes collapsed, no query, no trailing slash
	segments []string // of path
	route    *route
	args     []string // decoded variable parts of the route
	org      *organization
	api      int // API version
	body     []byte
	actor    *actor
	// in is the parsed body and aux what else validate found out for do.
	in  *object
	aux any
}

func (s *Server) newRequest(r *http.Request) *request {
	path := wirePath(r)
	req := &request{s: s, http: r, path: path}
	if path != "/" {
		req.segments = strings.Split(path[1:], "/")
	}
	return req
}

// wirePath is the path as it came over the wire, still escaped, because that is
// what is signed; runs of slashes are one, and the last is dropped.
func wirePath(r *http.Request) string {
	raw := r.RequestURI
	if raw == "" || raw[0] != '/' {
		raw = r.URL.EscapedPath()
	}
	raw, _, _ = strings.Cut(raw, "?")
	for strings.Contains(raw, "//") {
		raw = strings.ReplaceAll(raw, "//", "/")
	}
	if len(raw) > 1 {
		raw = strings.TrimSuffix(raw, "/")
	}
	if raw == "" {
		return "/"
	}
	return raw
}

func (r *request) orgName() string {
	if len(r.segments) > 1 && r.segments[0] == "organizations" {
		return r.segments[1]
	}
	return ""
}

// base is the address clients see, taken from the Host header as erchef does.
func (r *request) base() string {
	scheme := "http"
	if r.http.TLS != nil {
		scheme = "https"
	}
	if p := r.http.Header.Get("X-Forwarded-Proto"); p != "" {
		scheme = p
	}
	return scheme + "://" + r.http.Host
}

// orgURL is the address of a path inside the request's organization.
func (r *request) orgURL(path string) string {
	return r.base() + "/organizations/" + r.org.name + path
}

// answer takes a request through nginx's and erchef's checks, in their order.
func (s *Server) answer(r *request) *reply {
	if len(r.segments) > 0 && r.segments[0] == fileStorePrefix {
		return s.answerFile(r)
	}
	rt, args := s.routes.find(r.segments)
	r.route, r.args = rt, args
	if rt == nil || rt.pattern != "/_status" && rt.pattern != "/version" {
		if p := r.checkNginx(); p != nil {
			return p
		}
	}
	if rt == nil {
		return htmlReply(http.StatusNotFound)
	}
	asked, p := r.negotiate()
	if p == nil {
		p = s.serve(r)
	}
	answered := strconv.Itoa(r.api)
	if p.status == http.StatusNotAcceptable {
		answered = "-1"
	}
	p.header.Set("X-Ops-Server-API-Version", string(encode(newObject(
		"min_version", strconv.Itoa(minAPIVersion), "max_version", strconv.Itoa(maxAPIVersion),
		"request_version", asked, "response_version", answered))))
	return p
}

// checkNginx does what nginx does before erchef hears of a request.
func (r *request) checkNginx() *reply {
	v := r.http.Header.Get("X-Chef-Version")
	if v == "" {
		return newReply(http.StatusOK, typeHTML, []byte(welcomePage))
	}
	major, _, _ := strings.Cut(v, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 10 {
		return newReply(http.StatusBadRequest, typeText,
			[]byte(`{"error":["Unsupported client version, please upgrade."]}`))
	}
	if r.route != nil && !r.route.unsigned && r.http.Header.Get("X-Ops-Userid") == "" {
		return newReply(http.StatusUnauthorized, typeHTML, nil)
	}
	return nil
}

// negotiate reads the API version and returns it as it was asked for.
func (r *request) negotiate() (string, *reply) {
	values, ok := r.http.Header[http.CanonicalHeaderKey("X-Ops-Server-API-Version")]
	if !ok {
		return "0", nil
	}
	n, err := strconv.Atoi(values[0])
	if err == nil && n >= minAPIVersion && n <= maxAPIVersion {
		r.api = n
		return strconv.Itoa(n), nil
	}
	return values[0], jsonReply(http.StatusNotAcceptable, newObject(
		"error", "invalid-x-ops-server-api-version",
		"message", "Specified version "+values[0]+" not supported",
		"min_version", minAPIVersion, "max_version", maxAPIVersion))
}

// serve is erchef's part: organization, body, signature, membership, action.
func (s *Server) serve(r *request) *reply {
	act, ok := r.route.actions[r.http.Method]
	if !ok {
		return r.route.notAllowed()
	}
	if name := r.orgName(); name != "" {
		r.org = s.organization(name)
		if r.org == nil && !r.route.unsigned {
			return fail(http.StatusNotFound, "organization '%s' does not exist.", name)
		}
	}
	if p := r.readBody(); p != nil {
		return p
	}
	if p := s.admit(r, act); p != nil {
		return p
	}
	if !r.route.unsigned && !acceptsJSON(r.http.Header.Get("Accept")) {
		return htmlReply(http.StatusNotAcceptable)
	}
	return s.run(r, act)
}

// admit checks headers, body, signature and membership.
func (s *Server) admit(r *request, act action) *reply {
	if r.route.unsigned {
		return nil
	}
	sig, p := readSignature(r)
	if p != nil {
		return p
	}
	if act.validate != nil {
		if p := act.validate(r); p != nil {
			return p
		}
	}
	return s.authenticate(r, sig)
}

// run calls the action under its locks.
func (s *Server) run(r *request, act action) *reply {
	if act.unlocked {
		return act.do(r)
	}
	reading := r.http.Method == http.MethodGet
	if r.org == nil || act.users {
		if reading {
			s.mu.RLock()
			defer s.mu.RUnlock()
		} else {
			s.mu.Lock()
			defer s.mu.Unlock()
		}
	}
	if r.org != nil {
		if reading {
			r.org.mu.RLock()
			defer r.org.mu.RUnlock()
		} else {
			r.org.mu.Lock()
			defer r.org.mu.Unlock()
		}
	}
	return act.do(r)
}

// readBody reads at most the permitted size. Only POST and PUT have a limit,
// because erchef does not read other bodies.
func (r *request) readBody() *reply {
	if r.http.Body == nil {
		return nil
	}
	limit := r.s.opts.MaxBody
	body, err := io.ReadAll(io.LimitReader(r.http.Body, int64(limit)+1))
	if err != nil {
		return fail(http.StatusBadRequest, "the request's body could not be read")
	}
	if len(body) > limit {
		return fail(http.StatusRequestEntityTooLarge, "JSON must be no more than %d bytes.", limit)
	}
	r.body = body
	return nil
}

func acceptsJSON(accept string) bool {
	if accept == "" {
		return true
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if media == "*/*" || media == "application/*" || media == typeJSON {
			return true
		}
	}
	return false
}

// parseBody reads the body as an object into r.in.
func (r *request) parseBody() *reply {
	v, err := parseJSON(r.body)
	if err != nil {
		return fail(http.StatusBadRequest, "invalid JSON")
	}
	o, ok := v.(*object)
	if !ok {
		return fail(http.StatusBadRequest, "Incorrect JSON type for request body")
	}
	r.in = o
	return nil
}
