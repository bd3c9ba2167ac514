package kinds

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// acls is the handler of ACLs: of every object that has one, and of the
// organization itself. An ACL comes and goes with its object, so it is only ever
// changed. What the replica should hold is in Adapt.
type acls struct{}

func (acls) Kind() object.Kind { return object.KindACL }

// Supported needs ACLs that tell users from clients. A server that refuses us the
// organization's own has them.
func (acls) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	ok, err := c.Supports(ctx, object.ACLOrganization, "_acl")
	if !ok || err != nil {
		return false, err
	}
	_, err = c.GetACL(ctx, object.ACLOrganization, "")
	var e *chef.APIError
	switch {
	case errors.Is(err, chef.ErrPlainACL):
		return false, nil
	case errors.As(err, &e) && e.Status == http.StatusForbidden && e.Class() == chef.ClassObject:
		return true, nil
	default:
		return err == nil, err
	}
}

// List asks for the names of each type. A type that the server does not have has
// no ACLs; that this is so the server has to say twice. The hidden groups of users
// are left out, and so are the two groups whose ACLs no admin may read, which would
// be failures of every pair for ever.
func (acls) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	var refs []object.Ref
	for _, word := range object.ACLTypes() {
		if word == object.ACLOrganization {
			refs = append(refs, object.Ref{Kind: object.KindACL, Name: word})
			continue
		}
		names, err := c.ListACLs(ctx, word)
		if err != nil {
			if has, serr := c.Supports(ctx, word); serr == nil && !has {
				continue
			}
			return nil, err
		}
		for _, n := range names {
			if word == "groups" && (isOwnGroup(n) || n == groupBilling || n == groupKeyReaders) {
				continue
			}
			ref, err := listed(object.KindACL, word, n)
			if err != nil {
				return nil, err
			}
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func (acls) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	acl, err := c.GetACL(ctx, ref.Name, ref.Sub)
	if err != nil {
		return Object{}, fmt.Errorf("read %s: %w", ref, err)
	}
	return document(ref, eachAllowed(acl, func(_ chef.Permission, a chef.Allowed) chef.Allowed { return a }))
}

// eachAllowed makes another ACL, in order.
func eachAllowed(acl chef.ACL, f func(chef.Permission, chef.Allowed) chef.Allowed) chef.ACL {
	out := chef.ACL{}
	for _, p := range chef.Permissions() {
		a := f(p, acl[p])
		out[p] = chef.Allowed{Users: sorted(a.Users), Clients: sorted(a.Clients), Groups: sorted(a.Groups)}
	}
	return out
}

// Create says that there is no object to have the ACL; [chef.IsNotFound] is true
// then. One that appeared meanwhile has rights that Adapt has to see first.
func (h acls) Create(ctx context.Context, c *chef.Client, o Object) error {
	if _, err := h.Get(ctx, c, o.Ref); err != nil {
		return err
	}
	return fmt.Errorf("write %s: the object was made meanwhile", o.Ref)
}

// Update writes the permissions that differ, one by one, the right to grant last:
// whoever is cut off in the middle can go on. Then it reads the ACL again. Returns
// [chef.ErrNotTaken] if it is not what was written.
func (h acls) Update(ctx context.Context, c *chef.Client, o, held Object) error {
	var want, have chef.ACL
	if err := undocument(o, &want); err != nil {
		return err
	}
	if err := undocument(held, &have); err != nil {
		return err
	}
	for _, p := range chef.Permissions() {
		if sameAllowed(want[p], have[p]) {
			continue
		}
		if err := c.PutACL(ctx, o.Ref.Name, o.Ref.Sub, p, want[p]); err != nil {
			return err
		}
	}
	now, err := c.GetACL(ctx, o.Ref.Name, o.Ref.Sub)
	if err != nil {
		return err
	}
	var wrong []string
	for _, p := range chef.Permissions() {
		if !sameAllowed(want[p], now[p]) {
			wrong = append(wrong, string(p))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("write %s: %w: %s", o.Ref, chef.ErrNotTaken, strings.Join(wrong, ", "))
	}
	return nil
}

func sameAllowed(a, b chef.Allowed) bool {
	return slices.Equal(sorted(a.Users), sorted(b.Users)) && slices.Equal(sorted(a.Clients), sorted(b.Clients)) &&
		slices.Equal(sorted(a.Groups), sorted(b.Groups))
}

// Delete does nothing: see [acls].
func (acls) Delete(context.Context, *chef.Client, object.Ref) error { return nil }
