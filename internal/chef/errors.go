package chef

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The reasons that callers and operators tell apart. Errors of this package
// wrap them; the class of each is in [Classify].
var (
	// ErrNotChef means that whatever answered is no Chef server, or something
	// in between spoke for it: a web page, a redirect, an empty body, or JSON of
	// another shape, mostly with status 200.
	ErrNotChef = errors.New("not an answer of a Chef server")

	// ErrNoRoute is a 404 that does not come from the Chef API: the server, or a
	// proxy, knows no such path. It says nothing about any object.
	ErrNoRoute = errors.New("the server has no such endpoint")

	// ErrOrgNotFound means that the server has no organization of that name. It
	// says so before it looks at the signature.
	ErrOrgNotFound = errors.New("no such organization")

	// ErrCredentials is a 401: the server does not know the user, or its key is
	// another one.
	ErrCredentials = errors.New("the server does not accept the user's signature")

	// ErrClock is a 401 because the clocks of both sides are too far apart.
	ErrClock = errors.New("the clocks are too far apart")

	// ErrNotMember is a 403: the user exists and is not in the organization.
	ErrNotMember = errors.New("the user is not a member of the organization")

	// ErrLicense is a 403 for everything, because the server's licence is not
	// valid.
	ErrLicense = errors.New("the server's license is not valid")

	// ErrAPIVersion means that the server speaks none of our API versions.
	ErrAPIVersion = errors.New("no API version in common")

	// ErrTLS means that no trust could be established, in either direction.
	ErrTLS = errors.New("TLS verification failed")

	// ErrForeignHost is a file URL to a host that is neither the server's own
	// nor in [Options.FileHosts], or that would go back from https to http.
	ErrForeignHost = errors.New("the file is on a host that is not allowed")

	// ErrURLExpired is a file URL that the file store refuses. Its signature is
	// too old, mostly: read the manifest, or make the sandbox, again.
	ErrURLExpired = errors.New("the file URL is not accepted any more")

	// ErrFileMissing is a file that a manifest names and the file store does
	// not have.
	ErrFileMissing = errors.New("the file store has no such file")

	// ErrChecksum means that the bytes of a file are not those of its MD5.
	ErrChecksum = errors.New("the file's content does not match its checksum")

	// ErrMissingFiles means that the server lacks files that a sandbox or a
	// manifest names: make a sandbox, upload what it asks for, and repeat.
	ErrMissingFiles = errors.New("the server lacks files")

	// ErrFrozen is a 409 for a cookbook version that is frozen; only
	// [PutCookbookOptions.Force] or deleting it helps.
	ErrFrozen = errors.New("the cookbook version is frozen")

	// ErrDropsFiles means that the server's API version has no place for some
	// files of a cookbook and would lose them without a word.
	ErrDropsFiles = errors.New("the server's API version cannot hold all files")

	// ErrManifest is a cookbook manifest with an entry that cannot be a file.
	ErrManifest = errors.New("the cookbook's manifest is damaged")

	// ErrWrongObject is an answer that is another object than was asked for, or
	// none.
	ErrWrongObject = errors.New("not the object that was asked for")

	// ErrPlainACL means that the server's ACLs do not tell users from clients, so
	// that a name that is both could get the other's rights.
	ErrPlainACL = errors.New("the server's ACLs do not tell users from clients")

	// ErrNotTaken means that the server accepted a write and holds something else
	// afterwards.
	ErrNotTaken = errors.New("the server did not take all that was sent")

	// ErrNoFeed means that the server has no updated_since endpoint.
	ErrNoFeed = errors.New("the server has no updated_since feed")

	// ErrGone is a 410: the feed cannot go on from the sequence number given.
	ErrGone = errors.New("the feed cannot go on from here")

	// ErrInvalid is a request that was not sent because it could not have been
	// meant: a name that would change the path, two names for one object.
	ErrInvalid = errors.New("not sent")
)

// An APIError is a request that got a refusal, or no answer at all. It never
// holds a body, a key, a signed header or the signature of a file URL.
type APIError struct {
	Method string

	// URL is what was asked for. The query of a file URL is left out.
	URL string

	// Status is the HTTP status; 0 means that there was no complete answer.
	Status int

	// Message is a short excerpt of the server's own words, cleaned of what was
	// sent to it; "" if it had none.
	Message string

	// RetryAfter is how long the server asked to be left alone; 0 if it did not.
	RetryAfter time.Duration

	// Hint says in words for an operator what may help; "" if nothing is known.
	Hint string

	// Uncertain is set if an earlier try of the same request broke off, so that
	// the server may have carried it out: a 409 for a create or a 404 for a
	// delete then may well be the trace of our own success.
	Uncertain bool

	// Err is one of this package's sentinels, or what went wrong on the
	// network; nil where the status says it all.
	Err error

	class      Class
	empty      bool // a 2xx answer without a body
	permission bool // a 403 that says that a permission on one object is missing
}

// Error says what was tried on what, and what came of it:
// "GET https://chef/organizations/acme/roles/web: 403 missing read permission".
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString(e.Method + " " + e.URL + ":")
	if e.Status != 0 {
		b.WriteString(" " + strconv.Itoa(e.Status))
	}
	switch {
	case e.Message != "":
		b.WriteString(" " + e.Message)
	case e.Err != nil:
		b.WriteString(" " + e.Err.Error())
	default:
		b.WriteString(" " + http.StatusText(e.Status))
	}
	return b.String()
}

// Unwrap returns Err.
func (e *APIError) Unwrap() error { return e.Err }

// Class returns what [Classify] returns for e.
func (e *APIError) Class() Class { return e.class }

// Temporary reports whether the same request may succeed later.
func (e *APIError) Temporary() bool { return e.class == ClassRetry }

// IsNotFound reports whether the server itself said, in JSON, that the object
// does not exist. A 404 of a proxy, for an unknown route, for a missing
// organization or from a file store is none. Even so, nobody should conclude
// from it that the object was deleted; only a complete list says that.
func IsNotFound(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Err == nil
}

// IsConflict reports whether the server answered 409: the object exists, or is
// frozen ([ErrFrozen]).
func IsConflict(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Status == http.StatusConflict
}

// isUncertain reports whether an earlier try may have been carried out: see
// [APIError.Uncertain].
func isUncertain(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Uncertain
}

// Hint returns what may help against err, in words for an operator, or "".
func Hint(err error) string {
	var e *APIError
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// RetryAfter returns how long the server asked to be left alone; 0 if it did
// not ask, or if err is no answer of a server.
func RetryAfter(err error) time.Duration {
	var e *APIError
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// invalid makes an [ErrInvalid] error with a reason.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
