package chefserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is one signature that was made and checked by other programs.
type vector struct {
	Name, Method, Path, Body, User, Timestamp, APIVersion, Version, Canonical string
	Headers                                                                   map[string]string
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(data, &vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

func (v vector) request() *http.Request {
	r := httptest.NewRequest(v.Method, "http://chef.example.com", strings.NewReader(v.Body))
	r.RequestURI = v.Path
	for k, h := range v.Headers {
		r.Header.Set(k, h)
	}
	r.Header.Set("X-Ops-Server-API-Version", v.APIVersion)
	return r
}

func TestSigningVectors(t *testing.T) {
	pem, err := os.ReadFile("testdata/signing_pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	pub, _, err := parsePublicKey(string(pem))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{PivotalKey: testKeys()[0]})
	for _, v := range readVectors(t) {
		t.Run(v.Version+"/"+v.Name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, v.Timestamp)
			if err != nil {
				t.Fatal(err)
			}
			s.SetClock(func() time.Time { return at })
			r := s.newRequest(v.request())
			if p := r.readBody(); p != nil {
				t.Fatalf("body: %s", p.body)
			}
			if _, p := r.negotiate(); p != nil {
				t.Fatalf("API version: %s", p.body)
			}
			sig, p := readSignature(r)
			if p != nil {
				t.Fatalf("headers: %d %s", p.status, p.body)
			}
			if got := canonicalRequest(r, sig); got != v.Canonical {
				t.Errorf("canonical request\n got %q\nwant %q", got, v.Canonical)
			}
			if !sig.bodyMatches(r.body) || !sig.verifies(pub, v.Canonical) {
				t.Error("the signature is good and was refused")
			}
			if sig.verifies(pub, v.Canonical+" ") {
				t.Error("the signature was accepted for another text")
			}
		})
	}
}

// TestSigningVectorsServed sends a vector through the whole server.
func TestSigningVectorsServed(t *testing.T) {
	pem, err := os.ReadFile("testdata/signing_pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, Options{})
	if err := f.s.CreateUser("ec_sync_user", pem); err != nil {
		t.Fatal(err)
	}
	if err := f.s.AddMember("acme", "ec_sync_user", false); err != nil {
		t.Fatal(err)
	}
	served := 0
	for _, v := range readVectors(t) {
		if v.User != "ec_sync_user" || v.Method != "GET" {
			continue
		}
		at, _ := time.Parse(time.RFC3339, v.Timestamp)
		f.s.SetClock(func() time.Time { return at })
		r := v.request()
		r.Header.Set("X-Chef-Version", "18.0.0")
		w := httptest.NewRecorder()
		f.s.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s %s = %d %s", v.Version, v.Path, w.Code, w.Body)
		}
		served++
	}
	if served != 6 {
		t.Errorf("%d vectors served, want 6", served)
	}
}

func TestAuthentication(t *testing.T) {
	f := newFixture(t, Options{})
	now := time.Now()
	const roles = "/organizations/acme/roles"
	for _, v := range []string{"1.0", "1.1", "1.2", "1.3"} {
		a := f.root
		a.version = v
		f.do(a, "GET", roles, "").wantJSON(200, `{}`)
	}
	tests := []struct {
		name   string
		who    agent
		path   string
		change func(http.Header)
		status int
		text   string
	}{
		{"clock -16 min", agent{name: "root", key: f.root.key, at: now.Add(-16 * time.Minute)}, roles, nil, 401, "Synchronize the clock on your host."},
		{"clock +16 min", agent{name: "root", key: f.root.key, at: now.Add(16 * time.Minute)}, roles, nil, 401, "Synchronize the clock"},
		{"clock -14 min", agent{name: "root", key: f.root.key, at: now.Add(-14 * time.Minute)}, roles, nil, 200, ""},
		{"unknown user", agent{name: "nobody", key: f.root.key}, roles, nil, 401, "Failed to authenticate as 'nobody'. Ensure that your node_name and client key are correct."},
		{"wrong key", agent{name: "root", key: f.pivotal.key}, roles, nil, 401, "Invalid signature for user or client 'root'"},
		{"not associated", f.eve, roles, nil, 403, "'eve' not associated with organization 'acme'"},
		{"superuser needs no association", f.pivotal, roles, nil, 200, ""},
		{"client", f.web1, roles, nil, 200, ""},
		{"client on a global route", f.web1, "/users", nil, 401, "Failed to authenticate as 'web1'"},
		{"unknown organization", f.root, "/organizations/nope/roles", nil, 404, "organization 'nope' does not exist."},
		{"unknown organization comes before the signature", agent{name: "root", key: f.pivotal.key}, "/organizations/nope/roles", nil, 404, "does not exist"},
		{"no sign header", f.root, roles, func(h http.Header) { h.Del("X-Ops-Sign") }, 400, "missing required authentication header(s) 'X-Ops-Sign'"},
		{"empty timestamp", f.root, roles, func(h http.Header) { h.Set("X-Ops-Timestamp", "") }, 400, "'X-Ops-Timestamp'"},
		{"version 8.1", f.root, roles, func(h http.Header) { h.Set("X-Ops-Sign", "version=8.1") }, 400, "Unsupported authentication protocol version"},
		{"blank in sign header", f.root, roles, func(h http.Header) { h.Set("X-Ops-Sign", "algorithm=sha256; version=1.3") }, 400, "Unsupported"},
		{"timestamp with fraction", f.root, roles, func(h http.Header) { h.Set("X-Ops-Timestamp", "2026-01-02T03:04:05.0Z") }, 401, "bad header(s)"},
		{"timestamp malformed", f.root, roles, func(h http.Header) { h.Set("X-Ops-Timestamp", "xxx") }, 401, "bad header(s)"},
		{"signature missing", f.root, roles, func(h http.Header) { h.Del("X-Ops-Authorization-1") }, 401, "Invalid signature"},
		{"signature line missing", f.root, roles, func(h http.Header) { h.Del("X-Ops-Authorization-3") }, 401, "Invalid signature"},
		{"API version not the signed one", f.root, roles, func(h http.Header) { h.Set("X-Ops-Server-API-Version", "1") }, 401, "Invalid signature"},
		{"API 9", f.root, roles, func(h http.Header) { h.Set("X-Ops-Server-API-Version", "9") }, 406, `"max_version":2`},
		{"API empty", f.root, roles, func(h http.Header) { h.Set("X-Ops-Server-API-Version", "") }, 406, ""},
		{"Accept: text/html", f.root, roles, func(h http.Header) { h.Set("Accept", "text/html") }, 406, "<html>"},
		{"no X-Chef-Version", f.root, roles, func(h http.Header) { h.Del("X-Chef-Version") }, 200, "<!DOCTYPE html>"},
		{"X-Chef-Version 9", f.root, roles, func(h http.Header) { h.Set("X-Chef-Version", "9.0.1") }, 400, ""},
		{"no user", f.root, roles, func(h http.Header) { h.Del("X-Ops-Userid") }, 401, ""},
		{"doubled slash", f.root, "/organizations/acme//roles", nil, 200, "{}"},
		{"trailing slash", f.root, "/organizations/acme/roles/", nil, 200, "{}"},
		{"unknown route", f.root, "/organizations/acme/updated_since?seq=0", nil, 404, "<html>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := f.request(tt.who, "GET", tt.path, "")
			if tt.change != nil {
				tt.change(r.Header)
			}
			f.send(r).want(tt.status, tt.text)
		})
	}
}

