package kinds

import (
	"context"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Adapt makes of the primary's ACL the one that the replica should hold:
//
//	in a permission                       on the replica
//	known user, client or group           as on the primary
//	unknown that is replicated            left out until it has come
//	unknown                               left out, and said; the server would refuse it
//	superuser, whom we sign as            as it is
//	hidden group of a user                as it is
//	group admins in grant                 stays if it is there: only the superuser may take it out
//
// If a group loses a permission and we are not named in it, we are: we may have
// had it through the group, as an admin has the right to create roles. And if
// nobody could grant any more, who can now still can.
func (acls) Adapt(ctx context.Context, r *Replica, src, held Object) (Adapted, error) {
	var from, have chef.ACL
	if err := undocument(src, &from); err != nil {
		return Adapted{}, err
	}
	if held.Raw != nil {
		if err := undocument(held, &have); err != nil {
			return Adapted{}, err
		}
	}
	actors, err := r.Actors(ctx)
	if err != nil {
		return Adapted{}, err
	}
	a := aclAdapter{actors: actors, user: r.Client.User(), lacks: lacking{scope: r.Scope}}
	want := eachAllowed(from, func(_ chef.Permission, f chef.Allowed) chef.Allowed { return a.known(f) })
	if held.Raw != nil {
		want = eachAllowed(want, func(p chef.Permission, w chef.Allowed) chef.Allowed { return a.kept(p, w, have[p]) })
	}
	out := Adapted{Held: held.Digest, Left: sorted(a.lacks.left), Waits: sorted(a.lacks.waits)}
	out.Want, err = document(src.Ref, want)
	return out, err
}

// aclAdapter is the state of one Adapt.
type aclAdapter struct {
	actors *Actors
	user   string // whom we sign as: a user or a client
	lacks  lacking
}

func (a *aclAdapter) ownUser(n string) bool   { return n == superuser || n == a.user }
func (a *aclAdapter) ownClient(n string) bool { return n == a.user }

// known returns those whom the replica has, without what is a server's own.
func (a *aclAdapter) known(f chef.Allowed) chef.Allowed {
	return chef.Allowed{
		Users:   a.lacks.present(kindUser, without(f.Users, a.ownUser), a.actors.Users),
		Clients: a.lacks.present(object.KindClient, without(f.Clients, a.ownClient), a.actors.Clients),
		Groups:  a.lacks.present(object.KindGroup, without(f.Groups, isOwnGroup), a.actors.Groups),
	}
}

// kept adds to a permission what has to stay of the one that the replica has.
func (a *aclAdapter) kept(p chef.Permission, w, have chef.Allowed) chef.Allowed {
	w.Users = append(w.Users, only(have.Users, a.ownUser)...)
	w.Clients = append(w.Clients, only(have.Clients, a.ownClient)...)
	w.Groups = append(w.Groups, only(have.Groups, isOwnGroup)...)
	if p == chef.Grant {
		w = a.keptGrant(w, have)
	}
	lost := without(have.Groups, func(g string) bool { return slices.Contains(w.Groups, g) })
	named := slices.Contains(w.Users, a.user) || slices.Contains(w.Clients, a.user)
	switch {
	case len(lost) == 0 || named:
	case a.actors.Users[a.user]:
		w.Users = append(w.Users, a.user)
	case a.actors.Clients[a.user]:
		w.Clients = append(w.Clients, a.user)
	}
	return w
}

// keptGrant is kept for the permission to change the ACL itself.
func (a *aclAdapter) keptGrant(w, have chef.Allowed) chef.Allowed {
	if slices.Contains(w.Groups, groupAdmins) {
		return w
	}
	if slices.Contains(have.Groups, groupAdmins) {
		w.Groups = append(w.Groups, groupAdmins)
		a.lacks.say("the group admins keeps the right to grant on the replica: only the superuser may take it away")
		return w
	}
	if len(without(w.Users, a.ownUser))+len(without(w.Clients, a.ownClient)) == 0 && !sameAllowed(w, have) {
		a.lacks.say("who may grant on the replica stays: it has nobody who may on the primary")
		return have
	}
	return w
}
