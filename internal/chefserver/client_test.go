package chefserver

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// testKeys are generated once per test run; which key belongs to whom does not
// matter to most tests.
var testKeys = sync.OnceValue(func() [3]*rsa.PrivateKey {
	var ks [3]*rsa.PrivateKey
	for i := range ks {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		ks[i] = k
	}
	return ks
})

// agent is a signer: a name and a key.
type agent struct {
	name    string
	key     *rsa.PrivateKey
	version string // of the signing protocol; "" is 1.3
	api     string // "" is 2
	at      time.Time
}

// fixture is a running server with the organization acme, whose admin is root,
// whose plain member is joe and whose client is web1; eve belongs to none.
type fixture struct {
	t                                        *testing.T
	s                                        *Server
	url                                      string
	http                                     *http.Client
	pivotal, root, joe, eve, web1, validator agent
}

func newFixture(t *testing.T, opts Options) *fixture {
	t.Helper()
	keys := testKeys()
	opts.PivotalKey = keys[0]
	opts.GenerateKey = func() (*rsa.PrivateKey, error) { return keys[1], nil }
	s := New(opts)
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	f := &fixture{t: t, s: s, url: hs.URL, http: hs.Client(),
		pivotal:   agent{name: "pivotal", key: keys[0]},
		root:      agent{name: "root", key: keys[2]},
		joe:       agent{name: "joe", key: keys[2]},
		eve:       agent{name: "eve", key: keys[2]},
		web1:      agent{name: "web1", key: keys[1]},
		validator: agent{name: "acme-validator", key: keys[1]},
	}
	if _, err := s.CreateOrganization("acme", "Acme Inc."); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root", "joe", "eve"} {
		if err := s.CreateUser(name, []byte(publicPEM(&keys[2].PublicKey))); err != nil {
			t.Fatal(err)
		}
	}
	for name, admin := range map[string]bool{"root": true, "joe": false} {
		if err := s.AddMember("acme", name, admin); err != nil {
			t.Fatal(err)
		}
	}
	f.do(f.root, "POST", "/organizations/acme/clients", `{"name":"web1","create_key":true}`).want(201, "")
	s.orgs["acme"].feed = newFeedLog() // The tests of the feed begin with an empty one.
	return f
}

// sign adds the headers of a signed request.
func (a agent) sign(r *http.Request, path string, body []byte) {
	version, api := a.version, a.api
	if version == "" {
		version = "1.3"
	}
	if api == "" {
		api = "2"
	}
	at := a.at
	if at.IsZero() {
		at = time.Now()
	}
	stamp := at.UTC().Format("2006-01-02T15:04:05Z")
	sha1sum := func(s []byte) string { h := sha1.Sum(s); return base64.StdEncoding.EncodeToString(h[:]) }
	var hash, text, algorithm string
	var sig []byte
	var err error
	if version == "1.3" {
		h := sha256.Sum256(body)
		hash, algorithm = base64.StdEncoding.EncodeToString(h[:]), "sha256"
		text = fmt.Sprintf("Method:%s\nPath:%s\nX-Ops-Content-Hash:%s\nX-Ops-Sign:version=1.3\nX-Ops-Timestamp:%s\n"+
			"X-Ops-UserId:%s\nX-Ops-Server-API-Version:%s", r.Method, path, hash, stamp, a.name, api)
		d := sha256.Sum256([]byte(text))
		sig, err = rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, d[:])
	} else {
		hash, algorithm = sha1sum(body), "sha1"
		user := a.name
		if version != "1.0" {
			user = sha1sum([]byte(user))
		}
		text = fmt.Sprintf("Method:%s\nHashed Path:%s\nX-Ops-Content-Hash:%s\nX-Ops-Timestamp:%s\nX-Ops-UserId:%s",
			r.Method, sha1sum([]byte(path)), hash, stamp, user)
		if version == "1.2" {
			d := sha1.Sum([]byte(text))
			sig, err = rsa.SignPKCS1v15(nil, a.key, crypto.SHA1, d[:])
		} else {
			sig, err = rsa.SignPKCS1v15(nil, a.key, 0, []byte(text))
		}
	}
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Ops-Sign", "algorithm="+algorithm+";version="+version+";")
	r.Header.Set("X-Ops-Userid", a.name)
	r.Header.Set("X-Ops-Timestamp", stamp)
	r.Header.Set("X-Ops-Content-Hash", hash)
	r.Header.Set("X-Ops-Server-API-Version", api)
	line := base64.StdEncoding.EncodeToString(sig)
	for i := 1; line != ""; i++ {
		n := min(60, len(line))
		r.Header.Set(fmt.Sprintf("X-Ops-Authorization-%d", i), line[:n])
		line = line[n:]
	}
}

// answered is an answer, read completely.
type answered struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
	err    error
}

