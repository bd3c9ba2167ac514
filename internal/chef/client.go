package chef

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// A Client talks to one Chef server as one user, about one organization. It is
// safe for concurrent use. All clients made from one by
// [Client.WithOrganization] share its connections, its limit of requests in
// flight, and what it has learnt about the server.
type Client struct {
	*shared
	organization string
	log          *slog.Logger
}

// shared is what the clients of one server have in common.
type shared struct {
	options   Options
	root      *url.URL // without a slash at its end
	signer    signer
	transport *http.Transport // API requests
	files     *http.Transport // file transfers; apart, since their connections get closed
	fileHosts []hostRule
	pace      *pace.Server
	maxAnswer int64 // bytes

	signVersion   atomic.Value // string, the one in use
	apiVersion    atomic.Int32 // versionUnknown until negotiated
	licenseWarned atomic.Bool

	now   func() time.Time
	pause func(context.Context, time.Duration) error
}

// New makes a client; it does not talk to the server yet. The error says all
// that is wrong with the options at once, as far as it can be known.
func New(o Options) (*Client, error) {
	root, organization, err := splitURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("chef client: %w", err)
	}
	if o, err = o.withDefaults(); err != nil {
		return nil, fmt.Errorf("chef client for %s: %w", root, err)
	}
	if o.Organization != "" {
		organization = o.Organization
	}
	tlsConfig, err := o.TLS.config(root.Hostname())
	if err != nil {
		return nil, fmt.Errorf("chef client for %s: %w", root, err)
	}
	fileHosts, err := parseHostRules(root, o.FileHosts)
	if err != nil {
		return nil, fmt.Errorf("chef client for %s: %w", root, err)
	}
	if o.TLS.Insecure {
		o.Logger.Warn("TLS verification is switched off: anybody on the way to the server can read and change what is copied",
			"url", root.String())
	}
	s := &shared{
		options:   o,
		root:      root,
		signer:    signer{user: o.User, key: o.Key},
		fileHosts: fileHosts,
		pace:      o.Pace,
		maxAnswer: defaultMaxAnswer,
		now:       time.Now,
		pause:     pause,
	}
	hideStray()
	s.transport = newTransport(o.Parallel + pace.MaxHeld)
	s.transport.TLSClientConfig = tlsConfig
	s.files = newTransport(o.Parallel)
	s.files.DialContext = dialsFileConns(s.files.DialContext)
	s.files.TLSClientConfig = tlsConfig.Clone()
	s.files.DisableCompression = true // the bytes as they are stored are what the checksum is of
	s.apiVersion.Store(versionUnknown)
	s.signVersion.Store(firstSignVersion(o.SignVersion))
	return &Client{shared: s, organization: organization, log: o.Logger}, nil
}

func firstSignVersion(asked string) string {
	if asked == "" {
		return Sign13
	}
	return asked
}

// newTransport keeps as many idle connections as requests can be in flight, among
// them those that a server holds and that take no place among the others; a
// TLS handshake costs the server more than most requests. Its nginx closes idle
// ones after 65 s.
func newTransport(parallel int) *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConns:        2 * parallel,
		MaxIdleConnsPerHost: parallel,
		IdleConnTimeout:     55 * time.Second,

		OnProxyConnectResponse: proxyAnswer,
	}
}

// pause waits for d or until ctx ends, whose error it then returns.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithOrganization returns a client for another organization of the same
// server; "" is for a server without organizations. It shares connections,
// limits and negotiated versions with c, and costs nothing.
func (c *Client) WithOrganization(organization string) *Client {
	return &Client{shared: c.shared, organization: organization, log: c.log}
}

// WithLogger returns a client that says to another logger what [Options.Logger] is
// told. It shares with c what WithOrganization does.
func (c *Client) WithLogger(log *slog.Logger) *Client {
	return &Client{shared: c.shared, organization: c.organization, log: log}
}

// URL returns the server's root, without organization and without a slash at
// its end.
func (c *Client) URL() string { return c.root.String() }

// Organization returns the organization's name; "" for a server without.
func (c *Client) Organization() string { return c.organization }

// User returns the name that requests are signed with.
func (c *Client) User() string { return c.signer.user }

// Pace returns when requests go to the server; it is shared by all clients that
// were made with it.
func (c *Client) Pace() *pace.Server { return c.pace }

// Close closes idle connections, also those of clients that share them. A
// closed client may be used again.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.files.CloseIdleConnections()
}

// A Response is a success of the API.
type Response struct {
	Status int
	Header http.Header

	// Body is complete, valid JSON; empty only for 204 and for HEAD.
	Body json.RawMessage
}

// Do sends one request about the organization and returns the answer if it is a
// success. path is relative to the organization ("/roles/web") and already
// escaped; body is nil, a [json.RawMessage], or anything that can be marshalled.
// What may pass by itself was retried when Do returns; so a request that was
// not idempotent may have been carried out twice, see [APIError.Uncertain].
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body any) (*Response, error) {
	return c.do(ctx, &request{method: method, path: c.orgPath(path), query: query, body: body})
}

// DoGlobal is [Client.Do] with a path relative to the server's root, such as
// /users, /organizations/acme or /_status.
func (c *Client) DoGlobal(ctx context.Context, method, path string, query url.Values, body any) (*Response, error) {
	return c.do(ctx, &request{method: method, path: slashed(path), query: query, body: body})
}

// orgPath puts the organization before a path relative to it.
func (c *Client) orgPath(path string) string {
	if c.organization == "" {
		return slashed(path)
	}
	return "/organizations/" + url.PathEscape(c.organization) + slashed(path)
}

func slashed(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

// objectPath makes an escaped path of the names of an object: objectPath("data",
// "users", "alice"). It refuses names that would lead elsewhere.
func objectPath(names ...string) (string, error) {
	var b strings.Builder
	for _, n := range names {
		if n == "" || n == "." || n == ".." {
			return "", invalid("%q cannot be a name in the path %q", n, strings.Join(names, "/"))
		}
		b.WriteString("/" + url.PathEscape(n))
	}
	return b.String(), nil
}

// get reads the object of the given names.
func (c *Client) get(ctx context.Context, names ...string) (json.RawMessage, error) {
	return c.send(ctx, http.MethodGet, nil, nil, names...)
}

// send is Do for the object of the given names; it returns the body.
func (c *Client) send(ctx context.Context, method string, query url.Values, body any, names ...string) (json.RawMessage, error) {
	path, err := objectPath(names...)
	if err != nil {
		return nil, err
	}
	answer, err := c.Do(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}
