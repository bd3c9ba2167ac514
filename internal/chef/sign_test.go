package chef

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A signVector is a request that was signed by another implementation, and
// verified by a third.
type signVector struct {
	Name, Method, Path, Body, User, Timestamp, APIVersion, Version, Canonical string

	Headers map[string]string
}

func signVectors(t *testing.T) ([]signVector, *rsa.PublicKey) {
	t.Helper()
	text, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []signVector
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	pemText, err := os.ReadFile("testdata/signing_pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pemText)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 15 {
		t.Fatalf("read %d vectors, want 15", len(out))
	}
	return out, key.(*rsa.PublicKey)
}

func (v signVector) part(t *testing.T) signedPart {
	t.Helper()
	at, err := time.Parse(time.RFC3339, v.Timestamp)
	if err != nil {
		t.Fatal(err)
	}
	version, err := strconv.Atoi(v.APIVersion)
	if err != nil {
		t.Fatal(err)
	}
	return signedPart{method: v.Method, path: v.Path, body: []byte(v.Body), time: at, apiVersion: version}
}

// joined puts the signature of a request together again.
func joined(h http.Header) []byte {
	var b strings.Builder
	for n := 1; ; n++ {
		line := h.Get("X-Ops-Authorization-" + strconv.Itoa(n))
		if line == "" {
			break
		}
		b.WriteString(line)
	}
	out, _ := base64.StdEncoding.DecodeString(b.String())
	return out
}

func verify(key *rsa.PublicKey, version, text string, signature []byte) error {
	if version == Sign13 {
		sum := sha256.Sum256([]byte(text))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	}
	return rsa.VerifyPKCS1v15(key, crypto.Hash(0), []byte(text), signature)
}

func TestSigningVectors(t *testing.T) {
	vectors, public := signVectors(t)
	for _, v := range vectors {
		t.Run(v.Name+"/"+v.Version, func(t *testing.T) {
			p := v.part(t)
			got := canonical(p, v.User, v.Version)
			if diff := cmp.Diff(v.Canonical, got); diff != "" {
				t.Fatalf("canonical text (-want +got):\n%s", diff)
			}
			theirs := http.Header{}
			for name, value := range v.Headers {
				theirs.Set(name, value)
			}
			if err := verify(public, v.Version, got, joined(theirs)); err != nil {
				t.Errorf("the vector's signature does not fit our text: %v", err)
			}

			ours := http.Header{}
			if err := (signer{user: v.User, key: testKey()}).sign(ours, p, v.Version); err != nil {
				t.Fatal(err)
			}
			for name := range theirs {
				if strings.HasPrefix(name, "X-Ops-Authorization-") {
					if len(ours.Get(name)) != len(theirs.Get(name)) {
						t.Errorf("%s has %d characters, want %d", name, len(ours.Get(name)), len(theirs.Get(name)))
					}
				} else if ours.Get(name) != theirs.Get(name) {
					t.Errorf("%s is %q, want %q", name, ours.Get(name), theirs.Get(name))
				}
			}
			if err := verify(&testKey().PublicKey, v.Version, got, joined(ours)); err != nil {
				t.Errorf("our own signature does not verify: %v", err)
			}
		})
	}
}

func TestSignLongUser(t *testing.T) {
	p := signedPart{method: "GET", path: "/organizations/acme/roles", time: time.Unix(0, 0)}
	s := signer{user: strings.Repeat("u", 150), key: testKey()}
	for version, ok := range map[string]bool{Sign10: false, Sign11: true, Sign13: true} {
		err := s.sign(http.Header{}, p, version)
		if (err == nil) != ok {
			t.Errorf("sign with %s: got error %v, want success %t", version, err, ok)
		}
	}
}

func TestCanonicalPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                          "/",
		"/":                         "/",
		"///":                       "/",
		"/roles":                    "/roles",
		"/roles/":                   "/roles",
		"//a///b//":                 "/a/b",
		"/roles/a%2Fb":              "/roles/a%2Fb",
		"/roles/a%20b?q=/x//y":      "/roles/a%20b",
		"/organizations/acme/a:b_.": "/organizations/acme/a:b_.",
	} {
		if got := canonicalPath(path); got != want {
			t.Errorf("canonicalPath(%q) = %q, want %q", path, got, want)
		}
	}
}

// checkCanonicalPath holds for every canonical path.
func checkCanonicalPath(t rapidOrTest, path string) {
	got := canonicalPath(path)
	switch {
	case got == "":
		t.Fatalf("canonicalPath(%q) is empty", path)
	case strings.Contains(got, "//"):
		t.Fatalf("canonicalPath(%q) = %q holds a run of slashes", path, got)
	case got != "/" && strings.HasSuffix(got, "/"):
		t.Fatalf("canonicalPath(%q) = %q ends in a slash", path, got)
	case strings.Contains(got, "?"):
		t.Fatalf("canonicalPath(%q) = %q holds a query", path, got)
	case canonicalPath(got) != got:
		t.Fatalf("canonicalPath(%q) = %q is not canonical itself", path, got)
	}
}

type rapidOrTest interface{ Fatalf(string, ...any) }

func TestCanonicalPathProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkCanonicalPath(t, rapid.StringMatching(`[a/?%2]{0,12}`).Draw(t, "path"))
	})
}

func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"", "/", "//a//", "/a?b//", "/%2F/", "/é//x/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) { checkCanonicalPath(t, path) })
}
