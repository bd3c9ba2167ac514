package prepare

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// groupAdmins is the group that may do everything in an organization.
const groupAdmins = "admins"

// admins puts the user into the group admins. Members come first: servers skip
// names of others without a word.
func (r *run) admins(ctx context.Context) error {
	switch {
	case r.Member:
		r.step("admin", StateNone, "membership was asked for: %s reads content, not groups and ACLs", r.User)
		return nil
	case r.flat():
		return r.makeAdmin(ctx)
	}
	g, err := r.As.GetGroup(ctx, groupAdmins)
	if r.DryRun && errors.Is(err, chef.ErrNotMember) && r.alone() {
		r.step("admin", StateWould, "whether %s is in the group admins can be seen when it is a member", r.User)
		return nil
	}
	if err != nil {
		return r.failed("admin", "read the group admins", "read on the group admins", err)
	}
	if r.admin = slices.Contains(g.Users, r.User); r.admin {
		r.step("admin", StateFound, "%s is in the group admins", r.User)
		return nil
	}
	return r.do("admin", func() error { return r.joinAdmins(ctx, g) }, "%s is added to the group admins, which has %s", r.User, some(g.Users))
}

// joinAdmins adds the user to the group, of which g is the present state, and
// reads it back: the answer repeats what was sent.
func (r *run) joinAdmins(ctx context.Context, g chef.Group) error {
	want := g
	want.Users = append(slices.Clone(g.Users), r.User)
	if err := r.As.UpdateGroup(ctx, want); err != nil {
		return r.failed("admin", "change the group admins", "update on the group admins", err)
	}
	have, err := r.As.GetGroup(ctx, groupAdmins)
	if err != nil {
		return r.failed("admin", "read the group admins again", "read on the group admins", err)
	}
	lost := slices.Concat(without(want.Users, have.Users), without(want.Clients, have.Clients), without(want.Groups, have.Groups))
	if len(lost) > 0 {
		return &Error{Step: "admin", What: fmt.Sprintf("the server took the group admins, and it lacks %s", some(lost)), Err: chef.ErrNotTaken}
	}
	r.admin = true
	return nil
}

// makeAdmin is admins for a server without groups.
func (r *run) makeAdmin(ctx context.Context) error {
	is, err := r.isAdmin(ctx)
	if err != nil {
		return err
	}
	if r.admin = is; is {
		r.step("admin", StateFound, "%s is an admin of the server", r.User)
		return nil
	}
	return r.do("admin", func() error {
		if err := r.As.MakeAdmin(ctx, r.User); err != nil {
			return r.failed("admin", "make "+r.User+" an admin", "update on the user "+r.User, err)
		}
		if r.admin, err = r.isAdmin(ctx); err == nil && !r.admin {
			return &Error{Step: "admin", What: "the server took it, and " + r.User + " is no admin", Err: chef.ErrNotTaken}
		}
		return err
	}, "%s becomes an admin of the server, which has no groups", r.User)
}

func (r *run) isAdmin(ctx context.Context) (bool, error) {
	u, err := r.As.GetUser(ctx, r.User)
	if r.DryRun && chef.IsNotFound(err) {
		return false, nil // it would be there by now
	}
	return u.Admin, r.failed("admin", "look at the user "+r.User, "read on the user "+r.User, err)
}

// without returns the names of a that b lacks.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
}

// some names the first of many.
func some(names []string) string {
	const most = 8
	out := ""
	for i, name := range names {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", out, len(names)-most)
		case i > 0:
			out += ", "
		}
		out += name
	}
	if out == "" {
		return "none"
	}
	return out
}
