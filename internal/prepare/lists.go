package prepare

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// hidden are the names of the groups that a server makes for each member.
var hidden = regexp.MustCompile(`^[0-9a-f]{32}$`)

// A Group is one of the organization, without the hidden ones of its members. The
// lists are sorted.
type Group struct {
	Name    string   `json:"name"`
	Users   []string `json:"users"`
	Clients []string `json:"clients"`
	Groups  []string `json:"groups"`
	Unread  bool     `json:"unread,omitempty"` // we may not see its members
}

// An Actor is somebody with rights on the organization itself.
type Actor struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`   // user, client or group
	Rights []string `json:"rights"` // of create, read, update, delete, grant
}

// lists collects what the organization has. What cannot be listed is noted, and no
// error: the work is done by then.
func (r *run) lists(ctx context.Context) error {
	if r.flat() {
		return r.flatActors(ctx)
	}
	if o, err := r.As.GetOrganization(ctx); err == nil {
		r.out.FullName, r.out.GUID = o.FullName, o.GUID
	}
	if names, err := r.As.ListMembers(ctx); err != nil {
		r.note("members", err)
	} else {
		r.out.Members = names
	}
	if err := r.groups(ctx); err != nil {
		r.note("groups", err)
	}
	acl, err := r.As.GetACL(ctx, "organizations", "")
	if err != nil {
		r.note("actors", err)
		return ctx.Err()
	}
	r.out.Actors = actorsOf(acl)
	return nil
}

func (r *run) note(what string, err error) {
	r.out.Notes = append(r.out.Notes, fmt.Sprintf("%s cannot be listed by %s: %v", what, r.As.User(), err))
}

func (r *run) groups(ctx context.Context) error {
	names, err := r.As.ListGroups(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if hidden.MatchString(name) {
			continue
		}
		g, err := r.As.GetGroup(ctx, name)
		switch {
		case lacks(err):
			r.out.Groups = append(r.out.Groups, Group{Name: name, Unread: true, Users: []string{}, Clients: []string{}, Groups: []string{}})
		case chef.IsNotFound(err): // deleted since
		case err != nil:
			return err
		default:
			visible := slices.DeleteFunc(slices.Clone(g.Groups), hidden.MatchString)
			r.out.Groups = append(r.out.Groups, Group{Name: name, Users: sorted(g.Users), Clients: sorted(g.Clients), Groups: sorted(visible)})
		}
	}
	return nil
}

func sorted(names []string) []string {
	out := append([]string{}, names...)
	slices.Sort(out)
	return out
}

// actorsOf turns an ACL, by permission, into a list of who has which.
func actorsOf(acl chef.ACL) []Actor {
	var out []Actor
	add := func(kind string, names []string, p chef.Permission) {
		for _, name := range names {
			n := slices.IndexFunc(out, func(a Actor) bool { return a.Kind == kind && a.Name == name })
			if n < 0 {
				n, out = len(out), append(out, Actor{Name: name, Kind: kind})
			}
			out[n].Rights = append(out[n].Rights, string(p))
		}
	}
	for _, p := range chef.Permissions() {
		add("user", acl[p].Users, p)
		add("client", acl[p].Clients, p)
		add("group", acl[p].Groups, p)
	}
	slices.SortFunc(out, func(a, b Actor) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return out
}

// flatActors lists the users of a server without organizations and whether they
// may write.
func (r *run) flatActors(ctx context.Context) error {
	names, err := r.As.ListUsers(ctx)
	if err != nil {
		r.note("users", err)
		return ctx.Err()
	}
	for _, name := range names {
		u, err := r.As.GetUser(ctx, name)
		if err != nil {
			r.note("user "+name, err)
			continue
		}
		a := Actor{Name: name, Kind: "user", Rights: []string{"read"}}
		if u.Admin {
			a.Rights = []string{"create", "read", "update", "delete", "grant"}
		}
		r.out.Actors = append(r.out.Actors, a)
	}
	return nil
}
