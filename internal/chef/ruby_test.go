package chef

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// rubyScript signs or verifies requests, one JSON text per line, with Ruby's
// mixlib-authentication, which Chef's own tools sign with.
const rubyScript = `
require 'json'
require 'openssl'
require 'time'
require 'mixlib/authentication'
require 'mixlib/authentication/signedheaderauth'
require 'mixlib/authentication/signatureverification'
Request = Struct.new(:env, :method, :path, :raw_post) do
  def raw_post; self[:raw_post]; end
  def params; {}; end
end
key = OpenSSL::PKey::RSA.new(JSON.parse($stdin.gets)['key'])
$stdin.each_line do |line|
  r = JSON.parse(line)
  if r['verify']
    env = r['header'].map { |k, v| ['HTTP_' + k.upcase.tr('-', '_'), v] }.to_h
    request = Request.new(env, r['method'], r['path'], r['body'])
    auth = Mixlib::Authentication::SignatureVerification.new(request)
    ok = begin
      auth.authenticate_request(key.public_key, 900)
    rescue Mixlib::Authentication::AuthenticationError
      false
    end
    puts JSON.generate('ok' => ok ? true : false)
  else
    signer = Mixlib::Authentication::SignedHeaderAuth.signing_object(
      http_method: r['method'], path: r['path'], body: r['body'], host: 'chef',
      timestamp: r['time'], user_id: r['user'], proto_version: r['version'],
      headers: { 'X-Ops-Server-API-Version' => r['api'] })
    puts JSON.generate('header' => signer.sign(key, signer.algorithm, signer.proto_version))
  end
  $stdout.flush
end
`

// A rubyRequest is one line for rubyScript.
type rubyRequest struct {
	Verify  bool              `json:"verify"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Body    string            `json:"body"`
	User    string            `json:"user"`
	Time    string            `json:"time"`
	Version string            `json:"version"`
	API     string            `json:"api"`
	Header  map[string]string `json:"header"`

	forged bool // the body is not the one that was signed
}

// needRuby makes sure that Ruby and the library are there.
func needRuby(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Ruby")
	}
	works := func() bool { return exec.Command("ruby", "-rmixlib/authentication", "-e", "").Run() == nil }
	if works() {
		return
	}
	install := []string{"apt-get", "install", "-y", "--no-install-recommends", "ruby", "ruby-mixlib-authentication"}
	if _, err := exec.LookPath("apt-get"); err == nil && os.Geteuid() == 0 {
		cmd := exec.Command(install[0], install[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("%v: %v\n%s", install, err, out)
		}
	}
	if !works() {
		t.Fatal("this test compares with Ruby's mixlib-authentication: install the packages ruby and " +
			"ruby-mixlib-authentication, or run go test -short")
	}
}

// TestRuby has each side check what the other one signed. The key is handed to
// Ruby over a pipe.
func TestRuby(t *testing.T) {
	needRuby(t)
	key := string(pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey())))
	now := time.Now().UTC()
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	if err := enc.Encode(map[string]string{"key": key}); err != nil {
		t.Fatal(err)
	}
	var requests []rubyRequest
	for _, version := range []string{Sign10, Sign11, Sign13} {
		for _, r := range []rubyRequest{
			{Method: "GET", Path: "/organizations/acme/cookbooks"},
			{Method: "POST", Path: "/organizations/acme/data/b", Body: `{"id":"é中","n":12345678901234567890}`},
			{Method: "PUT", Path: "//organizations//acme/roles/a%20b/", Body: `{}`},
			{Method: "DELETE", Path: "/"},
		} {
			r.User, r.Version, r.API, r.Time = "ec_sync_user", version, "2", now.Format(timestampLayout)
			h := http.Header{}
			err := (signer{user: r.User, key: testKey()}).sign(h, signedPart{
				method: r.Method, path: r.Path, body: []byte(r.Body), time: now, apiVersion: 2,
			}, version)
			if err != nil {
				t.Fatal(err)
			}
			signed := r
			signed.Verify, signed.Header = true, map[string]string{"host": "chef"}
			for name := range h {
				signed.Header[name] = h.Get(name)
			}
			forged := signed
			forged.Body, forged.forged = `{"id":"forged"}`, true
			requests = append(requests, r, signed, forged)
		}
	}
	for _, r := range requests {
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "ruby", "-e", rubyScript)
	cmd.Stdin = &input
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ruby: %v\n%s", err, stderr.Bytes())
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	for _, r := range requests {
		var a struct {
			OK     bool
			Header map[string]string
		}
		if err := answers.Decode(&a); err != nil {
			t.Fatalf("ruby's answer about %+v: %v", r, err)
		}
		if r.Verify {
			if a.OK == r.forged {
				t.Errorf("our %s %s, version %s, forged %t: Ruby accepts it: %t", r.Method, r.Path, r.Version, r.forged, a.OK)
			}
			continue
		}
		checkRubySigned(t, r, now, a.Header)
	}
}

// checkRubySigned verifies a request that Ruby signed, as a server would.
func checkRubySigned(t *testing.T, r rubyRequest, at time.Time, header map[string]string) {
	t.Helper()
	h := http.Header{}
	for name, value := range header {
		h.Set(name, value)
	}
	p := signedPart{method: r.Method, path: r.Path, body: []byte(r.Body), time: at, apiVersion: 2}
	if err := verify(&testKey().PublicKey, r.Version, canonical(p, r.User, r.Version), joined(h)); err != nil {
		t.Errorf("we do not accept Ruby's %s %s, version %s: %v", r.Method, r.Path, r.Version, err)
	}
	if got, want := contentHash([]byte(r.Body), r.Version), h.Get("X-Ops-Content-Hash"); got != want {
		t.Errorf("content hash of %q, version %s: got %s, Ruby says %s", r.Body, r.Version, got, want)
	}
}
