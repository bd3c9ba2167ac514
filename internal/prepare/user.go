package prepare

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// user looks whether the user exists and has our key, and creates it, or adds the
// key, as far as that was asked for.
//
//	the user        key file   its signature   what is done
//	exists          there      good            nothing
//	exists          there      refused         error, or --add-key
//	exists          none       -               error, or --add-key
//	does not exist  there      refused         created with that key
//	does not exist  none       -               key written, then created with it
//	not known       there      refused         error: we may not look
//	not known       none       -               error: we may not look
func (r *run) user(ctx context.Context) error {
	fits, err := r.fits(ctx)
	if err != nil {
		return err
	}
	if fits {
		r.step("key", StateFound, "%s is a key of %s", r.KeyFile, r.User)
		r.step("user", StateFound, "%s exists", r.User)
		return nil
	}
	if r.alone() {
		return &Error{
			Step: "user", Try: []string{TryAdmin},
			What: fmt.Sprintf("the server knows no user %s with the key %s, and there is nobody else to act as", r.User, r.KeyFile),
		}
	}
	_, err = r.As.GetUser(ctx, r.User)
	switch {
	case err == nil:
		return r.userWithoutKey(ctx)
	case chef.IsNotFound(err):
		return r.createUser(ctx)
	}
	return r.failed("user", "look for the user "+r.User, "read on the user "+r.User+" (of one who is not a member yet, only the superuser and server admins have it)", err)
}

// fits reports whether the server accepts the signature of the user with our key.
func (r *run) fits(ctx context.Context) (bool, error) {
	if r.own == nil {
		return false, nil
	}
	_, err := r.own.GetUser(ctx, r.User)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, chef.ErrCredentials):
		return false, nil
	}
	return false, r.failed("key", "ask the server as "+r.User, "", err)
}

// userWithoutKey is for a user that exists and does not have our key.
func (r *run) userWithoutKey(ctx context.Context) error {
	if r.AddKey != "" && !r.flat() {
		return r.addKey(ctx)
	}
	e := &Error{Step: "key", Try: []string{TryCopyKey, TryAddKey}}
	if r.flat() {
		e.Try = []string{TryCopyKey} // its users have one key, which would be replaced
	}
	if r.key == nil {
		e.What = fmt.Sprintf("the user %s exists, and its key is not here: there is no %s", r.User, r.KeyFile)
		return e
	}
	e.What = fmt.Sprintf("the user %s exists, and %s is none of its keys", r.User, r.KeyFile)
	if names, err := r.As.ListUserKeys(ctx, r.User); err == nil && len(names) > 0 {
		e.What += ", which are called " + some(names)
	}
	return e
}

// addKey gives an existing user our key beside those it has.
func (r *run) addKey(ctx context.Context) error {
	if err := r.haveKey(); err != nil {
		return err
	}
	return r.do("user", func() error {
		public, err := publicPEM(r.key)
		if err != nil {
			return err
		}
		err = r.As.CreateUserKey(ctx, r.User, chef.ClientKey{Name: r.AddKey, PublicKey: public, ExpirationDate: chef.Infinity})
		if chef.IsConflict(err) && !isOurs(err) {
			return &Error{Step: "user", What: fmt.Sprintf("%s has another key called %s: choose another name", r.User, r.AddKey), Try: []string{TryAddKey}}
		}
		if err != nil && !isOurs(err) {
			return r.failed("user", "add a key to "+r.User, "update on the user "+r.User, err)
		}
		return r.readBack(ctx)
	}, "%s exists, and gets %s as its key %s", r.User, r.KeyFile, r.AddKey)
}

// haveKey writes a key if there is none.
func (r *run) haveKey() error {
	if r.key != nil {
		r.step("key", StateFound, "%s is there", r.KeyFile)
		return nil
	}
	return r.do("key", r.writeKey, "a new key in %s, for its owner alone", r.KeyFile)
}

// createUser makes the user. Whether we may is found out before a key is written.
func (r *run) createUser(ctx context.Context) error {
	if err := r.noClient(ctx); err != nil {
		return err
	}
	if _, err := r.As.ListUsers(ctx); err != nil {
		return r.failed("user", "list users", createRight, err)
	}
	if err := r.haveKey(); err != nil {
		return err
	}
	return r.do("user", func() error {
		public, err := publicPEM(r.key)
		if err != nil {
			return err
		}
		err = r.As.CreateUser(ctx, chef.NewUser{
			Name: r.User, DisplayName: "chef-sync", FirstName: "Chef", LastName: "Sync",
			Email: r.User + "@chef-sync.invalid", Password: rand.Text(), PublicKey: public,
		})
		if err != nil && !isOurs(err) {
			return r.failed("user", "create the user "+r.User, createRight, err)
		}
		return r.readBack(ctx)
	}, "%s did not exist, and is created with that key", r.User)
}

const createRight = "create on users, which only the superuser and server admins have"

// isOurs reports whether a conflict may be the trace of our own first try.
func isOurs(err error) bool {
	var e *chef.APIError
	return errors.As(err, &e) && e.Uncertain && chef.IsConflict(err)
}

// readBack asks the server as the user that was just made, or got a key.
func (r *run) readBack(ctx context.Context) error {
	fits, err := r.fits(ctx)
	if err == nil && !fits {
		return &Error{Step: "user", What: fmt.Sprintf("the server said that it took the key of %s, and does not accept its signature", r.User)}
	}
	return err
}

// noClient refuses a name that a client of the organization has: ACLs would not
// know which of the two is meant.
func (r *run) noClient(ctx context.Context) error {
	_, err := r.As.GetClient(ctx, r.User)
	switch {
	case err == nil:
		return &Error{Step: "user", What: fmt.Sprintf("%s is the name of a client already, and a user of the same name would make ACLs ambiguous: "+
			"set ec_sync_client['sync_user'] to another name", r.User)}
	case chef.IsNotFound(err), lacks(err):
		return nil
	}
	return r.failed("user", "look for a client "+r.User, "", err)
}
