package chef

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxSignatureText is far above the base64 of a signature by a key of 16384
// bits.
const maxSignatureText = 8 << 10

var (
	// ErrUnsigned says that a request lacks headers of its signature.
	ErrUnsigned = errors.New("missing required authentication header(s)")

	// ErrSignVersion says that a request is signed in a way that is not known
	// here.
	//lint:ignore ST1005 erchef's words, which clients look for
	ErrSignVersion = errors.New("Unsupported authentication protocol version") //nolint:staticcheck,revive // as above

	// ErrSignTime says that the time of a signature is not written as a time.
	ErrSignTime = errors.New("bad header(s) 'X-Ops-Timestamp'")
)

// A Signature is what a request says of who signed it, and when. Nothing of it
// is true before [Signature.Verify] said so.
type Signature struct {
	User string
	Time time.Time

	version    string
	hash       string // X-Ops-Content-Hash
	apiVersion int    // -1: none that could have been signed
	bytes      []byte // nil: none that any key could have made
}

// ReadSignature reads the X-Ops-* headers of protocol version 1.0, 1.1 or 1.3,
// as strictly as erchef does. It returns [ErrUnsigned], [ErrSignVersion] or
// [ErrSignTime]. See
// https://docs.chef.io/server/api_chef_server/#authentication-headers.
func ReadSignature(h http.Header) (*Signature, error) {
	var missing []string
	for _, name := range [...]string{"X-Ops-UserId", "X-Ops-Timestamp", "X-Ops-Sign", "X-Ops-Content-Hash"} {
		if h.Get(name) == "" {
			missing = append(missing, "'"+name+"'")
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("%w %s", ErrUnsigned, strings.Join(missing, ", "))
	}
	s := &Signature{User: h.Get("X-Ops-UserId"), hash: h.Get("X-Ops-Content-Hash")}
	var ok bool
	if s.version, ok = signVersion(h.Get("X-Ops-Sign")); !ok {
		return nil, ErrSignVersion
	}
	stamp := h.Get("X-Ops-Timestamp")
	at, err := time.Parse(timestampLayout, stamp)
	if err != nil || len(stamp) != len(timestampLayout) {
		return nil, ErrSignTime
	}
	s.Time = at
	if v := h.Get("X-Ops-Server-Api-Version"); v != "" {
		if s.apiVersion, err = strconv.Atoi(v); err != nil || s.apiVersion < 0 {
			s.apiVersion = -1
		}
	}
	s.bytes = signatureBytes(h)
	return s, nil
}

// signatureBytes joins the lines of the signature up to the first that is not
// there.
func signatureBytes(h http.Header) []byte {
	var text strings.Builder
	for n := 1; text.Len() <= maxSignatureText; n++ {
		line := h.Get("X-Ops-Authorization-" + strconv.Itoa(n))
		if line == "" {
			break
		}
		text.WriteString(line)
	}
	if text.Len() > maxSignatureText {
		return nil
	}
	out, err := base64.StdEncoding.DecodeString(text.String())
	if err != nil {
		return nil
	}
	return out
}

// signVersion reads X-Ops-Sign. Blanks are not trimmed, as in erchef.
func signVersion(header string) (string, bool) {
	var version, algorithm string
	for part := range strings.SplitSeq(header, ";") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "version":
			version = value
		case "algorithm":
			algorithm = value
		}
	}
	switch version {
	case Sign10, Sign11:
		return version, algorithm == "" || algorithm == "sha1"
	case Sign13:
		return version, algorithm == "" || algorithm == "sha256"
	}
	return "", false
}

// A SignedRequest is what a signature is made over, besides its own headers.
type SignedRequest struct {
	Method string
	Path   string // escaped, as it came over the wire
	Body   []byte
}

// Verify reports whether one of keys made the signature over the request. Why
// not, it does not say, and it tries all keys whether or not one fits. The age
// of the signature is for the caller to judge.
func (s *Signature) Verify(r SignedRequest, keys ...*rsa.PublicKey) bool {
	if s.bytes == nil || s.apiVersion < 0 {
		return false
	}
	part := signedPart{method: r.Method, path: r.Path, body: r.Body, time: s.Time, apiVersion: s.apiVersion}
	text := canonical(part, s.User, s.version)
	good := s.version == Sign13 || subtle.ConstantTimeCompare([]byte(s.hash), []byte(contentHash(r.Body, s.version))) == 1
	found := false
	for _, key := range keys {
		if key != nil && s.madeBy(key, text) {
			found = true
		}
	}
	return good && found
}

// madeBy reports whether key made the signature over text. See
// [signer.signature].
func (s *Signature) madeBy(key *rsa.PublicKey, text string) bool {
	if s.version == Sign13 {
		sum := sha256.Sum256([]byte(text))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s.bytes) == nil
	}
	return rsa.VerifyPKCS1v15(key, crypto.Hash(0), []byte(text), s.bytes) == nil
}

// CanonicalPath is an escaped path as signatures cover it: without query, without
// runs of slashes, and without a slash at its end unless it is nothing else.
func CanonicalPath(path string) string { return canonicalPath(path) }

// ParsePublicKey reads an RSA public key in one of the forms that Chef servers
// keep: PKIX, PKCS #1, or an X.509 certificate, in PEM.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("public key: no PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if rsaKey, ok := key.(*rsa.PublicKey); ok {
		return rsaKey, nil
	}
	return nil, errors.New("public key: no RSA key")
}
