package harness

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A Wire is a TCP connection to a server that can be cut, slowed down and made
// half open. Whoever is to feel that connects to URL in the server's place.
type Wire struct {
	URL  string
	Port int

	proxy *toxiproxy.Proxy
}

// NewWire lays a wire to the server at an http URL, or at host:port. It ends with
// the test.
func NewWire(t testing.TB, server string) *Wire {
	t.Helper()
	host := server
	if u, err := url.Parse(server); err == nil && u.Host != "" {
		host = u.Host
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log past the logger that they are given
	w := &Wire{Port: FreePort(t)}
	w.URL = "http://" + loopback(w.Port)
	switchboard := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w.proxy = toxiproxy.NewProxy(switchboard, "wire", loopback(w.Port), host)
	if err := w.proxy.Start(); err != nil {
		t.Fatalf("harness: wire to %s: %v", host, err)
	}
	t.Cleanup(w.proxy.Stop)
	return w
}

// Cut breaks what is under way and refuses new connections until mend is called.
func (w *Wire) Cut(t testing.TB) (mend func()) {
	t.Helper()
	w.proxy.Stop()
	return func() {
		t.Helper()
		var err error
		// The port may serve an outgoing connection of somebody else for a moment.
		if !eventually(patience, func() bool { err = w.proxy.Start(); return err == nil }) {
			t.Fatalf("harness: mend the wire on port %d: %v", w.Port, err)
		}
	}
}

// HalfOpen takes connections and everything that is sent, and lets no byte of an
// answer through, as a firewall does that forgot a connection. When mend is
// called, what hung is broken off.
func (w *Wire) HalfOpen(t testing.TB) (mend func()) {
	t.Helper()
	return w.poison(t, "timeout", map[string]int64{"timeout": 0})
}

// Slow delays what the server sends, and lets through so many KB a second.
func (w *Wire) Slow(t testing.TB, latency time.Duration, rate int64) (mend func()) {
	t.Helper()
	late := w.poison(t, "latency", map[string]int64{"latency": latency.Milliseconds(), "jitter": latency.Milliseconds() / 2})
	thin := w.poison(t, "bandwidth", map[string]int64{"rate": rate})
	return func() { thin(); late() }
}

// poison adds one of toxiproxy's toxics to what comes from the server.
func (w *Wire) poison(t testing.TB, kind string, attributes map[string]int64) (mend func()) {
	t.Helper()
	doc, err := json.Marshal(map[string]any{"name": kind, "type": kind, "stream": "downstream", "attributes": attributes})
	if err == nil {
		_, err = w.proxy.Toxics.AddToxicJson(strings.NewReader(string(doc)))
	}
	if err != nil {
		t.Fatalf("harness: %v", fmt.Errorf("wire: %s: %w", kind, err))
	}
	return func() {
		t.Helper()
		if err := w.proxy.Toxics.RemoveToxic(t.Context(), kind); err != nil {
			t.Fatalf("harness: wire: end of %s: %v", kind, err)
		}
	}
}
