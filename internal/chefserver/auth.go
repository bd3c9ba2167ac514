package chefserver

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // Protocol versions 1.0 to 1.2 are made of it.
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signature is what a request says about its signing.
type signature struct {
	version   string // 1.0, 1.1, 1.2 or 1.3
	user      string
	timestamp string
	hash      string // X-Ops-Content-Hash
	bytes     []byte
}

// signingHeaders are required, with the names erchef complains under.
var signingHeaders = [...]string{"X-Ops-UserId", "X-Ops-Timestamp", "X-Ops-Sign", "X-Ops-Content-Hash"}

// readSignature reads and judges the headers. It does not look at the key.
func readSignature(r *request) (*signature, *reply) {
	h := r.http.Header
	var missing []string
	for _, name := range signingHeaders {
		if h.Get(name) == "" {
			missing = append(missing, "'"+name+"'")
		}
	}
	if len(missing) > 0 {
		return nil, fail(http.StatusBadRequest, "missing required authentication header(s) %s", strings.Join(missing, ", "))
	}
	sig := &signature{user: h.Get("X-Ops-UserId"), timestamp: h.Get("X-Ops-Timestamp"), hash: h.Get("X-Ops-Content-Hash")}
	var ok bool
	if sig.version, ok = signVersion(h.Get("X-Ops-Sign")); !ok {
		return nil, fail(http.StatusBadRequest, "Unsupported authentication protocol version")
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", sig.timestamp)
	if err != nil || len(sig.timestamp) != len("2006-01-02T15:04:05Z") {
		return nil, denied("bad header(s) 'X-Ops-Timestamp'")
	}
	if d := r.s.now().Sub(at); d >= r.s.opts.AuthSkew || d <= -r.s.opts.AuthSkew {
		return nil, denied("Failed to authenticate as '" + sig.user + "'. Synchronize the clock on your host.")
	}
	var text strings.Builder
	for i := 1; ; i++ {
		line := h.Get("X-Ops-Authorization-" + strconv.Itoa(i))
		if line == "" {
			break
		}
		text.WriteString(line)
	}
	// Text that is no base64 leaves no bytes, and no key verifies those.
	sig.bytes, _ = base64.StdEncoding.DecodeString(text.String())
	return sig, nil
}

// signVersion reads X-Ops-Sign. The parts are not trimmed, as in erchef, so a
// blank after the semicolon is an unsupported version.
func signVersion(header string) (string, bool) {
	var version, algorithm string
	for part := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "version":
			version = value
		case "algorithm":
			algorithm = value
		}
	}
	switch version {
	case "1.0", "1.1", "1.2":
		return version, algorithm == "" || algorithm == "sha1"
	case "1.3":
		return version, algorithm == "" || algorithm == "sha256"
	}
	return "", false
}

// denied is 401 with the challenge, which still names the two oldest versions
// only.
func denied(text string) *reply {
	p := fail(http.StatusUnauthorized, "%s", text)
	p.header.Set("Www-Authenticate", `X-Ops-Sign version="1.0" version="1.1"`)
	return p
}

// canonicalRequest is the text that is signed.
func canonicalRequest(r *request, sig *signature) string {
	method := strings.ToUpper(r.http.Method)
	if sig.version == "1.3" {
		sum := sha256.Sum256(r.body)
		return "Method:" + method +
			"\nPath:" + r.path +
			"\nX-Ops-Content-Hash:" + base64.StdEncoding.EncodeToString(sum[:]) +
			"\nX-Ops-Sign:version=1.3" +
			"\nX-Ops-Timestamp:" + sig.timestamp +
			"\nX-Ops-UserId:" + sig.user +
			"\nX-Ops-Server-API-Version:" + strconv.Itoa(r.api)
	}
	user := sig.user
	if sig.version != "1.0" {
		user = sha1Base64([]byte(user))
	}
	return "Method:" + method +
		"\nHashed Path:" + sha1Base64([]byte(r.path)) +
		"\nX-Ops-Content-Hash:" + sha1Base64(r.body) +
		"\nX-Ops-Timestamp:" + sig.timestamp +
		"\nX-Ops-UserId:" + user
}

func sha1Base64(data []byte) string {
	sum := sha1.Sum(data) //nolint:gosec // See the import.
	return base64.StdEncoding.EncodeToString(sum[:])
}

// verifies reports whether pub made the signature over text.
func (sig *signature) verifies(pub *rsa.PublicKey, text string) bool {
	switch sig.version {
	case "1.0", "1.1":
		// The text itself is padded, without a hash: what OpenSSL calls
		// private encrypt. Hash 0 means just that.
		return rsa.VerifyPKCS1v15(pub, 0, []byte(text), sig.bytes) == nil
	case "1.2":
		sum := sha1.Sum([]byte(text)) //nolint:gosec // See the import.
		return rsa.VerifyPKCS1v15(pub, crypto.SHA1, sum[:], sig.bytes) == nil
	}
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig.bytes) == nil
}

// bodyMatches compares the hash header with the body. 1.3 leaves the header
// alone: the body's hash is inside of the signed text.
func (sig *signature) bodyMatches(body []byte) bool {
	return sig.version == "1.3" || sig.hash == sha1Base64(body)
}

// authenticate finds the key that signed the request, sets r.actor, and checks
// membership of the organization.
func (s *Server) authenticate(r *request, sig *signature) *reply {
	candidates := s.actorsNamed(r.org, sig.user)
	if len(candidates) == 0 {
		return denied("Failed to authenticate as '" + sig.user + "'. Ensure that your node_name and client key are correct.")
	}
	if sig.bodyMatches(r.body) {
		text, now := canonicalRequest(r, sig), s.now()
		for _, a := range candidates {
			for _, k := range a.keys {
				if !k.expired(now) && k.pub != nil && sig.verifies(k.pub, text) {
					a.key = k.name
					r.actor = a
				}
			}
			if r.actor != nil {
				break
			}
		}
	}
	if r.actor == nil {
		return denied("Invalid signature for user or client '" + sig.user + "'")
	}
	if r.org != nil && !r.actor.member && !r.actor.superuser {
		return fail(http.StatusForbidden, "'%s' not associated with organization '%s'", sig.user, r.org.name)
	}
	return nil
}
