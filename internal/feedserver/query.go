package feedserver

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxWait bounds how long a request may wait for a change.
const maxWait = 60 * time.Second

// query is what a caller wants.
type query struct {
	seq   int64
	limit int // 0: all
	wait  time.Duration
	fresh bool // answer only when the log has all that was there before
}

// readQuery reads the parameters. Those that it does not know are for others.
func readQuery(raw string) (query, *answer) {
	var q query
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fail(http.StatusBadRequest, "the parameters cannot be read")
	}
	if q.seq, err = strconv.ParseInt(values.Get("seq"), 10, 64); err != nil || q.seq < 0 {
		return q, fail(http.StatusBadRequest, "Field 'seq' invalid")
	}
	if v := values.Get("limit"); v != "" {
		if q.limit, err = strconv.Atoi(v); err != nil || q.limit < 1 {
			return q, fail(http.StatusBadRequest, "Field 'limit' invalid")
		}
	}
	if v := values.Get("wait"); v != "" {
		seconds, err := strconv.Atoi(v)
		if err != nil || seconds < 0 {
			return q, fail(http.StatusBadRequest, "Field 'wait' invalid")
		}
		q.wait = maxWait
		if seconds < int(maxWait/time.Second) {
			q.wait = time.Duration(seconds) * time.Second
		}
	}
	q.fresh = values.Get("fresh") == "1"
	return q, nil
}
