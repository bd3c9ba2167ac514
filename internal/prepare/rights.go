package prepare

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// content are the containers of what is replicated by default.
var content = []string{"cookbooks", "roles", "environments", "data", "cookbook_artifacts", "policies", "policy_groups"}

// rights tries, as the user, to read a list of each kind of content, and looks
// whether it may create some where it writes. Nothing is written.
func (r *run) rights(ctx context.Context) error {
	if r.DryRun && r.out.Changed() {
		r.step("rights", StateWould, "what %s may do is tried", r.User)
		return nil
	}
	var have []string
	for _, kind := range content {
		ok, err := r.reads(ctx, kind)
		if err != nil {
			return err
		}
		if ok {
			have = append(have, kind)
		}
	}
	if r.Writes && !r.flat() {
		for _, kind := range append(have, "sandboxes") {
			if err := r.creates(ctx, kind); err != nil {
				return err
			}
		}
	}
	may := "may read"
	if r.Writes {
		may = "may read and create"
	}
	if len(r.out.Lacks) > 0 {
		r.step("rights", StateLacks, "%s lacks %s", r.User, strings.Join(r.out.Lacks, "; "))
		return nil
	}
	r.step("rights", StateFound, "%s %s %s", r.User, may, strings.Join(have, ", "))
	return nil
}

// reads reports whether the server has a kind, and notes it if the user may not
// list it.
func (r *run) reads(ctx context.Context, kind string) (bool, error) {
	_, err := r.own.Do(ctx, http.MethodGet, "/"+kind, nil, nil)
	switch {
	case err == nil:
		return true, nil
	case lacks(err):
		r.lack("read on the container %s", kind)
		return true, nil
	}
	has, probeErr := r.own.Supports(ctx, kind)
	if probeErr != nil {
		return false, r.failed("rights", "list "+kind+" as "+r.User, "", err)
	}
	return has, nil
}

// creates notes it if nothing in the ACL of a container lets the user create
// something of the kind.
func (r *run) creates(ctx context.Context, kind string) error {
	acl, err := r.own.GetACL(ctx, "containers", kind)
	if lacks(err) && !r.alone() { // who makes users and admins sees more
		acl, err = r.As.GetACL(ctx, "containers", kind)
	}
	switch {
	case lacks(err):
		r.lack("grant on the container %s", kind)
		return nil
	case chef.IsNotFound(err):
		r.lack("create on the container %s, which does not exist", kind)
		return nil
	case errors.Is(err, chef.ErrPlainACL):
		return nil // too old to tell; writing will
	case err != nil:
		return r.failed("rights", "read the ACL of the container "+kind+" as "+r.User, "", err)
	}
	create := acl["create"]
	if slices.Contains(create.Users, r.User) || r.admin && slices.Contains(create.Groups, groupAdmins) ||
		slices.Contains(create.Groups, "users") {
		return nil
	}
	in, unseen, err := r.within(ctx, create.Groups)
	switch {
	case err != nil:
		return err
	case in:
	case len(unseen) > 0:
		r.lack("create on the container %s, unless by a group whose members cannot be seen (%s)", kind, some(unseen))
	default:
		r.lack("create on the container %s", kind)
	}
	return nil
}

// within reports whether the user is in one of some groups, or in a group that one of
// them contains, and which of them may not be read.
func (r *run) within(ctx context.Context, groups []string) (in bool, unseen []string, err error) {
	asked := map[string]bool{}
	for ask := slices.Clone(groups); len(ask) > 0; ask = ask[1:] {
		name := ask[0]
		if asked[name] {
			continue
		}
		asked[name] = true
		g, err := r.As.GetGroup(ctx, name)
		if lacks(err) && !r.alone() {
			g, err = r.own.GetGroup(ctx, name)
		}
		switch {
		case lacks(err):
			unseen = append(unseen, name)
		case chef.IsNotFound(err): // deleted since
		case err != nil:
			return false, nil, r.failed("rights", "read the group "+name, "", err)
		case slices.Contains(g.Users, r.User):
			return true, nil, nil
		default:
			ask = append(ask, g.Groups...)
		}
	}
	return false, unseen, nil
}

func (r *run) lack(format string, args ...any) {
	r.out.Lacks = append(r.out.Lacks, fmt.Sprintf(format, args...))
}
