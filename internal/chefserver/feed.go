package chefserver

import (
	"net/http"
	"strconv"
	"time"
)

// maxFeedWait bounds the long poll.
const maxFeedWait = 60 * time.Second

// feedKind is the native change feed:
//
//	GET /organizations/ORG/updated_since?seq=N      (alias objects_since)
//	[{"action":"create|update|delete","id":N,"path":"/roles/web"}]
//
// as documented in https://docs.chef.io/server/api_chef_server/. Everything
// beyond this array is in headers and parameters:
//
//	X-Chef-Sync-Org-Guid   the organization's GUID
//	X-Chef-Sync-Epoch      changes when the numbering may have started anew
//	X-Chef-Sync-Head       the highest id there is
//	limit=N                at most N entries; N >= 1
//	wait=S                 hold the answer up to S seconds (60 at most) while
//	                       there is nothing to tell
//
// A cursor that cannot be served, because tombstones after it are gone or
// because it is ahead of the head, is answered 410.
func feedKind(opts Options) kind {
	return kind{routes: func(rs *routes) {
		if !opts.Feed {
			return // An unknown route, 404 in HTML, as on every stock server.
		}
		get := action{validate: validateFeed, do: readFeed, unlocked: true}
		rs.inOrg("updated_since", methods{"GET", get})
		rs.inOrg("objects_since", methods{"GET", get})
	}}
}

// feedQuery is what a caller of the feed wants.
type feedQuery struct {
	seq   int64
	limit int
	wait  time.Duration
}

func validateFeed(r *request) *reply {
	q := r.http.URL.Query()
	seq, err := strconv.ParseInt(q.Get("seq"), 10, 64)
	if err != nil || seq < 0 {
		return fail(http.StatusBadRequest, "Field 'seq' invalid")
	}
	fq := &feedQuery{seq: seq}
	r.aux = fq
	if r.s.opts.FeedPlain {
		return nil
	}
	if v := q.Get("limit"); v != "" {
		if fq.limit, err = strconv.Atoi(v); err != nil || fq.limit < 1 {
			return fail(http.StatusBadRequest, "Field 'limit' invalid")
		}
	}
	if v := q.Get("wait"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return fail(http.StatusBadRequest, "Field 'wait' invalid")
		}
		fq.wait = min(time.Duration(n)*time.Second, maxFeedWait)
	}
	return nil
}

func readFeed(r *request) *reply {
	q := r.aux.(*feedQuery)
	var timeout <-chan time.Time
	if q.wait > 0 {
		t := time.NewTimer(q.wait)
		defer t.Stop()
		timeout = t.C
	}
	for {
		p, grown := r.feedPage(q)
		if grown == nil || timeout == nil {
			return p
		}
		select {
		case <-grown:
		case <-timeout:
			return p
		case <-r.http.Context().Done():
			return p // Nobody listens any more.
		}
	}
}

// feedPage answers what there is. The channel is not nil when that is nothing;
// it is closed with the next change.
func (r *request) feedPage(q *feedQuery) (*reply, <-chan struct{}) {
	r.org.mu.RLock()
	defer r.org.mu.RUnlock()
	f := r.org.feed
	if r.s.opts.FeedPlain {
		return jsonReply(http.StatusOK, f.after(q.seq, 0)), nil
	}
	var p *reply
	var grown <-chan struct{}
	switch {
	case q.seq > f.head:
		p = fail(http.StatusGone, "seq %d is ahead of the newest change %d", q.seq, f.head)
	case q.seq > 0 && q.seq < f.floor:
		p = fail(http.StatusGone, "deletes after seq %d have been forgotten up to %d", q.seq, f.floor)
	default:
		changes := f.after(q.seq, q.limit)
		if len(changes) == 0 {
			grown = f.grown
		}
		p = jsonReply(http.StatusOK, changes)
	}
	p.header.Set("X-Chef-Sync-Org-Guid", r.org.guid)
	p.header.Set("X-Chef-Sync-Epoch", f.epoch)
	p.header.Set("X-Chef-Sync-Head", strconv.FormatInt(f.head, 10))
	return p, grown
}
