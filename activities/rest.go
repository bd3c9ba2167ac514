package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/maintenance"
)

// A pair rests while one of its windows of maintenance is open: every activity
// that would speak to a server ends at its beginning, and what began before is
// finished.
//
//	activity          ends with                    and then
//	Poll              an attempt that is over      the next one comes by itself, without history
//	Fetch, Apply      a trouble of the pair        the page is given up; the Poll after it rests
//	VerifyList, …     an attempt that is over      the next one comes when the window is closed

// TroubleMaintenance is the key of the [Trouble] of a page that was given up
// because a window opened.
const TroubleMaintenance = "maintenance"

// lookEvery is how often a Poll looks whether a window was taken out of the
// configuration, or the clock was set.
const lookEvery = 15 * time.Minute

// restError says that a pair rests.
type restError struct{ until, now time.Time }

// Error says until when.
func (e *restError) Error() string { return "maintenance until " + maintenance.Stamp(e.until, e.now) }

// left is how long it lasts, and up to spread more: pairs that rest together are
// not to wake in the same second.
func (e *restError) left(spread time.Duration) time.Duration {
	return e.until.Sub(e.now) + rand.N(max(spread, 1))
}

// resting returns a restError if a window of c is open.
func (a *Activities) resting(c *Connection) error {
	now := a.now()
	if until := c.Maintenance.Until(now); !until.IsZero() {
		return &restError{until, now}
	}
	return nil
}

func (a *Activities) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// rests ends an attempt of a Poll for as long as the pair rests.
func (p *poll) rests(ctx context.Context, e *restError) error {
	p.beat.Maintenance = e.until.UTC()
	delay := min(e.left(p.set.PollInterval), jitter(lookEvery))
	return p.again(ctx, TypeMaintenance, delay, fmt.Sprintf("%s; next look in %s", e, delay.Round(time.Second)))
}

// asTemporalLater is asTemporal for what an operator, and no page, waits for: it
// comes to its turn when the pair no longer rests, and when a server that asked to
// be left alone may be asked again.
func asTemporalLater(err error) error {
	var rest *restError
	switch {
	case errors.As(err, &rest):
		return temporal.NewApplicationErrorWithOptions(err.Error(), TypeMaintenance, temporal.ApplicationErrorOptions{
			NextRetryDelay: rest.left(time.Minute), Category: temporal.ApplicationErrorCategoryBenign,
		})
	case isUnavailable(err):
		return unavailable(err)
	default:
		return asTemporal(err)
	}
}
