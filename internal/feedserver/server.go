package feedserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

const (
	// maxBody bounds the body of a GET, which has none; it is signed all the same.
	maxBody = 4 << 10

	// maxHeld is how many requests may wait for a change at a time. One more is
	// answered at once.
	maxHeld = 1000

	// answerTime bounds how long an answer may take to be read.
	answerTime = 2 * time.Minute

	// bodyTime bounds how long a body may take to come.
	bodyTime = 20 * time.Second

	// readTime bounds how long the log may take to be read. A database that does
	// not answer at all is told of before nginx gives up.
	readTime = time.Minute
)

// Options are the parts of a [Server]. Log, Auth and Allow are required.
type Options struct {
	Log  Log
	Auth Authenticator

	// Allow names the users who may ask. A client of the same name may not.
	Allow []string

	// Logger gets what an operator cares about; nil logs nothing.
	Logger *slog.Logger
}

// Server is an [http.Handler]. Make one with [New]. It is safe for concurrent
// use.
type Server struct {
	opts    Options
	metrics *metrics
	say     *occasionally
	held    chan struct{} // one element for each request that waits
	others  othersStatus

	readTime time.Duration

	release     chan struct{} // closed: nobody waits any more
	releaseOnce sync.Once
}

// New returns a server of o.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		opts: o, metrics: newMetrics(o.Log), say: &occasionally{log: o.Logger},
		held: make(chan struct{}, maxHeld), release: make(chan struct{}), readTime: readTime,
	}
}

// Release answers all requests that wait for a change, and lets none wait from
// now on. It may be called again.
func (s *Server) Release() { s.releaseOnce.Do(func() { close(s.release) }) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := chef.CanonicalPath(wirePath(r))
	switch path {
	case "/_status":
		bound(w)
		s.status(w, r)
		return
	case "/metrics":
		bound(w)
		s.serveMetrics(w, r)
		return
	}
	// While a request waits for a change no deadline may run: the server reads on
	// to hear whether the caller is gone.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTime)) // not all that write answers have one
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	_ = rc.SetReadDeadline(time.Time{})
	a := fail(http.StatusBadRequest, "the body cannot be read")
	if err == nil {
		a = s.answer(r, path, body)
	}
	s.metrics.answered(a.status)
	bound(w)
	a.send(w, r)
}

// bound begins the time that an answer may take to be read.
func bound(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
}

// wirePath is the path as it came over the wire, because that is what is signed.
func wirePath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.EscapedPath()
}

// feedOf returns the organization whose feed a path names.
func feedOf(path string) (org string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/organizations/")
	if !ok {
		return "", false
	}
	org, name, _ := strings.Cut(rest, "/")
	if name != "updated_since" && name != "objects_since" {
		return "", false
	}
	org, err := url.PathUnescape(org)
	return org, err == nil && org != ""
}

// answer judges a request in the order of erchef: what is asked, how it is
// signed, who signed it, whether that one may, and only then what there is.
func (s *Server) answer(r *http.Request, path string, body []byte) *answer {
	org, ok := feedOf(path)
	if !ok {
		return fail(http.StatusNotFound, "there is only /organizations/ORG/updated_since here")
	}
	if r.Method != http.MethodGet {
		a := fail(http.StatusMethodNotAllowed, "only GET is answered")
		a.header.Set("Allow", http.MethodGet)
		return a
	}
	sig, err := chef.ReadSignature(r.Header)
	switch {
	case errors.Is(err, chef.ErrSignTime):
		return denied(err.Error())
	case err != nil:
		return fail(http.StatusBadRequest, "%v", err)
	}
	q, problem := readQuery(r.URL.RawQuery)
	if problem != nil {
		return problem
	}
	if len(body) > maxBody {
		return fail(http.StatusRequestEntityTooLarge, "a GET needs no body")
	}
	who, problem := s.authenticate(r.Context(), &Request{Org: org, Path: path, Header: r.Header, Body: body, Signature: sig})
	if problem != nil {
		return problem
	}
	return s.page(r.Context(), org, who.Name, q)
}

// authenticate finds out who asks, and whether that one may.
func (s *Server) authenticate(ctx context.Context, r *Request) (Requestor, *answer) {
	user := r.Signature.User
	who, err := s.opts.Auth.Authenticate(ctx, r)
	switch {
	case errors.Is(err, ErrClock):
		return who, denied("Failed to authenticate as '" + user + "'. Synchronize the clock on your host.")
	case errors.Is(err, ErrDenied):
		return who, denied("Failed to authenticate as '" + user + "'. Ensure that your node_name and client key are correct.")
	case errors.Is(err, changelog.ErrNoOrganization):
		return who, noOrganization(r.Org)
	case errors.Is(err, ErrNotMember):
		return who, notMember(user, r.Org)
	case err != nil:
		if ctx.Err() == nil {
			s.say.warn(ctx, "callers cannot be authenticated", err)
		}
		return who, unavailable("callers cannot be authenticated at present")
	case who.Client || who.Name != user || !slices.Contains(s.opts.Allow, who.Name):
		s.opts.Logger.DebugContext(ctx, "caller may not read the feed", "org", r.Org, "user", user, "client", who.Client)
		return who, fail(http.StatusForbidden, "missing read permission: '%s' is not one of the users who may read the feed", user)
	case who.NoOrganization:
		return who, noOrganization(r.Org)
	case who.NotMember:
		return who, notMember(user, r.Org)
	}
	return who, nil
}

// page answers what is after the cursor, and waits for it if that is wanted.
func (s *Server) page(ctx context.Context, org, user string, q query) *answer {
	if q.fresh {
		if err := s.refresh(ctx); err != nil {
			return s.pageFailed(ctx, org, err)
		}
	}
	hold, done := s.mayWait(ctx, q.wait)
	defer done()
	for woken := false; ; woken = true {
		p, err := s.read(ctx, org, q)
		if err != nil {
			return s.pageFailed(ctx, org, err)
		}
		s.metrics.polled(org, user, q.seq)
		if len(p.Entries) > 0 || hold == nil || hold.Err() != nil {
			return pageAnswer(p)
		}
		if woken { // for nothing
			pause(hold, breath)
		}
		if s.opts.Log.Wait(hold, org, q.seq) != nil {
			return pageAnswer(p) // a log that cannot wait is one without news
		}
	}
}

// read reads a page, within the time that there is for that.
func (s *Server) read(ctx context.Context, org string, q query) (changelog.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, s.readTime)
	defer cancel()
	return s.opts.Log.Page(ctx, org, q.seq, q.limit)
}

// refresh brings the log up to date, within the same time.
func (s *Server) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.readTime)
	defer cancel()
	return s.opts.Log.Refresh(ctx)
}

// pageFailed answers why there is no page.
func (s *Server) pageFailed(ctx context.Context, org string, err error) *answer {
	switch {
	case errors.Is(err, changelog.ErrNoOrganization):
		return noOrganization(org)
	case errors.Is(err, changelog.ErrGone):
		s.opts.Logger.InfoContext(ctx, "a follower has to compare everything", "org", org, "reason", err.Error())
		return gone(err)
	case ctx.Err() != nil:
		return unavailable("the request was given up")
	case errors.Is(err, changelog.ErrNotReady):
		return unavailable("the change log is not complete yet")
	default:
		s.say.warn(ctx, "the change log cannot be read", err)
		return unavailable("the change log is not available at present")
	}
}

// fromHere reports whether a request comes from this host, by whichever of its
// addresses, and not through a proxy on it.
func fromHere(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return false
	}
	to, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ip.IsLoopback() || to != nil && to.IP.Equal(ip)
}
