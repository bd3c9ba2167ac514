package kinds

import (
	"context"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Adapt makes of the primary's group the one that the replica should hold:
//
//	member                                     on the replica
//	known there                                as on the primary
//	unknown user                               left out, and said
//	unknown client that is replicated          left out until it has come
//	unknown client that is not                 left out, and said
//	unknown group that is replicated           as on the primary; Update makes it
//	unknown group that is not                  left out, and said
//	superuser, whom we sign as, validator      as it is
//	hidden group of a user                     as it is; not compared
//	client that the pair's filters leave out   stays if it is in
//	any client, of the group clients, if the
//	  pair replicates no clients               as it is
//
// The group admins never ends without a user, and where we are no direct member
// of it, it keeps its groups: one of them may be why we may write. For the same
// reason every group keeps the group through which we are in it.
func (groups) Adapt(ctx context.Context, r *Replica, src, held Object) (Adapted, error) {
	var from, have groupBody
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
	a := groupAdapter{r: r, actors: actors, from: from, have: have, lacks: lacking{scope: r.Scope}}
	want := groupBody{Name: from.Name, Users: sorted(a.users()), Clients: sorted(a.clients()), Groups: sorted(a.groups())}
	if from.Name == groupAdmins {
		a.admins(&want)
	}
	if err := a.keepsSigner(ctx, &want); err != nil {
		return Adapted{}, err
	}
	out := Adapted{Held: held.Digest, Left: sorted(a.lacks.left), Waits: sorted(a.lacks.waits)}
	out.Want, err = document(src.Ref, want)
	return out, err
}

// groupAdapter is the state of one Adapt.
type groupAdapter struct {
	r          *Replica
	actors     *Actors
	from, have groupBody
	lacks      lacking
}

func (a *groupAdapter) users() []string {
	own := func(n string) bool { return isOwnUser(a.r.Client, n) }
	return append(a.lacks.present(kindUser, without(a.from.Users, own), a.actors.Users), only(a.have.Users, own)...)
}

func (a *groupAdapter) clients() []string {
	replicated := a.r.Scope.HasKind(object.KindClient)
	if a.from.Name == groupClients && !replicated {
		return a.have.Clients
	}
	own := func(n string) bool { return a.foreign(n) || isOwnClient(a.r.Client, n) }
	stays := func(n string) bool {
		return own(n) || replicated && !a.r.Scope.Has(object.NewRef(object.KindClient, n))
	}
	return append(a.lacks.present(object.KindClient, without(a.from.Clients, own), a.actors.Clients), only(a.have.Clients, stays)...)
}

// foreign reports whether a client is the validator of the primary's organization,
// which has another name: like the replica's it is never replicated.
func (a *groupAdapter) foreign(client string) bool {
	excluded := object.Scope{Kinds: []object.Kind{object.KindClient}, Exclude: a.r.Scope.Exclude}
	return strings.HasSuffix(client, validatorSuffix) && !excluded.Has(object.NewRef(object.KindClient, client))
}

func (a *groupAdapter) groups() []string {
	has := func(n string) bool {
		return a.actors.Groups[n] || a.r.Scope.Has(object.NewRef(object.KindGroup, n))
	}
	known := map[string]bool{}
	for _, n := range a.from.Groups {
		known[n] = has(n)
	}
	return a.lacks.present(object.KindGroup, a.from.Groups, known)
}

// keepsSigner keeps the groups through which we are in this one.
func (a *groupAdapter) keepsSigner(ctx context.Context, want *groupBody) error {
	c := a.r.Client
	if slices.Contains(want.Users, c.User()) || slices.Contains(want.Clients, c.User()) {
		return nil
	}
	for _, name := range without(a.have.Groups, func(n string) bool { return slices.Contains(want.Groups, n) }) {
		holds, err := holdsSigner(ctx, c, chef.Group{Groups: []string{name}}, map[string]bool{})
		if err != nil {
			return err
		}
		if holds {
			want.Groups = sorted(append(want.Groups, name))
			a.lacks.say("the group " + want.Name + " keeps the group " + name + " on the replica: " + c.User() + " is in it")
		}
	}
	return nil
}

// admins keeps somebody in the group admins.
func (a *groupAdapter) admins(want *groupBody) {
	own := func(n string) bool { return isOwnUser(a.r.Client, n) }
	if len(without(want.Users, own)) == 0 && len(without(a.have.Users, own)) > 0 {
		want.Users = a.have.Users
		a.lacks.say("the group admins keeps its users on the replica, which has none of the primary's")
	}
	user := a.r.Client.User()
	if slices.Contains(want.Users, user) || slices.Contains(want.Clients, user) {
		return
	}
	if groups := sorted(append(want.Groups, a.have.Groups...)); len(groups) > len(want.Groups) {
		want.Groups = groups
		a.lacks.say("the group admins keeps its groups on the replica: " + user + " may be an admin through one of them")
	}
}
