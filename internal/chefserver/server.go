package chefserver

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// superuserName is the user that every Chef server is born with.
const superuserName = "pivotal"

// Server is a Chef Infra Server. It is an http.Handler and safe for concurrent
// use. Make one with New.
type Server struct {
	opts   Options
	clock  atomic.Pointer[func() time.Time]
	routes *routes
	faults *Faults
	stats  *counters
	// urlSecret signs file URLs.
	urlSecret []byte
	pivotal   *rsa.PrivateKey
	superuser string // pivotal's id in groups and ACLs

	// mu guards the users, the set of organizations, and each organization's
	// membership. It is taken before an organization's own mu, never after.
	mu    sync.RWMutex
	users map[string]*user
	// userNames holds the users' names by the id that groups and ACLs know.
	userNames map[string]string
	orgs      map[string]*organization
}

// New returns a server without organizations, with the one user pivotal. It
// panics if the system's random source or the key generation fails, since
// nothing can be served then.
func New(opts Options) *Server {
	s := &Server{
		opts:      opts.withDefaults(),
		faults:    newFaults(),
		stats:     newCounters(),
		urlSecret: randomBytes(32),
		users:     map[string]*user{},
		userNames: map[string]string{},
		orgs:      map[string]*organization{},
	}
	s.SetClock(s.opts.Now)
	s.pivotal = s.opts.PivotalKey
	if s.pivotal == nil {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(fmt.Sprintf("chefserver: generate the key of %s: %v", superuserName, err))
		}
		s.pivotal = k
	}
	u := newUser(superuserName, newObject(
		"username", superuserName, "email", "root@localhost.localdomain",
		"display_name", "Chef Server Superuser",
		"first_name", "Chef", "middle_name", "Server", "last_name", "Superuser"))
	u.superuser = true
	u.keys = []*key{{name: "default", pem: publicPEM(&s.pivotal.PublicKey), pub: &s.pivotal.PublicKey}}
	s.addUser(u)
	s.superuser = u.authzID
	s.routes = s.register()
	return s
}

// SetClock makes now the server's clock: for the age of requests, the expiry of
// keys and the life of file URLs.
func (s *Server) SetClock(now func() time.Time) { s.clock.Store(&now) }

func (s *Server) now() time.Time { return (*s.clock.Load())().UTC() }

// Faults returns the controller through which tests make the server misbehave.
func (s *Server) Faults() *Faults { return s.faults }

// ServeHTTP answers one request. A fault may end it by cutting the connection,
// which is done by panicking with http.ErrAbortHandler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := s.newRequest(r)
	w.Header().Set("Date", s.now().Format(http.TimeFormat)) // by the server's own clock
	s.stats.begin()
	defer s.stats.end()
	hits := s.faults.match(r.Method, req.path, req.orgName())
	for _, e := range hits {
		if e.before == nil {
			continue
		}
		if p := e.before(req); p != nil {
			s.stats.count(req, "fault", p)
			p.send(w, r)
			return
		}
	}
	p := s.answer(req)
	route := "unknown"
	if req.route != nil {
		route = req.route.pattern
	}
	s.stats.count(req, route, p)
	for _, e := range hits {
		if e.after != nil {
			e.after(req, p)
		}
	}
	p.send(w, r)
}

// organization returns the organization of that name, or nil.
func (s *Server) organization(name string) *organization {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.orgs[name]
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // crypto/rand.Read never fails; it crashes the program.
	return b
}

// newGUID returns 32 hex digits, the form of all of erchef's identifiers.
func newGUID() string { return hex.EncodeToString(randomBytes(16)) }
