package activities

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// The types of the application errors that activities end with, as the
// workflow and the Web UI see them.
const (
	// TypeUpToDate is no error: a Poll found nothing new and asks the server to
	// start it again later, which costs no history.
	TypeUpToDate = "UpToDate"

	// TypeWaiting is a Poll that met a trouble that the workflow knows of.
	TypeWaiting = "Waiting"

	// TypeMaintenance is no error: the pair rests, and the activity asks to be
	// started again afterwards.
	TypeMaintenance = "Maintenance"

	// TypeUnavailable may pass: network, 5xx, 429. Temporal retries it.
	TypeUnavailable = "Unavailable"

	// TypePair is a trouble of the whole pair; details hold a [Trouble].
	TypePair = "PairTrouble"

	// TypeStagingLost says that what was staged is gone: fetch again.
	TypeStagingLost = "StagingLost"
)

// ErrNotConfigured says that the configuration of this worker does not name a
// pair, or not completely.
var ErrNotConfigured = errors.New("not configured on this worker")

// errOtherServer says that a server is not the one that a retry is about. The next
// poll finds that, too, and has everything compared.
var errOtherServer = errors.New("not tried again")

// classOf is [chef.Classify] for everything that can end an activity.
func classOf(err error) chef.Class {
	var rest *restError
	if errors.As(err, &rest) {
		return chef.ClassPair
	}
	for _, pair := range []error{ErrNotConfigured, replicate.ErrDenied, replicate.ErrNothing, errOtherServer} {
		if errors.Is(err, pair) {
			return chef.ClassPair
		}
	}
	return chef.Classify(err)
}

// asTemporal sorts the error that ended a Fetch or Apply. Errors about single
// objects do not come here: they are in the result. So an error of the object
// class is about something that all objects need (a list, a sandbox).
func asTemporal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, staging.ErrNotFound), errors.Is(err, staging.ErrCorrupt):
		return temporal.NewNonRetryableApplicationError(err.Error(), TypeStagingLost, nil)
	case isUnavailable(err) && chef.RetryAfter(err) <= longRetry:
		return unavailable(err)
	default:
		return temporal.NewNonRetryableApplicationError(err.Error(), TypePair, nil, troubleOf(err))
	}
}

// longRetry is the longest that a server may ask to be left alone before the pair
// says so and waits in a Poll, which an operator can interrupt; a batch cannot be.
const longRetry = time.Minute

func isUnavailable(err error) bool { return err != nil && classOf(err) == chef.ClassRetry }

// unavailable has Temporal try an activity again, at once or when the server said.
func unavailable(err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), TypeUnavailable, temporal.ApplicationErrorOptions{
		NextRetryDelay: chef.RetryAfter(err),
		Details:        []any{troubleOf(err)},
	})
}

// TroubleOf returns the trouble that an activity's error tells of.
func TroubleOf(err error) Trouble {
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.HasDetails() {
		var t Trouble
		if app.Details(&t) == nil && t.Message != "" {
			return t
		}
	}
	return Trouble{Key: "activity", Message: err.Error()}
}

// IsStagingLost reports whether an activity's error asks for another Fetch.
func IsStagingLost(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == TypeStagingLost
}

func troubleOf(err error) Trouble {
	key := classOf(err).String()
	var api *chef.APIError
	var rest *restError
	switch {
	case errors.As(err, &rest):
		key = TroubleMaintenance
	case classOf(err) == chef.ClassRetry: // a server that is down has many voices
	case errors.As(err, &api):
		key += "/" + strconv.Itoa(api.Status)
	case errors.Is(err, errOtherServer):
		key += "/other-server"
	case errors.Is(err, replicate.ErrDenied):
		key += "/denied"
	case errors.Is(err, ErrNotConfigured), errors.Is(err, replicate.ErrNothing):
		key += "/configuration"
	case errors.Is(err, chef.ErrNotChef):
		key += "/not-chef"
	}
	return Trouble{Key: key, Message: err.Error(), Hint: hintOf(err)}
}

// hintOf is what may help against an error of a server or of this host's disk.
func hintOf(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "make room for the staging directory of this ec-syncd: staging, or else ec_sync_client['dir'], in chef-sync.rb; df -h shows which disk is full"
	}
	return chef.Hint(err)
}

// Backoff bounds the waiting between attempts at something that fails.
type Backoff struct{ First, Most time.Duration }

// After returns how long to wait after the nth failure in a row, n from 1: First,
// and twice as long each time, up to Most (or First, if that is more).
func (b Backoff) After(n int) time.Duration {
	d, most := b.First, max(b.First, b.Most)
	for range min(n, 64) - 1 {
		if d >= most/2 {
			return most
		}
		d *= 2
	}
	return d
}
