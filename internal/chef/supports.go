package chef

import (
	"context"
	"errors"
	"net/http"
)

// Supports reports whether the server has an endpoint of the given names below
// the organization: goiardi has no policies, and answers 200 without a body for
// them; a server of before 12.5 answers 404. A server that refuses us the
// endpoint has it.
//
// Such an answer may also come from a proxy in trouble, which then gives it for
// everything. So the server lacks an endpoint only if it answers another one at
// the same time, one that every Chef server has; else the error is returned.
func (c *Client) Supports(ctx context.Context, names ...string) (bool, error) {
	_, err := c.get(ctx, names...)
	var e *APIError
	switch {
	case err == nil:
		return true, nil
	case !errors.As(err, &e):
		return false, err
	case e.Status == http.StatusForbidden && e.class == ClassObject:
		return true, nil
	case e.empty, errors.Is(err, ErrNoRoute), IsNotFound(err):
		if _, err := c.ListEnvironments(ctx); err != nil {
			return false, err
		}
		return false, nil
	default:
		return false, err
	}
}
