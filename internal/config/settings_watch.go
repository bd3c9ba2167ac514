package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Watch is how operators hear of the replicator beside its logs.
type Watch struct {
	// MetricsAddress is the host:port at which /metrics, /healthz and /readyz are
	// served; "" serves nothing.
	MetricsAddress string

	// TracesEndpoint is the URL of an OTLP collector that speaks gRPC, without a path;
	// "" leaves it to the environment.
	TracesEndpoint string

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
		{path: p("traces_endpoint"), def: "", set: collectorURL(func(r *reader) *string { return &watch(r).TracesEndpoint }),
			doc: "The URL of an OpenTelemetry collector that takes OTLP over gRPC, as in 'http://otel.example.com:4317', or https:// for TLS: traces of what is copied go there. " +
				"'' leaves it to OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT; without these there are no traces. See docs/metrics.md."},
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

// collectorURL reads the URL of a gRPC server. No message repeats it: it may hold a
// password, by mistake.
func collectorURL(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		const want = "a URL as in 'http://otel.example.com:4317', or '' for none"
		s, ok := v.val.(string)
		if !ok {
			r.wrong(name, v, want)
			return
		}
		u, err := url.Parse(s)
		switch {
		case s == "":
		case err != nil, u.Scheme != "https" && u.Scheme != "http", !validHost(u):
			r.fail(v.pos, name+" is not the URL of a collector", "write "+want)
			return
		case u.User != nil:
			r.fail(v.pos, name+" holds a user or a password", "set OTEL_EXPORTER_OTLP_HEADERS in the environment of ec-syncd instead")
			return
		case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
			r.fail(v.pos, name+" goes on after its host and port", "write "+want+": OTLP over gRPC has no path")
			return
		}
		*to(r) = strings.TrimSuffix(s, "/")
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
