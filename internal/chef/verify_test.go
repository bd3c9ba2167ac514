package chef

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
)

// header returns the headers of a vector as a server sees them.
func (v signVector) header() http.Header {
	h := http.Header{}
	for name, value := range v.Headers {
		h.Set(name, value)
	}
	h.Set("X-Ops-Server-Api-Version", v.APIVersion)
	return h
}

func (v signVector) request() SignedRequest {
	return SignedRequest{Method: v.Method, Path: v.Path, Body: []byte(v.Body)}
}

func TestVerifyVectors(t *testing.T) {
	vectors, key := signVectors(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		s, err := ReadSignature(v.header())
		if err != nil {
			t.Errorf("%s %s: %v", v.Name, v.Version, err)
			continue
		}
		if s.User != v.User || s.Time.Format(timestampLayout) != v.Timestamp {
			t.Errorf("%s: read %q at %v", v.Name, s.User, s.Time)
		}
		if !s.Verify(v.request(), nil, &other.PublicKey, key) {
			t.Errorf("%s %s: a good signature does not verify", v.Name, v.Version)
		}
		if s.Verify(v.request(), &other.PublicKey) || s.Verify(v.request()) {
			t.Errorf("%s %s: verifies without its key", v.Name, v.Version)
		}
	}
}

// TestVerifyRefuses changes one part of a good request at a time.
func TestVerifyRefuses(t *testing.T) {
	vectors, key := signVectors(t)
	for _, v := range vectors {
		for what, change := range map[string]func(http.Header, *SignedRequest){
			"method":     func(_ http.Header, r *SignedRequest) { r.Method = "PATCH" },
			"path":       func(_ http.Header, r *SignedRequest) { r.Path += "/x" },
			"body":       func(_ http.Header, r *SignedRequest) { r.Body = append(r.Body, ' ') },
			"user":       func(h http.Header, _ *SignedRequest) { h.Set("X-Ops-Userid", "somebody") },
			"time":       func(h http.Header, _ *SignedRequest) { h.Set("X-Ops-Timestamp", "2026-01-02T03:04:06Z") },
			"first line": func(h http.Header, _ *SignedRequest) { h.Del("X-Ops-Authorization-1") },
			"last line":  func(h http.Header, _ *SignedRequest) { h.Del("X-Ops-Authorization-6") },
			"no base64":  func(h http.Header, _ *SignedRequest) { h.Set("X-Ops-Authorization-2", "!") },
			"endless": func(h http.Header, _ *SignedRequest) {
				h.Set("X-Ops-Authorization-7", strings.Repeat("A", maxSignatureText))
			},
		} {
			h, r := v.header(), v.request()
			change(h, &r)
			s, err := ReadSignature(h)
			if err != nil {
				t.Errorf("%s: changed %s: %v", v.Name, what, err)
			} else if s.Verify(r, key) {
				t.Errorf("%s %s: verifies with another %s", v.Name, v.Version, what)
			}
		}
		h := v.header()
		h.Set("X-Ops-Server-Api-Version", "1")
		if s, _ := ReadSignature(h); s.Verify(v.request(), key) == (v.Version == Sign13) {
			t.Errorf("%s %s: the API version is signed in 1.3 and nowhere else", v.Name, v.Version)
		}
		h = v.header()
		h.Set("X-Ops-Content-Hash", "AAAA")
		if s, _ := ReadSignature(h); s.Verify(v.request(), key) != (v.Version == Sign13) {
			t.Errorf("%s %s: the hash header counts, except in 1.3", v.Name, v.Version)
		}
	}
}

func TestReadSignatureErrors(t *testing.T) {
	vectors, _ := signVectors(t)
	for _, c := range []struct {
		name, value string
		want        error
		text        string
	}{
		{"X-Ops-Userid", "", ErrUnsigned, "'X-Ops-UserId'"},
		{"X-Ops-Sign", "", ErrUnsigned, "'X-Ops-Sign'"},
		{"X-Ops-Content-Hash", "", ErrUnsigned, "'X-Ops-Content-Hash'"},
		{"X-Ops-Timestamp", "", ErrUnsigned, "'X-Ops-Timestamp'"},
		{"X-Ops-Sign", "algorithm=sha1; version=1.0;", ErrSignVersion, ""},
		{"X-Ops-Sign", "version=1.2", ErrSignVersion, ""},
		{"X-Ops-Sign", "algorithm=sha1;version=1.3", ErrSignVersion, ""},
		{"X-Ops-Sign", "algorithm=sha256;version=1.1", ErrSignVersion, ""},
		{"X-Ops-Sign", "nonsense", ErrSignVersion, ""},
		{"X-Ops-Timestamp", "2026-01-02T03:04:05.000Z", ErrSignTime, ""},
		{"X-Ops-Timestamp", "2026-01-02 03:04:05", ErrSignTime, ""},
		{"X-Ops-Timestamp", "2026-13-02T03:04:05Z", ErrSignTime, ""},
	} {
		h := vectors[0].header()
		h.Set(c.name, c.value)
		if s, err := ReadSignature(h); !errors.Is(err, c.want) || s != nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %q: %v, %v; want %v", c.name, c.value, s, err, c.want)
		}
	}
}

func TestParsePublicKey(t *testing.T) {
	_, key := signVectors(t)
	text, err := os.ReadFile("testdata/signing_pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(key)})
	for _, good := range []string{string(text), string(pkcs1)} {
		if got, err := ParsePublicKey(good); err != nil || !got.Equal(key) {
			t.Errorf("ParsePublicKey(%.30q) = %v, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "ssh-rsa AAAA", strings.ReplaceAll(string(text), "M", "A"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if got, err := ParsePublicKey(bad); err == nil || got != nil {
			t.Errorf("ParsePublicKey(%.30q) = %v, %v", bad, got, err)
		}
	}
}

// FuzzReadSignature: no headers make it panic, and what none of our keys made
// does not verify.
func FuzzReadSignature(f *testing.F) {
	f.Add("u", "2026-01-02T03:04:05Z", "version=1.3", "hash", "AAAA", "", "2")
	f.Add("", "2026", "version=1.0;algorithm=sha1", "=", "!!", "BBBB", "-5")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, user, stamp, sign, hash, one, two, api string) {
		h := http.Header{}
		for name, value := range map[string]string{
			"X-Ops-Userid": user, "X-Ops-Timestamp": stamp, "X-Ops-Sign": sign, "X-Ops-Content-Hash": hash,
			"X-Ops-Authorization-1": one, "X-Ops-Authorization-2": two, "X-Ops-Server-Api-Version": api,
		} {
			h.Set(name, value)
		}
		s, err := ReadSignature(h)
		if err == nil && s.Verify(SignedRequest{Method: "GET", Path: "/" + user}, &key.PublicKey) {
			t.Errorf("%q verifies", h)
		}
	})
}
