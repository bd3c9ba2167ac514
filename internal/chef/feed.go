package chef

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The headers with which a feed of ours says what its numbers belong to.
const (
	headerFeedOrgGUID = "X-Chef-Sync-Org-Guid"
	headerFeedEpoch   = "X-Chef-Sync-Epoch"
	headerFeedHead    = "X-Chef-Sync-Head"
	headerFeedFloor   = "X-Chef-Sync-Floor"
	headerFeedFresh   = "X-Chef-Sync-Fresh"
)

// A FeedEntry says that an object changed.
type FeedEntry struct {
	ID     int64  `json:"id"`     // positive
	Action string `json:"action"` // "create", "update" or "delete"
	Path   string `json:"path"`   // relative to the organization: "/roles/web"
}

// UpdatedSince is a page of a feed.
type UpdatedSince struct {
	// Changes are in the order of the server; empty if nothing is new.
	Changes []FeedEntry

	// OrgGUID and Epoch name the organization and the numbering that the IDs
	// belong to; "" if the server does not say. Other values than those seen
	// before mean that the IDs seen before are worth nothing.
	OrgGUID string
	Epoch   string

	// Head is the ID of the last change that the server knows of, if HasHead.
	Head    int64
	HasHead bool

	// Floor is the highest ID of a delete that the server has forgotten, 0 = none,
	// if HasFloor.
	Floor    int64
	HasFloor bool

	// CanBeFresh says that the server knows [UpdatedSinceOptions.Fresh]: it may
	// hear of a change some time after it was made.
	CanBeFresh bool
}

// UpdatedSinceOptions are for [Client.UpdatedSince]; the zero value asks as any
// client of the documented endpoint does.
type UpdatedSinceOptions struct {
	// Limit is the most entries to answer with; 0 leaves it to the server. Only
	// our own feed obeys it.
	Limit int

	// Wait is how long the server may hold the request until there is a change,
	// in whole seconds; 0 means not at all. Only our own feed obeys it. The time
	// comes on top of [Options.Timeout], and a request that waits takes none of
	// the [Options.Parallel] slots. A server that holds [pace.MaxHeld] requests of
	// this process is not asked to hold another.
	Wait time.Duration

	// Fresh asks for an answer with all changes that were made before the request.
	Fresh bool
}

// UpdatedSince reads what changed after the change number seq; 0 means from the
// beginning. It returns [ErrNoFeed] if the server has no such endpoint, which
// is true of all stock Chef servers, and [ErrGone] with the server's reason if
// its feed cannot go on from seq. Then everything has to be compared.
// See https://docs.chef.io/server/api_chef_server/#updated_since.
func (c *Client) UpdatedSince(ctx context.Context, seq int64, o UpdatedSinceOptions) (*UpdatedSince, error) {
	r := &request{
		method: http.MethodGet,
		path:   c.orgPath("/updated_since"),
		query:  url.Values{"seq": {strconv.FormatInt(seq, 10)}},
	}
	if o.Limit > 0 {
		r.query.Set("limit", strconv.Itoa(o.Limit))
	}
	if seconds := int(o.Wait / time.Second); seconds > 0 {
		if end, ok := c.pace.Hold(); ok {
			defer end()
			r.query.Set("wait", strconv.Itoa(seconds))
			r.wait = o.Wait
		}
	}
	if o.Fresh {
		r.query.Set("fresh", "1")
	}
	answer, err := c.do(ctx, r)
	if err != nil {
		return nil, feedError(err)
	}
	out := &UpdatedSince{
		Changes: []FeedEntry{},
		OrgGUID: answer.Header.Get(headerFeedOrgGUID),
		Epoch:   answer.Header.Get(headerFeedEpoch),

		CanBeFresh: answer.Header.Get(headerFeedFresh) != "",
	}
	if head, err := strconv.ParseInt(answer.Header.Get(headerFeedHead), 10, 64); err == nil {
		out.Head, out.HasHead = head, true
	}
	if floor, err := strconv.ParseInt(answer.Header.Get(headerFeedFloor), 10, 64); err == nil {
		out.Floor, out.HasFloor = floor, true
	}
	if !bytes.HasPrefix(answer.Body, []byte("[")) || json.Unmarshal(answer.Body, &out.Changes) != nil {
		return nil, c.notChef(r, answer.Status, "with JSON that is not a list of changes")
	}
	for _, change := range out.Changes {
		if change.ID <= 0 || change.Action == "" || change.Path == "" {
			return nil, c.notChef(r, answer.Status, "with changes that lack an id, an action or a path")
		}
	}
	return out, nil
}

// feedError finds out whether an error only means that there is no feed. An
// empty 200 is goiardi's answer to what it does not have.
func feedError(err error) error {
	var e *APIError
	if !errors.As(err, &e) {
		return err
	}
	missing := e.Status == http.StatusNotFound && !errors.Is(err, ErrOrgNotFound)
	if missing || e.empty || e.Status == http.StatusMethodNotAllowed {
		return fmt.Errorf("%s %s: %d: %w", e.Method, e.URL, e.Status, ErrNoFeed)
	}
	if errors.Is(err, ErrGone) && e.Message != "" {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}
