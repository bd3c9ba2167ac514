package chef

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// chefVersion stands in X-Chef-Version. The server's nginx answers requests
	// without it with its welcome page, and refuses versions below 10.
	chefVersion = "14.0.0"

	userAgent = "chef-sync"

	// defaultMaxAnswer bounds an answer of the API in bytes. Lists are never cut
	// into pages; one of a million names is about 120 MB.
	defaultMaxAnswer = 512 << 20

	// maxRefusal bounds how much of an answer that is no success is read.
	maxRefusal = 64 << 10

	// maxPause bounds how long the client itself waits before a retry. A server
	// that asks for more is left to the caller; see [APIError.RetryAfter].
	maxPause = 30 * time.Second

	// permissionRetries is how often a 403 on one object is asked again: erchef
	// also answers so while its authorization service is overloaded.
	permissionRetries = 2
)

// A request is one call of the API, through all its tries.
type request struct {
	method string
	path   string // escaped, from the server's root
	query  url.Values
	body   any

	// encode makes the body for the API version that a try is sent with;
	// nil means that body fits all.
	encode func(apiVersion int) (any, error)

	// wait is added to the time allowed: how long the server was asked to hold
	// the request. A request that waits takes no slot.
	wait time.Duration

	url   *url.URL
	shown string // the URL for messages
	route string
	sent  []byte // the body of the last try
}

// do sends r until it succeeds, fails for good, or has been tried enough.
func (c *Client) do(ctx context.Context, r *request) (*Response, error) {
	if err := c.prepare(r); err != nil {
		return nil, err
	}
	uncertain, permission := false, 0
	for attempt := 1; ; attempt++ {
		answer, err := c.try(ctx, r, attempt)
		if err == nil {
			return answer, nil
		}
		var e *APIError
		if !errors.As(err, &e) {
			return nil, err
		}
		e.Uncertain = uncertain
		switch {
		case e.class == ClassRetry && attempt <= c.options.Retries:
		case e.permission && permission < min(permissionRetries, c.options.Retries):
			permission++
		default:
			return nil, err
		}
		if ctx.Err() != nil || e.RetryAfter > maxPause {
			return nil, err
		}
		uncertain = uncertain || mayHaveHappened(e)
		if waitErr := c.beforeRetry(ctx, e, r.route, attempt); waitErr != nil {
			return nil, waitErr
		}
	}
}

// prepare finds the URL of r, once for all tries.
func (c *Client) prepare(r *request) error {
	plain, err := url.PathUnescape(r.path)
	if err != nil || strings.ContainsAny(r.path, "?#") {
		return invalid("the path %q is not properly escaped", r.path)
	}
	for _, word := range strings.Split(r.path, "/") {
		if word == "." || word == ".." {
			return invalid("the path %q leads elsewhere", r.path)
		}
	}
	u := *c.root
	prefix := u.EscapedPath()
	u.Path += plain
	u.RawPath = prefix + r.path
	u.RawQuery = r.query.Encode()
	r.url = &u
	r.shown = u.String()
	r.route = routeOf(r.path)
	return nil
}

