package doctor

import (
	"context"
	"net"
	"net/url"
)

// onTraces is about this host if chef-sync.rb names a collector. What the environment
// of ec-syncd names is not known here.
func onTraces(x *exam) []subject {
	return x.ifSo(x.replicates() && x.Config.Watch.TracesEndpoint != "")
}

// collector looks whether somebody listens at traces_endpoint. Nothing but the traces
// is lost if not.
func collector(ctx context.Context, x *exam, _ subject) []Finding {
	u, err := url.Parse(x.Config.Watch.TracesEndpoint)
	if err != nil {
		return failed("traces_endpoint in chef-sync.rb", "the URL of the collector of traces: %v", err)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	at := net.JoinHostPort(u.Hostname(), port)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		return warning("traces_endpoint in chef-sync.rb, or start the collector", "no traces: nobody listens at %s: %v", at, err)
	}
	_ = conn.Close() // it was opened to see whether it can be
	return fine("a collector of traces listens at %s", at)
}
