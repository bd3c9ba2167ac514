package kinds

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
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

// lacking is what a replica has not got: the words of [Adapted.Left], and
// [Adapted.Waits].
type lacking struct {
	scope       object.Scope
	left, waits []string
}

// say adds to the words.
func (l *lacking) say(text string) { l.left = append(l.left, text) }

// present returns those of names that the replica has, and notes the others.
func (l *lacking) present(kind object.Kind, names []string, has map[string]bool) []string {
	return only(names, func(n string) bool {
		switch ref := object.NewRef(kind, n); {
		case has[n]:
		case l.scope.Has(ref):
			l.waits = append(l.waits, ref.Path())
		default:
			l.say(string(kind) + " " + n + " is not on the replica")
		}
		return has[n]
	})
}

// kindUser is the noun for what no pair replicates.
const kindUser object.Kind = "user"
