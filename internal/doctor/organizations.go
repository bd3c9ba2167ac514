package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
)

// superuser is the one whom no organization has and every one obeys.
const superuser = "pivotal"

// organization looks whether there is one of that name.
func organization(ctx context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	if !s.HasOrganizations {
		return fine("%s has no organizations, its API is at the root", s.URL)
	}
	c, err := s.client()
	if err != nil {
		return skipped("see key")
	}
	org, err := s.within(c, at).GetOrganization(ctx)
	switch {
	case err == nil && at.side == Replica && org.GUID != "" && org.GUID == x.guid(ctx, subject{side: Primary, pair: at.pair}):
		return x.sameOrganization(ctx, org.GUID)
	case err == nil, errors.Is(err, chef.ErrNotMember), chef.Classify(err) == chef.ClassObject:
		return fine("%s has it", s.URL)
	case errors.Is(err, chef.ErrOrgNotFound):
		return failed(fmt.Sprintf("chef-server-ctl org-create %s 'FULL NAME'    # on the %s; or correct organizations in %s", at.organization(), at.side, x.File),
			"%s has no organization %s", s.URL, at.organization())
	}
	return failed(chef.Hint(err), "%v", err)
}

// lists are where the objects of each kind are listed; kinds that are parts of
// others are reached through those.
var lists = map[object.Kind]string{
	object.KindCookbook: "cookbooks", object.KindArtifact: "cookbook_artifacts", object.KindDataBag: "data",
	object.KindRole: "roles", object.KindEnvironment: "environments", object.KindPolicy: "policies",
	object.KindPolicyGroup: "policy_groups", object.KindClient: "clients", object.KindGroup: "groups",
	object.KindContainer: "containers", object.KindNode: "nodes",
}

// rights looks whether the user may do in an organization what its side asks for:
// read on the primary, write on the replica.
func rights(ctx context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	base, err := s.client()
	if err != nil {
		return skipped("see key")
	}
	c := s.within(base, at)
	scope := x.Config.Settings(*at.pair).Scope
	refused, lacking, err := listAll(ctx, c, scope)
	join := fmt.Sprintf("chef-sync-ctl prepare-org %s    # on the %s", at.organization(), at.side)
	switch {
	case errors.Is(err, chef.ErrOrgNotFound):
		return skipped("there is no such organization: see organization")
	case errors.Is(err, chef.ErrNotMember):
		return failed(join, "%s is no member", s.User)
	case err != nil:
		return failed(chef.Hint(err), "%v", err)
	case len(refused) > 0:
		return failed(join, "%s may not list %s", s.User, strings.Join(refused, ", "))
	}
	also := ""
	if len(lacking) > 0 {
		also = "; this server cannot hold " + strings.Join(lacking, ", ") + ", which are left out"
	}
	admin, err := isAdmin(ctx, c, s.User)
	if err != nil {
		return failed(chef.Hint(err), "find out whether %s is an admin: %v", s.User, err)
	}
	if admin {
		return fine("%s is an admin%s", s.User, also)
	}
	if at.side == Replica {
		return append(mayWrite(ctx, c, join), wantsAdmin(scope, s.User, join)...)
	}
	if found := wantsAdmin(scope, s.User, join); found != nil {
		return found
	}
	return fine("%s may list everything%s; it is no admin, and may not read an object whose own ACL keeps it out", s.User, also)
}

// listAll asks for the list of each kind of a scope, and returns those that are
// refused and those that the server does not know.
func listAll(ctx context.Context, c *chef.Client, scope object.Scope) (refused, lacking []string, err error) {
	for _, k := range scope.InOrder() {
		word, ok := lists[k]
		if !ok {
			continue
		}
		_, err := c.Do(ctx, http.MethodGet, "/"+word, nil, nil)
		var api *chef.APIError
		switch {
		case err == nil:
		case errors.Is(err, chef.ErrNotMember), errors.Is(err, chef.ErrOrgNotFound):
			return nil, nil, err
		case errors.As(err, &api) && api.Status == http.StatusForbidden && chef.Classify(err) == chef.ClassObject:
			refused = append(refused, word)
		default:
			holds, supportsErr := c.Supports(ctx, word)
			if supportsErr != nil || holds {
				return nil, nil, err
			}
			lacking = append(lacking, word)
		}
	}
	return refused, lacking, nil
}

