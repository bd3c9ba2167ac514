package chef

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Glance is what a server shows to anybody who asks.
type Glance struct {
	// Product and Version are as the server names itself: "Chef Infra Server" and
	// "15.10.33", "goiardi" and "0.11.10"; "" if it does not say.
	Product, Version string

	// Ahead is how far this host's clock is ahead of the server's, good to two
	// seconds; HasDate is false if the server did not tell the time.
	Ahead   time.Duration
	HasDate bool

	// Certificates are those of the connection, the server's own first; none for
	// plain http.
	Certificates []*x509.Certificate
}

// maxVersionPage bounds what is read of the page that names the version.
const maxVersionPage = 4 << 10

// Look asks a server once, without a signature, for the page that names its
// version; o needs neither user nor key. Whatever the answer is, it is one. The
// error says that there is none, and has a [Hint].
func Look(ctx context.Context, o Options) (Glance, error) {
	if o.Key == nil {
		o.Key = &rsa.PrivateKey{} // nothing is signed
	}
	o.User = cmp.Or(o.User, "nobody")
	c, err := New(o)
	if err != nil {
		return Glance{}, err
	}
	defer c.Close()
	return c.glance(ctx)
}

func (c *Client) glance(ctx context.Context) (Glance, error) {
	u := *c.root
	u.Path += "/version"
	tryCtx, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, timeoutError(c.options.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(tryCtx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Glance{}, invalid("%s is no URL", u.Redacted())
	}
	for name, values := range c.options.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("X-Chef-Version", chefVersion)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return Glance{}, c.noAnswer(ctx, tryCtx, req.Method, u.String(), err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxVersionPage))
	if err != nil {
		return Glance{}, c.noAnswer(ctx, tryCtx, req.Method, u.String(), err)
	}
	var g Glance
	g.Product, g.Version = product(resp, page)
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The header has whole seconds, so that half of one is lost on average.
		g.Ahead, g.HasDate = c.now().Sub(date.Add(time.Second/2)), true
	}
	if resp.TLS != nil {
		g.Certificates = resp.TLS.PeerCertificates
	}
	return g, nil
}

// product reads how a server names itself: goiardi in headers, others in the
// first line of the page, "Chef Infra Server 15.10.33".
func product(resp *http.Response, page []byte) (name, version string) {
	if v := resp.Header.Get("X-Goiardi-Version"); v != "" {
		return "goiardi", clean(v, nil, "")
	}
	if resp.StatusCode != http.StatusOK || formOf(page) != formText {
		return "", ""
	}
	line := clean(excerpt(page), nil, "")
	if i := strings.LastIndexByte(line, ' '); i > 0 && strings.ContainsAny(line[i:], "0123456789") {
		return line[:i], line[i+1:]
	}
	return line, ""
}

// String is the product with its version, or that it is not known.
func (g Glance) String() string {
	switch {
	case g.Product == "":
		return "a server that does not name its version"
	case g.Version == "":
		return g.Product
	}
	return fmt.Sprintf("%s %s", g.Product, g.Version)
}
