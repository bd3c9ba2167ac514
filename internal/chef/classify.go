package chef

import (
	"errors"
	"fmt"
)

// A Class says whom an error concerns, and so what to do about it.
type Class int

// The classes. The zero Class is that of no error at all.
const (
	// ClassNone is the class of a nil error.
	ClassNone Class = iota

	// ClassRetry passes: the same request may succeed later.
	ClassRetry

	// ClassObject concerns one object and does not pass by itself; others can
	// be copied all the same.
	ClassObject

	// ClassPair concerns the server, the organization or the user: no request
	// can succeed until somebody has looked, and nothing may be concluded about
	// any object.
	ClassPair
)

// String returns "none", "retry", "object" or "pair".
func (c Class) String() string {
	switch c {
	case ClassNone:
		return "none"
	case ClassRetry:
		return "retry"
	case ClassObject:
		return "object"
	case ClassPair:
		return "pair"
	}
	return fmt.Sprintf("class %d", int(c))
}

// pairErrors and objectErrors are the classes of the sentinels, for errors that
// come without the answer of a server.
var (
	pairErrors = []error{
		ErrNotChef, ErrNoRoute, ErrOrgNotFound, ErrCredentials, ErrClock, ErrNotMember, ErrLicense,
		ErrAPIVersion, ErrTLS, ErrForeignHost, ErrNoFeed, ErrGone,
	}
	objectErrors = []error{
		ErrChecksum, ErrFileMissing, ErrMissingFiles, ErrFrozen, ErrDropsFiles, ErrManifest,
		ErrWrongObject, ErrInvalid, ErrPlainACL, ErrNotTaken,
	}
)

// Classify returns the class of an error of this package, however wrapped.
//
//	cause                                               class
//	no answer: refused, DNS, time-out, broken off       retry
//	429, 500, 502, 503, 504, an expired file URL        retry
//	400, 405, 409, 413, 422, 404 in JSON                object
//	403 for one object, also when asked again           object
//	checksum mismatch, missing or frozen, not sent      object
//	401, 403 not a member or license, 404 organization  pair
//	406, not JSON, redirect, TLS, foreign host          pair
//	no feed, a feed that cannot go on                   pair
//
// A 403 for a list has the class object too, since it may be that of one kind;
// no list means no object of it can be judged. Errors of a context, of the
// local disk and of anything unknown have the class retry; nil has none.
func Classify(err error) Class {
	if err == nil {
		return ClassNone
	}
	var e *APIError
	if errors.As(err, &e) && e.class != ClassNone {
		return e.class
	}
	for _, target := range pairErrors {
		if errors.Is(err, target) {
			return ClassPair
		}
	}
	for _, target := range objectErrors {
		if errors.Is(err, target) {
			return ClassObject
		}
	}
	return ClassRetry
}