// mayHaveHappened reports whether the server may have done what was asked
// although it did not say so.
func mayHaveHappened(e *APIError) bool {
	switch e.Status {
	case 0, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// beforeRetry waits as long as the server asked, or else twice as long each
// time, at random between half and all of it so that clients do not march in
// step.
func (c *Client) beforeRetry(ctx context.Context, e *APIError, route string, attempt int) error {
	wait := min(c.options.Backoff<<min(attempt-1, 16), maxPause)
	wait = wait/2 + rand.N(wait/2+1)
	wait = max(wait, e.RetryAfter)
	c.log.WarnContext(ctx, "request to the Chef server will be retried",
		"route", route, "attempt", attempt, "wait", wait, "err", e)
	if err := c.pause(ctx, wait); err != nil {
		return fmt.Errorf("%w while waiting to try again: %w", err, e)
	}
	return nil
}

// try sends r once, or again at once if the server wants another version of the
// signature or of the API; that it can ask for only a bounded number of times.
func (c *Client) try(ctx context.Context, r *request, attempt int) (*Response, error) {
	for tries := 0; ; tries++ {
		signVersion, apiVersion := c.signVersion.Load().(string), c.requestVersion()
		status, header, body, err := c.exchange(ctx, r, signVersion, apiVersion, attempt)
		if err != nil {
			return nil, err
		}
		if tries < 4 && (c.fallBackSigning(status, body, signVersion) || c.negotiate(status, header, body, apiVersion)) {
			continue
		}
		if status < 200 || status > 299 {
			return nil, c.refused(r, status, header, body)
		}
		return c.accepted(r, status, header, body)
	}
}

// fallBackSigning switches to version 1.1 if the server has just said that it
// does not know 1.3, and reports whether the request is worth sending again.
func (c *Client) fallBackSigning(status int, body []byte, used string) bool {
	if c.options.SignVersion != "" || used != Sign13 || status != http.StatusBadRequest {
		return false
	}
	if !strings.Contains(strings.ToLower(excerpt(body)), "authentication protocol version") {
		return false
	}
	if c.signVersion.CompareAndSwap(Sign13, Sign11) {
		c.log.Info("the Chef server does not know signing version 1.3; 1.1 is used from now on", "url", c.URL())
	}
	return true
}

// accepted makes a response of a success, unless it is not one of a Chef
// server.
func (c *Client) accepted(r *request, status int, h http.Header, body []byte) (*Response, error) {
	out := &Response{Status: status, Header: h, Body: json.RawMessage(bytes.TrimSpace(body))}
	form := formOf(body)
	if form == formJSON || form == formEmpty && (status == http.StatusNoContent || r.method == http.MethodHead) {
		if says := licenseMessage(h); says != "" && !c.licenseWarned.Swap(true) {
			c.log.Warn("the Chef server warns about its license", "url", c.URL(), "license", says)
		}
		return out, nil
	}
	e := c.notChef(r, status, map[answerForm]string{
		formEmpty:  "with an empty body",
		formMarkup: "with a web page",
		formText:   "with text that is not JSON",
	}[form])
	e.empty = form == formEmpty
	if title := clean(c.withoutHeaders(excerpt(body)), r.sent, r.url.EscapedPath()); form == formMarkup && title != "" {
		e.Message += fmt.Sprintf(" (%q)", title)
	}
	return nil, e
}

// notChef makes the error for a success that no Chef server sends.
func (c *Client) notChef(r *request, status int, how string) *APIError {
	return &APIError{
		Method: r.method, URL: r.shown, Status: status, Message: how + ", " + ErrNotChef.Error(), Err: ErrNotChef, class: ClassPair,
		Hint: "check the server URL and the proxies before it; a server that lacks this kind of object may answer so too (goiardi)",
	}
}

// unexpected is the error for an answer about the object of the given names
// that is JSON of the wrong shape. detail never repeats the answer.
func (c *Client) unexpected(method, detail string, names ...string) error {
	path, err := objectPath(names...)
	if err != nil {
		return err
	}
	r := &request{method: method, path: c.orgPath(path)}
	if err := c.prepare(r); err != nil {
		return err
	}
	return c.notChef(r, http.StatusOK, "with "+detail)
}

// encodeBody marshals the body of r for an API version; nil stays empty.
func (r *request) encodeBody(apiVersion int) ([]byte, error) {
	body := r.body
	if r.encode != nil {
		var err error
		if body, err = r.encode(apiVersion); err != nil {
			return nil, err
		}
	}
	switch b := body.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return r.checkBody(b)
	case []byte:
		return r.checkBody(b)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		// An encoder's error may quote what it could not encode.
		return nil, invalid("the body of %s %s cannot be written as JSON", r.method, r.shown)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// checkBody refuses to send what is not JSON, by accident or because it was cut.
func (r *request) checkBody(body []byte) ([]byte, error) {
	if len(body) > 0 && !json.Valid(body) {
		return nil, invalid("the body of %s %s is not valid JSON", r.method, r.shown)
	}
	return body, nil
}

// exchange signs and sends r and reads the whole answer. It returns an error
// only if there is no complete answer.
func (c *Client) exchange(ctx context.Context, r *request, signVersion string, apiVersion, attempt int) (
	status int, header http.Header, answer []byte, err error,
) {
	if r.sent, err = r.encodeBody(apiVersion); err != nil {
		return 0, nil, nil, err
	}
	turn, err := c.begin(ctx, r.method, r.shown, r.wait > 0)
	if err != nil {
		return 0, nil, nil, err
	}
	started := time.Now()
	defer func() {
		outcome := c.outcome(ctx, status, header, err)
		outcome.Read = readOf(r, status, len(answer))
		turn.End(outcome)
		c.observe(ctx, r.method, r.route, status, started, attempt)
	}()

	limit := c.options.Timeout + r.wait
	tryCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(timeoutError(limit)) })
	defer timer.Stop()

	req, err := c.newRequest(tryCtx, r, signVersion, apiVersion)
	if err != nil {
		return 0, nil, nil, err
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, c.noAnswer(ctx, tryCtx, r.method, r.shown, err)
	}
	defer resp.Body.Close()
	success, most := resp.StatusCode <= 299, c.maxAnswer
	if !success {
		most = maxRefusal
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return 0, nil, nil, c.noAnswer(ctx, tryCtx, r.method, r.shown, err)
	}
	if int64(len(answer)) > most && success {
		return 0, nil, nil, c.notChef(r, resp.StatusCode, fmt.Sprintf("with more than %d bytes", most))
	}
	return resp.StatusCode, resp.Header, answer, nil
}

// newRequest makes the signed HTTP request of one try.
func (c *Client) newRequest(ctx context.Context, r *request, signVersion string, apiVersion int) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.root.String(), bytes.NewReader(r.sent))
	if err != nil {
		return nil, invalid("%s is no request", r.method)
	}
	req.URL = r.url
	for name, values := range c.options.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Chef-Version", chefVersion)
	if len(r.sent) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	err = c.signer.sign(req.Header, signedPart{
		method: r.method, path: r.url.EscapedPath(), body: r.sent, time: c.now(), apiVersion: apiVersion,
	}, signVersion)
	if err != nil {
		return nil, &APIError{
			Method: r.method, URL: r.shown, Message: "not signed: " + err.Error(), Err: ErrCredentials, class: ClassPair,
			Hint: "check the private key and the signing version",
		}
	}
	return req, nil
}

func (s *shared) observe(ctx context.Context, method, route string, status int, started time.Time, attempt int) {
	if s.options.OnRequest != nil {
		s.options.OnRequest(ctx, RequestInfo{
			Method: method, Route: route, Status: status, Duration: time.Since(started), Attempt: attempt,
		})
	}
}