// request makes a signed request; the caller may still change it.
func (f *fixture) request(a agent, method, path, body string) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body == "" {
		r.Body = nil
	}
	signed, _, _ := strings.Cut(path, "?")
	for strings.Contains(signed, "//") {
		signed = strings.ReplaceAll(signed, "//", "/")
	}
	if len(signed) > 1 {
		signed = strings.TrimSuffix(signed, "/")
	}
	r.Header.Set("X-Chef-Version", "18.0.0")
	r.Header.Set("Accept", "application/json")
	if a.name != "" {
		a.sign(r, signed, []byte(body))
	}
	return r
}

func (f *fixture) send(r *http.Request) *answered {
	out := &answered{t: f.t, what: r.Method + " " + r.URL.RequestURI()}
	resp, err := f.http.Do(r)
	if err != nil {
		out.err = err
		return out
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	out.status, out.header, out.body, out.err = resp.StatusCode, resp.Header, string(body), err
	return out
}

func (f *fixture) do(a agent, method, path, body string) *answered {
	f.t.Helper()
	return f.send(f.request(a, method, path, body))
}

// acme is do with a path below the organization acme.
func (f *fixture) acme(a agent, method, path, body string) *answered {
	f.t.Helper()
	return f.do(a, method, "/organizations/acme"+path, body)
}

// want checks the status and, unless it is empty, that the body contains text.
func (a *answered) want(status int, text string) *answered {
	a.t.Helper()
	if a.err != nil {
		a.t.Fatalf("%s: %v", a.what, a.err)
	}
	if a.status != status || !strings.Contains(a.body, text) {
		a.t.Fatalf("%s = %d %s\nwant %d with %q", a.what, a.status, a.body, status, text)
	}
	return a
}

// wantJSON checks the status and the whole body, up to the order of keys.
// $URL in want stands for the server's address.
func (a *answered) wantJSON(status int, want string) *answered {
	a.t.Helper()
	a.want(status, "")
	got, err := parseJSON([]byte(a.body))
	if err != nil {
		a.t.Fatalf("%s: body %q: %v", a.what, a.body, err)
	}
	w, err := parseJSON([]byte(want))
	if err != nil {
		a.t.Fatalf("%s: the wanted body: %v", a.what, err)
	}
	if !bytes.Equal(canonical(got), canonical(w)) {
		a.t.Fatalf("%s\n got %s\nwant %s", a.what, canonical(got), canonical(w))
	}
	return a
}

func (a *answered) parsed() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		a.t.Fatalf("%s: body %q: %v", a.what, a.body, err)
	}
	return m
}

func hexMD5(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }

// putFile uploads to a presigned URL.
func (f *fixture) putFile(url, sum, content string) *answered {
	f.t.Helper()
	return f.send(f.fileRequest(url, sum, content))
}

// sandbox asks for uploads and returns the sandbox's path and the URLs.
func (f *fixture) sandbox(sums ...string) (string, map[string]string) {
	f.t.Helper()
	m := map[string]any{}
	for _, s := range sums {
		m[s] = nil
	}
	body, _ := json.Marshal(map[string]any{"checksums": m})
	out := f.acme(f.root, "POST", "/sandboxes", string(body)).want(201, "").parsed()
	urls := map[string]string{}
	for sum, v := range out["checksums"].(map[string]any) {
		if u, ok := v.(map[string]any)["url"].(string); ok {
			urls[sum] = u
		}
	}
	return "/sandboxes/" + out["sandbox_id"].(string), urls
}

// upload brings files into acme and returns their checksums.
func (f *fixture) upload(contents ...string) []string {
	f.t.Helper()
	var sums []string
	by := map[string]string{}
	for _, c := range contents {
		sums = append(sums, hexMD5(c))
		by[hexMD5(c)] = c
	}
	box, urls := f.sandbox(sums...)
	for sum, u := range urls {
		f.putFile(u, sum, by[sum]).want(204, "")
	}
	f.acme(f.root, "PUT", box, `{"is_completed":true}`).want(200, "")
	return sums
}

// manifest is a version 2 manifest with files name=checksum.
func manifest(name, version string, frozen bool, files ...string) string {
	list := []string{}
	for _, nf := range files {
		n, sum, _ := strings.Cut(nf, "=")
		list = append(list, fmt.Sprintf(`{"name":%q,"path":%q,"checksum":%q,"specificity":"default"}`, n, n, sum))
	}
	return fmt.Sprintf(`{"name":"%[1]s-%[2]s","cookbook_name":%[1]q,"version":%[2]q,"chef_type":"cookbook_version",`+
		`"json_class":"Chef::CookbookVersion","frozen?":%[3]t,"metadata":{"name":%[1]q,"version":%[2]q},"all_files":[%[4]s]}`,
		name, version, frozen, strings.Join(list, ","))
}

func base64MD5(sum string) string {
	raw, err := hex.DecodeString(sum)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func newReader(s string) io.Reader { return strings.NewReader(s) }
