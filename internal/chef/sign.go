package chef

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // versions 1.0 and 1.1 of the protocol are made of it
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signatureLine is how many characters of the base64 signature go in one
// X-Ops-Authorization-N header. Servers join any length; 60 is what all clients
// send.
const signatureLine = 60

// timestampLayout is the only form of a time that erchef can read: UTC, no
// fraction.
const timestampLayout = "2006-01-02T15:04:05Z"

// A signer makes the X-Ops-* headers that prove who sends a request. See
// https://docs.chef.io/server/api_chef_server/#authentication-headers.
type signer struct {
	user string
	key  *rsa.PrivateKey
}

// A signedPart is everything of a request that a signature covers.
type signedPart struct {
	method     string
	path       string // escaped, as it goes over the wire
	body       []byte
	time       time.Time
	apiVersion int
}

// sign adds the headers of the given protocol version to h, replacing any of an
// earlier try.
func (s signer) sign(h http.Header, p signedPart, version string) error {
	algorithm := "sha1"
	if version == Sign13 {
		algorithm = "sha256"
	}
	signature, err := s.signature(canonical(p, s.user, version), version)
	if err != nil {
		return err
	}
	h.Set("X-Ops-Sign", "algorithm="+algorithm+";version="+version+";")
	h.Set("X-Ops-Userid", s.user)
	h.Set("X-Ops-Timestamp", p.time.UTC().Format(timestampLayout))
	h.Set("X-Ops-Content-Hash", contentHash(p.body, version))
	h.Set("X-Ops-Server-Api-Version", strconv.Itoa(p.apiVersion))
	encoded := base64.StdEncoding.EncodeToString(signature)
	for n := 1; encoded != ""; n++ {
		end := min(signatureLine, len(encoded))
		h.Set("X-Ops-Authorization-"+strconv.Itoa(n), encoded[:end])
		encoded = encoded[end:]
	}
	return nil
}

// signature signs the canonical text. Versions 1.0 and 1.1 pad the bare text
// (no digest), which limits its length to that of the key less 11 bytes.
func (s signer) signature(text, version string) ([]byte, error) {
	if version == Sign13 {
		sum := sha256.Sum256([]byte(text))
		return rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.Hash(0), []byte(text))
	if errors.Is(err, rsa.ErrMessageTooLong) {
		return nil, fmt.Errorf("sign with version %s: user name %q is too long for a key of %d bits; version 1.3 has no such limit",
			version, s.user, s.key.N.BitLen())
	}
	return signature, err
}

// canonical is the text that is signed.
func canonical(p signedPart, user, version string) string {
	stamp := p.time.UTC().Format(timestampLayout)
	path := canonicalPath(p.path)
	hash := contentHash(p.body, version)
	if version == Sign13 {
		return strings.Join([]string{
			"Method:" + strings.ToUpper(p.method),
			"Path:" + path,
			"X-Ops-Content-Hash:" + hash,
			"X-Ops-Sign:version=1.3",
			"X-Ops-Timestamp:" + stamp,
			"X-Ops-UserId:" + user,
			"X-Ops-Server-API-Version:" + strconv.Itoa(p.apiVersion),
		}, "\n")
	}
	if version == Sign11 {
		user = digest(user, version)
	}
	return strings.Join([]string{
		"Method:" + strings.ToUpper(p.method),
		"Hashed Path:" + digest(path, version),
		"X-Ops-Content-Hash:" + hash,
		"X-Ops-Timestamp:" + stamp,
		"X-Ops-UserId:" + user,
	}, "\n")
}

// canonicalPath is an escaped path without query, without runs of slashes, and
// without a slash at its end unless it is nothing else.
func canonicalPath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	var b strings.Builder
	b.Grow(len(path))
	for i := range len(path) {
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			continue
		}
		b.WriteByte(path[i])
	}
	if out := strings.TrimSuffix(b.String(), "/"); out != "" {
		return out
	}
	return "/"
}

func contentHash(body []byte, version string) string { return digest(string(body), version) }

// digest is the base64 of the hash that belongs to the protocol version.
func digest(text, version string) string {
	if version == Sign13 {
		sum := sha256.Sum256([]byte(text))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}
