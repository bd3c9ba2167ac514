package feedserver

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// askAgain is how often a Chef server is looked for that was not there.
const askAgain = time.Minute

// Both has two ways tell who signed a request: the keys, and the Chef server on
// this host if it is there. The second word can only make it less:
//
//	keys say        the Chef server says                what counts
//	no, or nothing  is not asked                        the keys
//	yes             no, in its own words                the Chef server
//	yes             another kind of requestor           a client
//	yes             yes, or nothing that can be used    the keys
//
// So whatever answers in the Chef server's place lets nobody in, and who may
// read while the Chef server is away is who may otherwise. Make one with [NewBoth].
type Both struct {
	keys   Authenticator
	chef   *Validator
	log    *slog.Logger
	say    *occasionally
	asking atomic.Bool // the Chef server was found to answer as one does
}

// NewBoth returns an authenticator that asks keys, and then chef, once
// [Both.Watch] has found it. log is required.
func NewBoth(keys Authenticator, chef *Validator, log *slog.Logger) *Both {
	return &Both{keys: keys, chef: chef, log: log, say: &occasionally{log: log}}
}

// Watch looks for the Chef server until it is there, or ctx ends.
func (b *Both) Watch(ctx context.Context) {
	for said := ""; ; {
		err := b.chef.Check(ctx)
		if err == nil {
			b.asking.Store(true)
			b.log.InfoContext(ctx, "the Chef server confirms who signed", "url", b.chef.url)
			return
		}
		if ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			b.log.InfoContext(ctx, "only the keys in the database tell who signed; the Chef server is looked for again", "url", b.chef.url, "err", err)
		}
		pause(ctx, askAgain)
		if ctx.Err() != nil {
			return
		}
	}
}

// Authenticate asks. See [Authenticator] and the type.
func (b *Both) Authenticate(ctx context.Context, r *Request) (Requestor, error) {
	who, err := b.keys.Authenticate(ctx, r)
	if err != nil || !b.asking.Load() {
		return who, err
	}
	second, err := b.chef.Authenticate(ctx, r)
	switch {
	case err == nil:
		who.Client = who.Client || second.Client
	case errors.Is(err, ErrDenied), errors.Is(err, ErrClock), errors.Is(err, ErrNotMember), errors.Is(err, changelog.ErrNoOrganization):
		return Requestor{}, err
	case ctx.Err() == nil:
		b.say.warn(ctx, "the Chef server does not confirm who signed, the keys in the database count alone", err)
	}
	return who, nil
}
