package chefserver

import (
	"crypto/rand"
	"crypto/rsa"
	"time"
)

const (
	// DefaultMaxBody is the largest body of a POST or PUT, in bytes. It is the
	// max_request_size of the Chef Infra Server packages.
	DefaultMaxBody = 2_000_000
	// DefaultAuthSkew is how far the clock of a client may be off.
	DefaultAuthSkew = 900 * time.Second
	// DefaultURLTTL is how long the URL of a cookbook file can be used for
	// reading (s3_url_ttl of the packages).
	DefaultURLTTL = 8 * time.Hour
	// uploadTTL is how long an upload URL can be used. No setting changes it.
	uploadTTL = 900 * time.Second
)

// Options say how a server differs from a freshly installed one. The zero value
// is a stock server.
type Options struct {
	// PivotalKey signs for the superuser pivotal. A nil key is generated, which
	// takes a part of a second.
	PivotalKey *rsa.PrivateKey

	// GenerateKey makes the keys of clients and users that did not bring one,
	// and those of validators. Nil generates RSA keys of 2048 bits. Tests that
	// create many organizations may return one key over and over.
	GenerateKey func() (*rsa.PrivateKey, error)

	// Now is the server's clock; nil is time.Now. See also Server.SetClock.
	Now func() time.Time

	// AuthSkew is how far a request's timestamp may be off, in both
	// directions; zero is DefaultAuthSkew.
	AuthSkew time.Duration

	// MaxBody is the largest accepted body of a POST or PUT in bytes, file
	// uploads excepted; zero is DefaultMaxBody.
	MaxBody int

	// URLTTL is how long file URLs can be read; zero is DefaultURLTTL.
	URLTTL time.Duration

	// Feed switches the native change feed on: updated_since and
	// objects_since. Without it both are unknown routes, as on every stock
	// server.
	Feed bool

	// FeedPlain reduces the feed to its documented form: no headers, no limit,
	// no long poll, and no 410 for a cursor that cannot be served.
	FeedPlain bool

	// ConcurrentUploadFails imitates a race of erchef: two uploads of the same
	// MD5 at the same time answer 500.
	ConcurrentUploadFails bool
}

func (o Options) withDefaults() Options {
	if o.GenerateKey == nil {
		o.GenerateKey = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AuthSkew == 0 {
		o.AuthSkew = DefaultAuthSkew
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.URLTTL == 0 {
		o.URLTTL = DefaultURLTTL
	}
	return o
}
