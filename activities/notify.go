package activities

import (
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/temporal"
)

// The kinds of an [Event].
const (
	EventHalted    = "halted"    // the pair wants to delete much, and asks
	EventTrouble   = "trouble"   // it waits for a trouble to pass
	EventStale     = "stale"     // it has had no success for long
	EventRecovered = "recovered" // none of these is true any more
)

// Event is what a webhook is told of a pair, and the body that it gets. Fields are
// added, never renamed. Times are UTC.
type Event struct {
	Version int `json:"version"` // 1

	// ID is the same for each attempt to tell of one event, and of no other.
	ID    string    `json:"id"`
	Event string    `json:"event"`
	At    time.Time `json:"at"` // when it was noticed

	Replica      string `json:"replica"`
	Organization string `json:"organization"` // the destination
	Source       string `json:"source"`

	Mode        string    `json:"mode"`         // what the pair is doing
	Since       time.Time `json:"since"`        // when Mode began
	LastSuccess time.Time `json:"last_success"` // zero means never
	Unsynced    int       `json:"unsynced"`

	Reason string `json:"reason,omitempty"` // in words
	Hint   string `json:"hint,omitempty"`   // what helps; a command mostly
}

// Poster tells a webhook. An error may be shown: it holds neither the URL nor what
// else is secret about it.
type Poster interface {
	Post(ctx context.Context, body []byte) error
}

// Notify tells the webhook of an event. An attempt that is repeated because its success
// was lost tells again, with the same ID. Without a webhook it returns an error of type
// [TypeUnavailable]: another worker of the replica may have one, or this one be told of
// it, and nothing is to be lost meanwhile.
func (a *Activities) Notify(ctx context.Context, e Event) error {
	if a.Webhook == nil {
		return temporal.NewApplicationErrorWithOptions("this ec-syncd has no webhook_url", TypeUnavailable,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	result := "ok"
	if err = a.Webhook.Post(ctx, body); err != nil {
		result = "failed"
		a.Log.WarnContext(ctx, "webhook was not told", "org", e.Organization, "event", e.Event, "err", err)
	}
	count(ctx, MetricPosts, map[string]string{"event": e.Event, "result": result})
	return err
}
