package chef

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// The values that a zero field of [Options] stands for.
const (
	// DefaultParallel is what a two-core erchef answers side by side; more
	// gives no more speed and brings occasional 500 answers.
	DefaultParallel = 8

	// DefaultTimeout is far above any answer of a healthy server, and below
	// the 300 s after which the server's own nginx gives up.
	DefaultTimeout = 60 * time.Second

	// DefaultRetries and DefaultBackoff together wait out a hiccup of some
	// seconds; longer trouble is the caller's to schedule.
	DefaultRetries = 3
	DefaultBackoff = 500 * time.Millisecond
)

// The versions of the signing protocol that can be asked for.
const (
	Sign10 = "1.0"
	Sign11 = "1.1"
	Sign13 = "1.3"
)

// Options says which server a [Client] talks to, as whom, and how hard.
type Options struct {
	// URL is the server's root (https://chef.example.com) or, as in knife.rb's
	// chef_server_url, one that goes on with /organizations/ORG. Required.
	URL string

	// Organization wins over the one in URL; "" means the one in URL. A server
	// without organizations (goiardi) has none in either.
	Organization string

	// User is the name of the user or client that signs. Required.
	User string

	// Key is the private key of User; see [ReadKey]. Required.
	Key *rsa.PrivateKey

	// SignVersion is [Sign10], [Sign11] or [Sign13]. "" means 1.3, and 1.1 from
	// then on if the server says that it does not know 1.3.
	SignVersion string

	// TLS says whom to trust; its zero value is the system's certificates.
	TLS TLSOptions

	// Header is sent with every API request (Tenant-Id, say), never to file
	// hosts. It cannot replace the headers that the API itself needs.
	Header http.Header

	// FileHosts are hosts beside the server's own from which files may be read
	// and to which they may be written: the S3 endpoint of the server, or the
	// name by which a goiardi knows itself. "host" allows every port,
	// "host:port" one, "*.example.com" every host below. If the server speaks
	// https, plain http is allowed only for an entry that begins with
	// "http://".
	FileHosts []string

	// Parallel is the most requests and file transfers that are in flight at
	// one time, over all organizations of one [New]; 0 means [DefaultParallel].
	Parallel int

	// Pace says when requests and files go to the server, file hosts included. All
	// clients of one server are to share one; its limit of requests at a time counts
	// instead of Parallel. nil means one of this client's own, with no other limit
	// than Parallel.
	Pace *pace.Server

	// Timeout bounds one HTTP exchange: for an API request from the first byte
	// to the last, for a file the time in which no byte moves. 0 means
	// [DefaultTimeout].
	Timeout time.Duration

	// Retries is how many more times a request is tried after an error that may
	// pass; 0 means [DefaultRetries], a negative number none.
	Retries int

	// Backoff is the pause before the first retry; it doubles with each further
	// one, and between half and all of it is waited. 0 means [DefaultBackoff].
	Backoff time.Duration

	// Logger is told of retries, of version fallbacks, and of switched-off TLS
	// verification; nil means nobody is.
	Logger *slog.Logger

	// OnRequest is called once after each HTTP exchange, from many goroutines
	// at a time; nil means nothing is called. It is for metrics, and for traces,
	// which belong to the context that the exchange was made in.
	OnRequest func(context.Context, RequestInfo)
}

// RequestInfo describes one HTTP exchange to a metrics hook.
type RequestInfo struct {
	Method string

	// Route is the kind of thing that was asked for, from a small fixed set:
	// "roles", "cookbooks", "data", "sandboxes", "file", "other" and the like.
	Route string

	// Status is that of the answer; 0 if there was none.
	Status int

	// Duration is the time from sending to the last byte of the answer, without
	// the time spent waiting for a free slot.
	Duration time.Duration

	// Attempt is 1 for the first try of a request, 2 for its first retry.
	Attempt int
}

// withDefaults returns o with zero fields filled in, or all that is wrong with
// it at once.
func (o Options) withDefaults() (Options, error) {
	var problems []error
	if o.User == "" {
		problems = append(problems, errors.New("no user to sign as"))
	}
	if o.Key == nil {
		problems = append(problems, errors.New("no private key to sign with"))
	}
	switch o.SignVersion {
	case "", Sign10, Sign11, Sign13:
	default:
		problems = append(problems, fmt.Errorf("signing version %q is none of 1.0, 1.1, 1.3", o.SignVersion))
	}
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	if o.Pace == nil {
		o.Pace = pace.New(pace.Limits{Parallel: o.Parallel}, pace.Clock{})
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Retries == 0 {
		o.Retries = DefaultRetries
	}
	o.Retries = max(o.Retries, 0)
	if o.Backoff <= 0 {
		o.Backoff = DefaultBackoff
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Header = o.Header.Clone()
	return o, errors.Join(problems...)
}

// splitURL takes a chef_server_url apart into the server's root, without a
// slash at its end, and the organization, "" if it names none.
func splitURL(text string) (root *url.URL, organization string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		// The text of a url.Error repeats the URL, which may hold a password.
		return nil, "", errors.New("the server URL is not a URL")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, "", fmt.Errorf("server URL %q does not begin with https://HOST", u.Redacted())
	case u.User != nil:
		return nil, "", errors.New("the server URL holds a user name or password: a Chef server is signed in to with a key")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, "", errors.New("the server URL has a query or a fragment")
	}
	path := strings.TrimRight(u.Path, "/")
	prefix, rest, found := strings.Cut(path+"/", "/organizations/")
	if found {
		path = prefix
		organization = strings.Trim(rest, "/")
		if organization == "" || strings.Contains(organization, "/") {
			return nil, "", fmt.Errorf("server URL %q does not end in /organizations/NAME", text)
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(path, "/")}, organization, nil
}
