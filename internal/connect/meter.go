package connect

import (
	"context"
	"net/http"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Meter counts what connections do. Its methods are called from many goroutines at
// a time.
type Meter interface {
	// Request says that the primary or the replica was asked something. Route is
	// [chef.RequestInfo.Route]; result is ok, retry, object or pair.
	Request(server, route, result string, took time.Duration)

	// Object and File are those of [replicate.Meter], of one organization of the
	// replica.
	Object(organization, kind, action string)
	File(organization, kind, direction string, bytes int64)
}

// pairMeter is a [replicate.Meter] for one pair.
type pairMeter struct {
	to           Meter
	organization string
}

// Object implements [replicate.Meter].
func (m pairMeter) Object(k object.Kind, action string) {
	m.to.Object(m.organization, string(k), action)
}

// File implements [replicate.Meter].
func (m pairMeter) File(k object.Kind, direction string, bytes int64) {
	m.to.File(m.organization, string(k), direction, bytes)
}

// Tracer hears of each exchange with the primary or the replica, with the context that
// it was made in; result is as of [Meter]. Its method is called from many goroutines at
// a time.
type Tracer interface {
	Request(ctx context.Context, server, result string, r chef.RequestInfo)
}

// onRequest is the hook of a side's client; nil if nobody listens.
func (c *Connector) onRequest(name string) func(context.Context, chef.RequestInfo) {
	if c.Meter == nil && c.Tracer == nil {
		return nil
	}
	server := map[string]string{"master": "primary"}[name]
	if server == "" {
		server = name
	}
	return func(ctx context.Context, r chef.RequestInfo) {
		if c.Meter != nil {
			c.Meter.Request(server, r.Route, result(r.Status), r.Duration)
		}
		if c.Tracer != nil {
			c.Tracer.Request(ctx, server, result(r.Status), r)
		}
	}
}

// result sorts a status as [chef.Classify] does, as far as the status alone tells:
//
//	2xx                                      ok
//	none, 408, 429, 5xx                      retry
//	3xx, 401, 406, 407, 410, 421, 426, 431   pair
//	other 4xx                                object; a 404 mostly says that an object is to be made
func result(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusNotAcceptable, http.StatusProxyAuthRequired, http.StatusGone,
		http.StatusMisdirectedRequest, http.StatusUpgradeRequired, http.StatusRequestHeaderFieldsTooLarge:
		return chef.ClassPair.String()
	}
	switch {
	case status >= 200 && status < 300:
		return "ok"
	case status < 200, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return chef.ClassRetry.String()
	case status < 400:
		return chef.ClassPair.String()
	default:
		return chef.ClassObject.String()
	}
}
