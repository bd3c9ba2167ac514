package config

import (
	"net"
	"net/url"
	"strconv"
	"time"
)

// Watch is how operators hear of the replicator beside its logs.
type Watch struct {
	// MetricsAddress is the host:port at which /metrics, /healthz and /readyz are
	// served; "" serves nothing.
	MetricsAddress string

	// WebhookURL is told of pairs that need somebody; "" tells nobody. It may hold a
	// secret. Each line of WebhookHeadersFile is a header field to send to it.
	WebhookURL         string
	WebhookHeadersFile string

	// StaleAfter is how long a pair may be without success before it is stale.
	StaleAfter time.Duration
}

// watchRows say how operators hear of the replicator.
func watchRows() []row {
	watch := func(r *reader) *Watch { return &r.cfg.Watch }
	return []row{
		{path: p("metrics_address"), def: "", set: listenAddress(func(r *reader) *string { return &watch(r).MetricsAddress }),
			doc: "Where the replicator serves /metrics for Prometheus, /healthz and /readyz: 'host:port', as in '127.0.0.1:9464'. " +
				"It asks nobody for a password, and names organizations. '' serves nothing."},
		{path: p("webhook_url"), def: "", secret: true, set: webhookURL,
			doc: "An http or https URL to which a JSON document is posted when a pair halts, is in trouble, is stale, or has recovered; '' posts nothing."},
		{path: p("webhook_headers_file"), def: "", set: file(func(r *reader) *string { return &watch(r).WebhookHeadersFile }),
			doc: "A file with header fields for webhook_url, one 'Name: value' a line, as for a token. It is read for each post."},
		{path: p("webhook_stale_after"), def: "15m", set: duration(func(r *reader) *time.Duration { return &watch(r).StaleAfter }, time.Second, 30*24*time.Hour),
			doc: "How long a pair may go without finding nothing new or copying something, before webhook_url is told that it is stale."},
	}
}

// listenAddress reads host:port, with a port that is a number.
func listenAddress(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		const want = "host:port, as in '127.0.0.1:9464', or '' for none"
		s, ok := v.val.(string)
		if !ok {
			r.wrong(name, v, want)
			return
		}
		if _, port, err := net.SplitHostPort(s); s != "" {
			if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
				r.fail(v.pos, name+" cannot be "+quote(s), "write "+want)
				return
			}
		}
		*to(r) = s
	}
}

// webhookURL reads a URL that may hold a secret: no message repeats it.
func webhookURL(r *reader, name string, v node) {
	const want = "a URL as in 'https://hooks.example.com/chef-sync', or '' for none"
	s, ok := v.val.(string)
	if !ok {
		r.wrong(name, v, want)
		return
	}
	if u, err := url.Parse(s); s != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		r.fail(v.pos, name+" is not the URL of a web server", "write "+want)
		return
	}
	r.cfg.Watch.WebhookURL = s
}
