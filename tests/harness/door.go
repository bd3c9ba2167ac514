package harness

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A Door is an HTTP server of this process that can go down and come back on the
// same port.
type Door struct {
	URL string

	handler http.Handler
	http    *httptest.Server
}

// NewDoor serves h until the test ends.
func NewDoor(t testing.TB, h http.Handler) *Door {
	t.Helper()
	l, err := net.Listen("tcp", loopback(borrowPort(t))) // nobody else is given it while it is down
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	d := &Door{handler: h}
	d.serve(l)
	d.URL = d.http.URL
	t.Cleanup(func() { d.http.Close() })
	return d
}

// Down breaks all connections and refuses new ones, as a server that was killed.
// What stands behind the door keeps what it holds.
func (d *Door) Down() {
	d.http.Listener.Close()
	d.http.CloseClientConnections()
}

// Up listens again.
func (d *Door) Up(t testing.TB) {
	t.Helper()
	var l net.Listener
	var err error
	// The port may serve an outgoing connection of somebody else for a moment.
	if !eventually(patience, func() bool { l, err = net.Listen("tcp", d.http.Listener.Addr().String()); return err == nil }) {
		t.Fatalf("harness: serve %s again: %v", d.URL, err)
	}
	d.http.Config.Close()
	d.serve(l)
}

func (d *Door) serve(l net.Listener) {
	d.http = httptest.NewUnstartedServer(d.handler)
	d.http.Listener.Close()
	d.http.Listener = l
	d.http.Start()
}
