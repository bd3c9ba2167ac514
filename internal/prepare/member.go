package prepare

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// members makes the user a member of the organization: the superuser does it at
// once, an admin of the organization invites, and the user accepts.
func (r *run) members(ctx context.Context) error {
	if r.flat() {
		r.step("member", StateNone, "the server has no organizations: every user is a member")
		return nil
	}
	var err error
	if r.member, err = r.isMember(ctx); err != nil {
		return err
	}
	org := r.As.Organization()
	if r.member {
		r.step("member", StateFound, "%s is a member of %s", r.User, org)
		return nil
	}
	what := "%s becomes a member of %s"
	direct := false
	if !r.alone() {
		// What only the superuser and server admins may list, they may also do.
		_, err := r.As.ListUsers(ctx)
		if direct = err == nil; !direct && !lacks(err) {
			return r.failed("member", "list users", "", err)
		}
	}
	if !direct {
		what = "%s is invited into %s, and accepts"
	}
	if r.DryRun && r.alone() {
		if _, err := r.invitation(ctx); err != nil {
			return err
		}
	}
	return r.do("member", func() error { return r.join(ctx, direct) }, what, r.User, org)
}

// join makes the user a member, and reads back.
func (r *run) join(ctx context.Context, direct bool) error {
	var err error
	if direct {
		err = r.As.AddMember(ctx, r.User)
	}
	switch {
	case !direct, lacks(err): // a server admin may create users, and not associate them
		err = r.invite(ctx)
	case chef.IsConflict(err):
		err = nil
	case err != nil:
		err = r.failed("member", "add "+r.User+" to "+r.As.Organization(), "", err)
	}
	if err != nil {
		return err
	}
	if r.member, err = r.isMember(ctx); err == nil && !r.member {
		return &Error{Step: "member", What: fmt.Sprintf("the server said that %s joined %s, and does not list it", r.User, r.As.Organization())}
	}
	return err
}

// isMember looks the user up among the members.
func (r *run) isMember(ctx context.Context) (bool, error) {
	names, err := r.As.ListMembers(ctx)
	switch {
	case err == nil:
		return slices.Contains(names, r.User), nil
	case r.alone() && errors.Is(err, chef.ErrNotMember):
		return false, nil
	case r.alone() && lacks(err): // who is refused for a permission was let in
		return true, nil
	}
	return false, r.failed("member", "list the members of "+r.As.Organization(), "read on the organization "+r.As.Organization(), err)
}

// invite finds or makes an invitation, and accepts it as the user.
func (r *run) invite(ctx context.Context) error {
	i, err := r.invitation(ctx)
	if err != nil {
		return err
	}
	if err := r.own.AcceptInvitation(ctx, i.ID); err != nil {
		if lacks(err) {
			return &Error{Step: "member", What: fmt.Sprintf("the invitation into %s is not valid any more, because whoever sent it lost the right to: "+
				"have an admin of the organization take it back, and run this again", i.Organization), Try: []string{TryAdmin}, Err: err}
		}
		return r.failed("member", "accept the invitation into "+i.Organization+" as "+r.User, "", err)
	}
	return nil
}

// invitation returns the open one of the user, or makes it.
func (r *run) invitation(ctx context.Context) (chef.Invitation, error) {
	org := r.As.Organization()
	open, err := r.own.ListOwnInvitations(ctx)
	if err != nil {
		return chef.Invitation{}, r.failed("member", "list the invitations of "+r.User, "", err)
	}
	if n := slices.IndexFunc(open, func(i chef.Invitation) bool { return i.Organization == org }); n >= 0 {
		return open[n], nil
	}
	if r.alone() {
		return chef.Invitation{}, &Error{
			Step: "member", Try: []string{TryAdmin},
			What: fmt.Sprintf("%s is not a member of %s and was not invited, and there is nobody else to act as", r.User, org),
		}
	}
	i, err := r.As.Invite(ctx, r.User)
	return i, r.failed("member", "invite "+r.User+" into "+org, "update on the organization "+org, err)
}
