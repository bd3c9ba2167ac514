package kinds

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// superuser is in every organization without being a member. Each server has its
// own, so what it may do is never copied.
const superuser = "pivotal"

// hidden matches the names of the groups that a server makes for each user of an
// organization: the user's id on that server. Through it a user is in the group
// users, so that a member list with another server's ids shuts everybody out.
var hidden = regexp.MustCompile(`^[0-9a-f]{32}$`)

// isOwnGroup reports whether a group is the server's own and means nothing on
// another: the hidden group of a user, or one of the whole server ("::name").
func isOwnGroup(name string) bool { return hidden.MatchString(name) || strings.Contains(name, "::") }

// Actors returns who may be named on the replica: the users of the organization
// (not the superuser), its clients and its groups. It asks once.
func (r *Replica) Actors(ctx context.Context) (*Actors, error) {
	return r.actors.get(func() (*Actors, error) {
		users, err := r.Client.ListMembers(ctx)
		if err != nil {
			return nil, err
		}
		clients, err := r.Client.ListClients(ctx)
		if err != nil {
			return nil, err
		}
		groups, err := r.Client.ListGroups(ctx)
		if err != nil {
			return nil, err
		}
		return &Actors{Users: setOf(users), Clients: setOf(clients), Groups: setOf(groups)}, nil
	})
}

func setOf(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

// sorted returns names in order, each once; never nil.
func sorted(names []string) []string {
	out := append([]string{}, names...)
	slices.Sort(out)
	return slices.Compact(out)
}

// only returns the names for which keep is true.
func only(names []string, keep func(string) bool) []string {
	out := []string{}
	for _, n := range names {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

// without returns the names for which drop is false.
func without(names []string, drop func(string) bool) []string {
	return only(names, func(n string) bool { return !drop(n) })
}

// lacking are the words of [Adapted.Left] for what a replica has not got.
type lacking []string

// present returns those of names that the replica has, and notes the others.
func (l *lacking) present(noun string, names []string, has map[string]bool) []string {
	return only(names, func(n string) bool {
		if !has[n] {
			*l = append(*l, noun+" "+n+" is not on the replica")
		}
		return has[n]
	})
}
