package chef

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// errTimeout is wrapped by the error of a try that took too long. It is not a
// context's error, because the caller's context has not ended.
var errTimeout = errors.New("no answer in time")

func timeoutError(limit time.Duration) error {
	return fmt.Errorf("%w (%s)", errTimeout, limit)
}

// A proxyError is the refusal of a proxy to connect us to a server.
type proxyError struct {
	proxy  string // host and port
	status int
}

// Error names the proxy and what it answered.
func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s does not connect to the server: %d %s", e.proxy, e.status, http.StatusText(e.status))
}

// proxyAnswer is a hook of the transports.
func proxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy.Host, resp.StatusCode}
}

// refusedByProxy completes e, the error for a proxy's refusal. What a proxy forbids
// it forbids for all; what it cannot reach may come back.
func refusedByProxy(e *APIError, p *proxyError) {
	e.Message = p.Error()
	if p.status >= http.StatusInternalServerError || p.status == http.StatusTooManyRequests || p.status == http.StatusRequestTimeout {
		e.Hint = "the proxy of HTTPS_PROXY cannot reach the server: check the server URL, or name the server in NO_PROXY"
		return
	}
	e.class, e.Err = ClassPair, ErrNotChef
	e.Hint = "check HTTPS_PROXY of this process, with its user and password if it wants them, or name the server in NO_PROXY"
}

// noAnswer makes the error for a try that brought no complete answer. If the
// caller's context has ended, that is the reason and it passes through;
// otherwise it is an [APIError] with status 0.
func (c *Client) noAnswer(ctx, tryCtx context.Context, method, shown string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", method, shown, ctx.Err())
	}
	if cause := context.Cause(tryCtx); errors.Is(cause, errTimeout) {
		err = cause
	}
	e := &APIError{Method: method, URL: shown, class: ClassRetry, Err: err}
	var refused *proxyError
	if errors.As(err, &refused) {
		refusedByProxy(e, refused)
		return e
	}
	if isTLS(err) {
		e.class = ClassPair
		e.Err = fmt.Errorf("%w: %w", ErrTLS, err)
		e.Hint = tlsHint(err, c.root.Host)
		return e
	}
	e.Hint = networkHint(err)
	if isNotHTTP(err) {
		// Such errors quote the stray bytes, which may be another answer's.
		e.Err = errors.New("the answer is not HTTP")
	}
	return e
}

// isNotHTTP reports whether what came could not be read as an answer. Errors of the
// transport that do not quote any of it are of another kind.
func isNotHTTP(err error) bool {
	text := err.Error()
	return strings.Contains(text, "malformed") || strings.Contains(text, "transport connection broken") && strings.Contains(text, `"`)
}

// closedIdle is what net/http says of a connection that was ended before the request
// went out; it is no error with a name.
const closedIdle = "http: server closed idle connection"

func networkHint(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy of HTTPS_PROXY or HTTP_PROXY does not answer: correct it, or name the server in NO_PROXY"
	case errors.Is(err, errTimeout), errors.As(err, &timeout) && timeout.Timeout():
		return "the server or a proxy is too slow or unreachable: check its load, firewalls, and the time-out setting"
	case errors.As(err, &dns):
		return fmt.Sprintf("the host name %q cannot be resolved: check the server URL and DNS", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: check host, port, and that the server runs"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.HasSuffix(err.Error(), closedIdle):
		return "the server, or a proxy before it, broke the connection off: check that it runs, and its log"
	case isNotHTTP(err):
		return "check the server URL: something else than a web server listens there"
	}
	return ""
}

// oldTLS is what crypto/tls says of a server that knows no version of TLS that it
// may use; other servers say it themselves.
const oldTLS = "tls: server selected unsupported protocol version"

// isTLS reports whether trust could not be established, by either side.
func isTLS(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		cert      x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	return errors.Is(err, errPin) || errors.As(err, &verify) || errors.As(err, &authority) ||
		errors.As(err, &name) || errors.As(err, &cert) || errors.As(err, &record) ||
		strings.Contains(err.Error(), "remote error: tls:") || strings.Contains(err.Error(), oldTLS)
}

func tlsHint(err error, host string) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var cert x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return "the server does not speak TLS on this port, plain http perhaps: check the server URL"
	case errors.Is(err, errPin):
		return "if the server's key was changed on purpose, set the pin (master_tls['pin_sha256'], replica_tls['pin_sha256']) to the new one; if not, somebody is in between"
	case errors.As(err, &authority):
		if !strings.Contains(host, ":") {
			host += ":443"
		}
		return fmt.Sprintf("fetch the server's certificate with openssl s_client -showcerts -connect %s </dev/null | "+
			"openssl x509 >chef.pem, compare it with the one on the server, and name the file in master_tls['ca_file'] or replica_tls['ca_file']", host)
	case errors.As(err, &name):
		return "write the host name that the server's certificate is for as master or replica, or pin the certificate's key with master_tls['pin_sha256'] or replica_tls['pin_sha256']"
	case errors.As(err, &cert) && cert.Reason == x509.Expired:
		return "the server's certificate has expired, or this host's clock is wrong"
	case strings.Contains(err.Error(), oldTLS), strings.Contains(err.Error(), "tls: protocol version not supported"):
		return "the server knows no TLS 1.2: nginx['ssl_protocols'] in its chef-server.rb, or the proxy before it, has to allow that"
	case strings.Contains(err.Error(), "remote error"):
		return "the server refused this side: it may ask for a client certificate"
	}
	return "check the server's certificate, and master_tls['ca_file'] or replica_tls['ca_file']"
}