// isAdmin reports whether a user belongs to the group admins, itself or through a
// group in it. A server without groups has no admins.
func isAdmin(ctx context.Context, c *chef.Client, name string) (bool, error) {
	if name == superuser {
		return true, nil
	}
	if has, err := c.Supports(ctx, "groups"); err != nil || !has {
		return false, err
	}
	admins, err := c.GetGroup(ctx, "admins")
	if chef.Classify(err) == chef.ClassObject { // whoever is one may read it
		return false, nil
	}
	if err != nil {
		return false, err
	}
	in := func(g chef.Group) bool { return slices.Contains(g.Users, name) || slices.Contains(g.Clients, name) }
	if in(admins) {
		return true, nil
	}
	for _, inner := range admins.Groups {
		g, err := c.GetGroup(ctx, inner)
		if err == nil && in(g) {
			return true, nil
		}
		if err != nil && chef.Classify(err) != chef.ClassObject {
			return false, err
		}
	}
	return false, nil
}

// wantsAdmin is the failure of a scope that only an admin can copy; nil for
// others.
func wantsAdmin(scope object.Scope, name, fix string) []Finding {
	var only []string
	for _, k := range []object.Kind{object.KindClient, object.KindGroup, object.KindContainer, object.KindACL, object.KindOrganization} {
		if scope.HasKind(k) {
			only = append(only, string(k))
		}
	}
	if only == nil {
		return nil
	}
	return failed(fix, "%s is no admin, and only an admin can copy objects of kind %s", name, strings.Join(only, ", "))
}

// emptyFile is the MD5 of no bytes, the one file that every server may be asked
// about.
const emptyFile = "d41d8cd98f00b204e9800998ecf8427e"

// mayWrite asks the replica which files it lacks. Opening such a sandbox is the
// one write that changes nothing: it is forgotten if nobody goes on with it.
func mayWrite(ctx context.Context, c *chef.Client, fix string) []Finding {
	_, err := c.CreateSandbox(ctx, []string{emptyFile})
	switch {
	case err == nil:
		return warning(fix, "%s may write, and is no admin (or this server has none): some objects may be refused", c.User())
	case chef.Classify(err) == chef.ClassObject:
		return failed(fix, "%s may not write: %v", c.User(), err)
	}
	return failed(chef.Hint(err), "%v", err)
}

// changes looks which feed a pair has.
func changes(ctx context.Context, x *exam, at subject) []Finding {
	s := x.sides[Primary]
	base, err := s.client()
	if err != nil {
		return skipped("see key")
	}
	listing := fmt.Sprintf("lists are compared every %s, and contents every %s", x.Config.PollInterval, x.Config.DeepInterval)
	if x.Config.Feed == config.FeedListing {
		return fine("feed :listing: %s", listing)
	}
	got, err := s.within(base, at).UpdatedSince(ctx, 0, chef.UpdatedSinceOptions{Limit: 1})
	switch {
	case errors.Is(err, chef.ErrNoFeed) && x.Config.Feed == config.FeedAuto:
		return fine("the primary has no updated_since: %s", listing)
	case errors.Is(err, chef.ErrNoFeed):
		return failed("feed :auto in "+x.File+"    # or a feed server: chef-sync-ctl reconfigure on the primary",
			"feed :updated_since, and the primary has none")
	case errors.Is(err, chef.ErrOrgNotFound), errors.Is(err, chef.ErrNotMember):
		return skipped("there is no such organization, or %s is no member: see organization and rights", s.User)
	case err != nil:
		fix := chef.Hint(err)
		if chef.Classify(err) == chef.ClassObject {
			fix = "chef-sync-ctl doctor --only allow    # on the primary"
		}
		return failed(fix, "%v", err)
	}
	if k := unheard(x.Config.Settings(*at.pair).Scope); k != nil && got.Epoch != "" {
		return warning("feed :listing in "+x.File+", or verify_at and verify --repair",
			"updated_since answers, and tells nothing of objects of kind %s", strings.Join(k, ", "))
	}
	return fine("updated_since answers%s", serverOf(got))
}

// unheard are the kinds of a scope of whose changes a feed server tells nothing.
func unheard(scope object.Scope) []string {
	var out []string
	for _, k := range []object.Kind{object.KindACL, object.KindGroup} {
		if scope.HasKind(k) {
			out = append(out, string(k))
		}
	}
	return out
}

// serverOf says in words what serves a feed.
func serverOf(got *chef.UpdatedSince) string {
	switch {
	case got.Epoch == "":
		return ", as it was documented: a restored backup is recognized by the numbers alone"
	case got.HasHead:
		return fmt.Sprintf(", up to number %d", got.Head)
	}
	return ""
}