// TestContentHash covers the header that protocol 1.3 does not look at.
func TestContentHash(t *testing.T) {
	f := newFixture(t, Options{})
	for version, status := range map[string]int{"1.0": 401, "1.1": 401, "1.3": 200} {
		a := f.root
		a.version = version
		r := f.request(a, "GET", "/organizations/acme/roles", "")
		r.Header.Set("X-Ops-Content-Hash", "xxx")
		if got := f.send(r); got.status != status {
			t.Errorf("version %s with a wrong hash header = %d %s, want %d", version, got.status, got.body, status)
		}
		r = f.request(a, "POST", "/organizations/acme/roles", `{"name":"a"}`)
		r.Body = http.NoBody
		r.ContentLength = 0
		// An empty body is judged before the signature is.
		f.send(r).want(400, "invalid JSON")
	}
}

func TestVersionHeader(t *testing.T) {
	f := newFixture(t, Options{})
	got := f.acme(f.root, "GET", "/roles", "").want(200, "").header.Get("X-Ops-Server-API-Version")
	if want := `{"min_version":"0","max_version":"2","request_version":"2","response_version":"2"}`; got != want {
		t.Errorf("header = %s, want %s", got, want)
	}
	r := f.request(f.root, "GET", "/organizations/acme/roles", "")
	r.Header.Set("Accept", "text/html")
	if got := f.send(r).header.Get("X-Ops-Server-API-Version"); !strings.Contains(got, `"response_version":"-1"`) {
		t.Errorf("header of a 406 = %s", got)
	}
	f.do(agent{}, "GET", "/server_api_version", "").wantJSON(200, `{"min_api_version":0,"max_api_version":2}`)
}

func TestMethodNotAllowed(t *testing.T) {
	f := newFixture(t, Options{})
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", "/data", "GET, POST"},
		{"PUT", "/data/b", "GET, POST, DELETE"},
		{"POST", "/data/b/i", "GET, PUT, DELETE"},
		{"HEAD", "/roles", "GET, POST"},
	} {
		got := f.acme(f.root, tt.method, tt.path, "").want(405, "").header.Get("Allow")
		if got != tt.allow {
			t.Errorf("%s %s: Allow = %q, want %q", tt.method, tt.path, got, tt.allow)
		}
	}
}

func TestExpiredKeyDoesNotSign(t *testing.T) {
	f := newFixture(t, Options{})
	pem := string(encode(publicPEM(&f.pivotal.key.PublicKey)))
	f.acme(f.root, "POST", "/clients", `{"name":"old"}`).want(201, "")
	add := func(name, expires string) {
		f.acme(f.root, "POST", "/clients/old/keys",
			`{"name":"`+name+`","public_key":`+pem+`,"expiration_date":"`+expires+`"}`).want(201, "")
	}
	old := agent{name: "old", key: f.pivotal.key}
	f.acme(old, "GET", "/roles", "").want(401, "")
	add("past", "2012-01-01T00:00:00Z")
	f.acme(old, "GET", "/roles", "").want(401, "")
	add("now", "infinity")
	f.acme(old, "GET", "/roles", "").want(200, "")
}
