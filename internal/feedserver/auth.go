package feedserver

import (
	"context"
	"errors"
	"net/http"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// Request is what is known of a request before anybody has checked it.
type Request struct {
	Org       string
	Path      string // canonical and escaped
	Header    http.Header
	Body      []byte
	Signature *chef.Signature
}

// Requestor is who signed a request.
type Requestor struct {
	Name string

	// Client says that it is a client of the organization, not a user.
	Client bool

	// NoOrganization and NotMember say why a user who signed well gets nothing.
	// They are for users who may ask at all.
	NoOrganization, NotMember bool
}

// Authenticator finds out who signed a request. Whether that one may read is for
// the [Server] to decide. It is safe for concurrent use.
//
// Authenticate returns [ErrDenied] if nobody known did, whatever is wrong;
// [ErrClock], [ErrNotMember] and [changelog.ErrNoOrganization] if just that is; and any
// other error if it cannot be told at present.
type Authenticator interface {
	Authenticate(ctx context.Context, r *Request) (Requestor, error)
}

var (
	// ErrDenied says that nobody who is known signed a request.
	ErrDenied = errors.New("not signed by anybody known")

	// ErrClock says that a request was signed too long ago, or in the future.
	ErrClock = errors.New("signed at another time")

	// ErrNotMember says that a user does not belong to the organization.
	ErrNotMember = errors.New("not a member of the organization")
)
