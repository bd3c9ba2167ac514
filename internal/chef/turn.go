package chef

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// smallRead is the most bytes of an answer whose time says how the server is, and
// not how much it had to send.
const smallRead = 64 << 10

// begin waits until a request may go. If the server asked to be left alone for
// long, the error is one that may pass, and says when.
func (c *Client) begin(ctx context.Context, method, shown string, held bool) (*pace.Turn, error) {
	turn, err := c.pace.Begin(ctx, held)
	var alone *pace.AloneError
	switch {
	case errors.As(err, &alone):
		return nil, &APIError{Method: method, URL: shown, RetryAfter: alone.Left, Err: alone, class: ClassRetry}
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", method, shown, err)
	}
	return turn, nil
}

// outcome is what an exchange says about the server. Of one that brought no answer
// err says why.
func (c *Client) outcome(ctx context.Context, status int, h http.Header, err error) pace.Outcome {
	switch {
	case ctx.Err() != nil: // the caller's own end
		return pace.Outcome{}
	case err != nil && Classify(err) != ClassRetry: // not sent, or to somebody else
		return pace.Outcome{}
	case err != nil && strings.HasSuffix(err.Error(), closedIdle): // its right, with a connection that nobody used
		return pace.Outcome{}
	case errors.Is(err, errTimeout):
		return pace.Outcome{Overload: errTimeout.Error()}
	case err != nil:
		return pace.Outcome{Overload: "no answer"}
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return pace.Outcome{Overload: strconv.Itoa(status), Alone: retryAfter(h, c.now())}
	default:
		return pace.Outcome{Answered: true}
	}
}

// readOf names the kind of a small read; "" if r was none. A feed may hold even a
// request that does not ask for it.
func readOf(r *request, status, size int) string {
	if r.method != http.MethodGet || status != http.StatusOK || size > smallRead || r.route == "updated_since" {
		return ""
	}
	return r.route
}
