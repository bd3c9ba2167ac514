package chefserver

import (
	"net/http"
	"net/url"
	"strings"
)

// action is what one method of one route does, in the order of the fields.
// erchef judges a body before it looks at the signature, so a malformed request
// is answered 400 even when it is signed badly.
type action struct {
	// validate reads the request without looking at the server's state. A reply
	// ends the request.
	validate func(*request) *reply
	// do answers. Unless unlocked is set it holds the organization's lock, for
	// reading with GET and for writing otherwise; on routes outside of
	// organizations it holds the server's lock in the same way.
	do func(*request) *reply
	// users makes do hold the server's lock for writing as well: it changes
	// users or membership.
	users bool
	// unlocked leaves locking to do, for what takes long.
	unlocked bool
}

// route is a path pattern with its methods.
type route struct {
	segments []string // "" stands for a variable part
	pattern  string   // as in the statistics: /organizations/ORG/roles/NAME
	methods  []string // in the order of the Allow header
	actions  map[string]action
	// unsigned routes are answered to anybody.
	unsigned bool
}

// routes finds the route of a path.
type routes struct {
	org    map[string][]*route // by first segment below /organizations/ORG
	global map[string][]*route
}

// kind is one part of the API: its routes and its part of an organization. The
// next kind is one file with one kind in it, and one line in kinds.
type kind struct {
	// routes registers the routes.
	routes func(*routes)
	// dump adds the kind's objects of an organization to a Snapshot; it holds
	// the organization's lock. Nil adds nothing.
	dump func(*organization, *Snapshot)
}

func (s *Server) kinds() []kind {
	return []kind{
		statusKind(),
		organizationKind(),
		userKind(),
		associationKind(),
		clientKind(),
		keyKind(),
		principalKind(),
		aclKind(),
		groupKind(),
		containerKind(),
		roleKind(),
		environmentKind(),
		dataBagKind(),
		sandboxKind(),
		cookbookKind(),
		universeKind(),
		artifactKind(),
		policyKind(),
		policyGroupKind(),
		nodeKind(),
		feedKind(s.opts),
		validateKind(),
	}
}

func (s *Server) register() *routes {
	rs := &routes{org: map[string][]*route{}, global: map[string][]*route{}}
	for _, k := range s.kinds() {
		if k.routes != nil {
			k.routes(rs)
		}
	}
	return rs
}

// methods is a list of method, action, method, action …, in the order of the
// Allow header.
type methods []any

// inOrg adds a route below /organizations/ORG. Variable parts are written in
// capitals.
func (rs *routes) inOrg(pattern string, m methods) *route {
	rt := newRoute(pattern, m)
	first := rt.segments[0]
	rs.org[first] = append(rs.org[first], rt)
	rt.pattern = "/organizations/ORG/" + pattern
	return rt
}

// outside adds a route that belongs to no organization.
func (rs *routes) outside(pattern string, m methods) *route {
	rt := newRoute(pattern, m)
	first := rt.segments[0]
	rs.global[first] = append(rs.global[first], rt)
	rt.pattern = "/" + pattern
	return rt
}

func newRoute(pattern string, m methods) *route {
	rt := &route{segments: strings.Split(pattern, "/"), actions: map[string]action{}}
	for i, seg := range rt.segments {
		if seg == strings.ToUpper(seg) {
			rt.segments[i] = ""
		}
	}
	for i := 0; i+1 < len(m); i += 2 {
		name := m[i].(string)
		rt.methods = append(rt.methods, name)
		rt.actions[name] = m[i+1].(action)
	}
	return rt
}

// find returns the first route that fits the path's segments, in the order of
// registration, and the decoded variable parts. For paths of an organization it
// looks below it. A nil route means that no route fits.
func (rs *routes) find(segments []string) (*route, []string) {
	if len(segments) == 0 {
		return nil, nil
	}
	table := rs.global
	if segments[0] == "organizations" && len(segments) > 2 {
		segments = segments[2:]
		table = rs.org
	}
	for _, rt := range table[segments[0]] {
		if args, ok := rt.match(segments); ok {
			return rt, args
		}
	}
	return nil, nil
}

func (rt *route) match(segments []string) ([]string, bool) {
	if len(segments) != len(rt.segments) {
		return nil, false
	}
	for i, want := range rt.segments {
		if want != "" && want != segments[i] {
			return nil, false
		}
	}
	var args []string
	for i, want := range rt.segments {
		if want != "" {
			continue
		}
		arg, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, false
		}
		args = append(args, arg)
	}
	return args, true
}

// notAllowed is webmachine's answer to a method that the route does not have.
func (rt *route) notAllowed() *reply {
	p := htmlReply(http.StatusMethodNotAllowed)
	p.header.Set("Allow", strings.Join(rt.methods, ", "))
	return p
}
