package chefserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is the cheapest ResponseWriter.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header {
	if d.h == nil {
		d.h = http.Header{}
	}
	return d.h
}

func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func (d *discard) WriteHeader(status int) { d.status = status }

// benchServer returns a server with the role web and a signed request for it.
func benchServer(b *testing.B) (*Server, *http.Request) {
	keys := testKeys()
	s := New(Options{PivotalKey: keys[0]})
	if _, err := s.CreateOrganization("acme", "Acme"); err != nil {
		b.Fatal(err)
	}
	pivotal := agent{name: "pivotal", key: keys[0]}
	call := func(method, path, body string) *http.Request {
		r := httptest.NewRequest(method, path, newReader(body))
		r.Header.Set("X-Chef-Version", "18.0.0")
		pivotal.sign(r, path, []byte(body))
		return r
	}
	w := &discard{}
	s.ServeHTTP(w, call("POST", "/organizations/acme/roles", webRole))
	if w.status != 201 {
		b.Fatal(w.status)
	}
	return s, call("GET", "/organizations/acme/roles/web", "")
}
