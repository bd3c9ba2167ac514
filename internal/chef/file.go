package chef

import (
	"context"
	"crypto/md5" //nolint:gosec // the name of a file is its MD5; nothing else could be compared
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// UploadFile brings the file whose MD5 is checksum, in hex, to the URL that a
// [Sandbox] gave, and may be repeated. open is called once per try, and once more
// where a connection turned out to be closed before anything went over it; what it
// returns is closed. It has to give size bytes of that MD5, or the upload fails
// with [ErrChecksum]. [ErrURLExpired] means that a new sandbox is needed,
// [ErrForeignHost] that the URL leads to a host that is not allowed.
//
// A transfer fails if no byte moves for [Options.Timeout]; it may take any time
// as a whole. It takes one of the [Options.Parallel] slots.
func (c *Client) UploadFile(ctx context.Context, to, checksum string, size int64, open func() (io.ReadCloser, error)) error {
	sum, err := hex.DecodeString(checksum)
	if err != nil || len(sum) != md5.Size {
		return invalid("%q is not an MD5", checksum)
	}
	u, err := c.fileURL(http.MethodPut, to)
	if err != nil {
		return err
	}
	return c.retryFile(ctx, func(attempt int) error { return c.upload(ctx, u, sum, size, open, attempt) })
}

// DownloadFile reads a file from its URL in a [Manifest], checks that its MD5 is
// checksum, in hex, and returns how many bytes it wrote to w. After an error w may hold some, which
// are then worth nothing: truncate before trying again. Tries that brought no
// byte are repeated here, others are not.
//
// [ErrURLExpired] means that the manifest has to be read again for new URLs,
// [ErrFileMissing] that the server has lost the file, [ErrChecksum] that it is
// damaged, [ErrForeignHost] that it is on a host that is not allowed.
//
// A transfer fails if no byte moves for [Options.Timeout]. It takes one of the
// [Options.Parallel] slots, also while w blocks: w must not wait for another
// request of this client.
func (c *Client) DownloadFile(ctx context.Context, from, checksum string, w io.Writer) (int64, error) {
	sum := strings.ToLower(checksum)
	if !isMD5(sum) {
		return 0, invalid("%q is not an MD5", checksum)
	}
	u, err := c.fileURL(http.MethodGet, from)
	if err != nil {
		return 0, err
	}
	var n int64
	err = c.retryFile(ctx, func(attempt int) error {
		var tryErr error
		n, tryErr = c.download(ctx, u, sum, w, attempt)
		if tryErr != nil && n > 0 {
			return finalError{tryErr}
		}
		return tryErr
	})
	var final finalError
	if errors.As(err, &final) {
		err = final.error
	}
	return n, err
}

// A finalError is an error after which no other try may be made. It does not
// unwrap.
type finalError struct{ error }

// retryFile repeats a transfer as [Client.do] repeats a request.
func (c *Client) retryFile(ctx context.Context, try func(attempt int) error) error {
	for attempt := 1; ; attempt++ {
		err := try(attempt)
		var e *APIError
		if err == nil || !errors.As(err, &e) { // also a finalError, which hides what it holds
			return err
		}
		retry := e.class == ClassRetry && !errors.Is(e, ErrURLExpired)
		if !retry || attempt > c.options.Retries || ctx.Err() != nil || e.RetryAfter > maxPause {
			return err
		}
		if waitErr := c.beforeRetry(ctx, e, routeFile, attempt); waitErr != nil {
			return waitErr
		}
	}
}

// upload is one try of [Client.UploadFile].
func (c *Client) upload(ctx context.Context, u *url.URL, sum []byte, size int64, open func() (io.ReadCloser, error), attempt int) error {
	content, err := open()
	if err != nil {
		return fmt.Errorf("open file %x for upload: %w", sum, err)
	}
	t, err := c.startTransfer(ctx, http.MethodPut, u, attempt)
	if err != nil {
		content.Close()
		return err
	}
	defer t.end()
	sent := t.body(content)
	t.request.Body, t.request.ContentLength = sent, size
	t.request.GetBody = func() (io.ReadCloser, error) { // of a connection on which nothing was sent
		content, err := open()
		if err != nil {
			content = io.NopCloser(failingReader{err})
		}
		sent = t.body(content)
		return sent, nil
	}
	if size == 0 {
		// An empty body with a reader would go out in chunks, which S3 refuses.
		content.Close()
		t.request.Body, t.request.GetBody = http.NoBody, nil
	}
	t.request.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum))
	t.request.Header.Set("Content-Type", "application/x-binary")

	resp, err := t.send()
	if err == nil {
		defer resp.Body.Close()
	}
	if wrong := sent.verdict(size, sum); wrong != nil {
		return fmt.Errorf("upload file %x: %w", sum, wrong)
	}
	if err != nil {
		return err
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxRefusal)) // so that the connection can be used again
		return nil
	}
	return t.refused(resp)
}

// download is one try of [Client.DownloadFile].
func (c *Client) download(ctx context.Context, u *url.URL, sum string, w io.Writer, attempt int) (int64, error) {
	t, err := c.startTransfer(ctx, http.MethodGet, u, attempt)
	if err != nil {
		return 0, err
	}
	defer t.end()
	resp, err := t.send()
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, t.refused(resp)
	}
	hash := md5.New() //nolint:gosec // see the import
	out := &failingWriter{to: w}
	n, err := io.Copy(io.MultiWriter(out, hash), t.paced(resp.Body))
	if out.err != nil {
		return n, fmt.Errorf("write file %s: %w", sum, out.err)
	}
	if err != nil {
		return n, t.noAnswer(err)
	}
	if hex.EncodeToString(hash.Sum(nil)) != sum {
		return n, &APIError{
			Method: http.MethodGet, URL: shownFile(u), Status: resp.StatusCode, Err: ErrChecksum, class: ClassObject,
			Message: fmt.Sprintf("%s: %d bytes that do not have the MD5 %s", ErrChecksum, n, sum),
			Hint:    "the file is damaged on the server, or was cut short on the way: upload the cookbook again if it stays so",
		}
	}
	return n, nil
}

// A transfer is one try to move one file.
type transfer struct {
	client  *Client
	request *http.Request
	parent  context.Context // the caller's, to tell its end from a time-out
	timer   *time.Timer
	cancel  context.CancelCauseFunc
	conn    *fileConn
	use     int // of conn
	turn    *pace.Turn
	started time.Time
	status  int
	header  http.Header
	err     error // why there is no answer, or no whole one
	attempt int
}

// startTransfer takes a slot and starts the clock. Its end method has to be
// called.
func (c *Client) startTransfer(ctx context.Context, method string, u *url.URL, attempt int) (*transfer, error) {
	turn, err := c.begin(ctx, method, shownFile(u), false)
	if err != nil {
		return nil, err
	}
	t := &transfer{client: c, parent: ctx, turn: turn, started: time.Now(), attempt: attempt}
	tryCtx, cancel := context.WithCancelCause(ctx)
	t.cancel = cancel
	limit := c.options.Timeout
	t.timer = time.AfterFunc(limit, func() { cancel(timeoutError(limit)) })
	traced := httptrace.WithClientTrace(tryCtx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { t.conn, t.use = take(info.Conn) },
	})
	t.request = (&http.Request{Method: method, URL: u, Host: u.Host, Header: http.Header{}}).WithContext(traced)
	t.request.Header.Set("User-Agent", userAgent)
	return t, nil
}

// moved is called whenever bytes have moved.
func (t *transfer) moved() { t.timer.Reset(t.client.options.Timeout) }

func (t *transfer) end() {
	t.timer.Stop()
	t.cancel(nil)
	outcome := t.client.outcome(t.parent, t.status, t.header, t.err)
	if !t.client.isOwn(t.request.URL) { // who asks to be left alone is another server
		outcome.Alone = 0
	}
	t.turn.End(outcome)
	t.client.observe(t.parent, t.request.Method, routeFile, t.status, t.started, t.attempt)
}

// body returns the body of an upload, which is sent as fast as the server may be
// written.
func (t *transfer) body(content io.ReadCloser) *hashingReader {
	return &hashingReader{
		from: t.client.pace.Reader(t.request.Context(), content), file: content,
		hash: md5.New(), moved: t.moved, //nolint:gosec // see the import
	}
}

// paced returns what is read of a body, as fast as the server may be read.
func (t *transfer) paced(body io.Reader) io.Reader {
	return &movingReader{from: t.client.pace.Reader(t.request.Context(), body), moved: t.moved}
}

func (t *transfer) send() (*http.Response, error) {
	resp, err := t.client.files.RoundTrip(t.request)
	if err != nil {
		return nil, t.noAnswer(err)
	}
	t.status, t.header = resp.StatusCode, resp.Header
	t.moved()
	return resp, nil
}

func (t *transfer) noAnswer(err error) error {
	t.err = t.client.noAnswer(t.parent, t.request.Context(), t.request.Method, shownFile(t.request.URL), err)
	return t.err
}

// refused makes the error for a file store's refusal, and closes the
// connection if nobody else uses it yet: bookshelf may fail the next request on it.
func (t *transfer) refused(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what could be read is enough for a message
	if t.conn != nil {
		t.conn.end(t.use)
	}
	e := &APIError{
		Method: t.request.Method, URL: shownFile(t.request.URL), Status: resp.StatusCode,
		Message: storeMessage(body), RetryAfter: retryAfter(resp.Header, t.client.now()),
	}
	switch s := resp.StatusCode; {
	case isInBetween(s):
		e.class, e.Err, e.Hint = ClassPair, ErrNotChef, hintInBetween
	case s == http.StatusBadRequest && tlsProblem(body) != "":
		e.class, e.Err, e.Hint = ClassPair, ErrTLS, tlsProblem(body)
	case s == http.StatusForbidden || s == http.StatusUnauthorized:
		e.class, e.Err = ClassRetry, ErrURLExpired
		e.Hint = "file URLs last for hours (download) or 15 minutes (upload); if new ones fail too, compare the clocks"
	case s == http.StatusNotFound || s == http.StatusGone:
		e.class, e.Err = ClassObject, ErrFileMissing
		e.Hint = "the server has lost the file: upload the cookbook again"
	case t.request.Method == http.MethodPut && (s == http.StatusBadRequest || s == http.StatusNotAcceptable):
		e.class, e.Err = ClassObject, ErrChecksum
	case s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s >= 500:
		e.class = ClassRetry
	case s < 400:
		e.class, e.Err = ClassPair, ErrNotChef
	default:
		e.class = ClassObject
	}
	return e
}
