package kinds

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// The groups of every organization.
const (
	groupAdmins     = "admins"
	groupBilling    = "billing-admins"
	groupClients    = "clients"
	groupKeyReaders = "public_key_read_access"
)

// defaultGroups are in every organization and never deleted: all rights of a new
// organization come from them.
var defaultGroups = []string{groupAdmins, groupBilling, groupClients, "users", groupKeyReaders}

// groups is the handler of groups with their members. The hidden groups of users
// are neither listed nor copied nor taken away: see [hidden]. What the replica
// should hold of a group is in Adapt.
type groups struct{}

// groupBody is a group as it is staged: without what is the server's own.
type groupBody struct {
	Name    string   `json:"name"`
	Users   []string `json:"users"`
	Clients []string `json:"clients"`
	Groups  []string `json:"groups"`
}

func (groups) Kind() object.Kind { return object.KindGroup }

func (groups) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	return c.Supports(ctx, "groups")
}

func (groups) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	names, err := c.ListGroups(ctx)
	if err != nil {
		return nil, err
	}
	return listedAll(object.KindGroup, without(names, isOwnGroup))
}

func (groups) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	g, err := c.GetGroup(ctx, ref.Name)
	if err != nil {
		return Object{}, err
	}
	return document(ref, groupBody{
		Name: ref.Name, Users: sorted(g.Users), Clients: sorted(g.Clients), Groups: sorted(without(g.Groups, isOwnGroup)),
	})
}

// Create makes the group and then gives it its members, which servers do not do
// at one stroke. A crash in between leaves an empty group.
func (h groups) Create(ctx context.Context, c *chef.Client, o Object) error {
	if err := c.CreateGroup(ctx, o.Ref.Name); err != nil {
		return err
	}
	return h.Update(ctx, c, o, Object{})
}

// Update reads the group, replaces its members but for those that are the
// server's own, and reads it again: the server's word for what it did is worth
// nothing. A nested group that does not exist yet is made, empty; its members
// come with itself. Returns [chef.ErrNotTaken] if names are missing in the end.
//
// Somebody who joins the organization between the first reading and the write is
// taken out of the group users with it. That is the time of one request, and only
// if the group users is to be changed at all.
func (groups) Update(ctx context.Context, c *chef.Client, o, _ Object) error {
	var body groupBody
	if err := undocument(o, &body); err != nil {
		return err
	}
	now, err := c.GetGroup(ctx, o.Ref.Name)
	if err != nil {
		return err
	}
	want := withOwn(body, now, c)
	for try := 1; ; try++ {
		if missed(want, now) == "" {
			return nil
		}
		if err := c.UpdateGroup(ctx, want); err != nil {
			return err
		}
		if now, err = c.GetGroup(ctx, o.Ref.Name); err != nil {
			return err
		}
		absent := without(want.Groups, func(n string) bool { return slices.Contains(now.Groups, n) })
		if len(absent) == 0 || try == 2 {
			break
		}
		for _, name := range absent {
			if err := c.CreateGroup(ctx, name); err != nil && !chef.IsConflict(err) {
				return fmt.Errorf("make group %s, which %s holds: %w", name, o.Ref, err)
			}
		}
	}
	if what := missed(want, now); what != "" {
		return fmt.Errorf("put %s: %w: %s", o.Ref, chef.ErrNotTaken, what)
	}
	return nil
}

// withOwn adds to a group what is the server's own and in it now: the hidden
// groups, the superuser, the organization's validator, and whom we sign as.
func withOwn(body groupBody, now chef.Group, c *chef.Client) chef.Group {
	return chef.Group{
		Name:    body.Name,
		Users:   sorted(append(body.Users, only(now.Users, func(n string) bool { return isOwnUser(c, n) })...)),
		Clients: sorted(append(body.Clients, only(now.Clients, func(n string) bool { return isOwnClient(c, n) })...)),
		Groups:  sorted(append(body.Groups, only(now.Groups, isOwnGroup)...)),
	}
}

func isOwnUser(c *chef.Client, name string) bool { return name == superuser || name == c.User() }

func isOwnClient(c *chef.Client, name string) bool {
	return name == c.User() || c.Organization() != "" && name == c.Organization()+validatorSuffix
}

// validatorSuffix ends the name of the client that a server makes with each
// organization.
const validatorSuffix = "-validator"

// missed says in which members two groups differ; "" if in none.
func missed(want, have chef.Group) string {
	var words []string
	for _, l := range []struct {
		noun       string
		want, have []string
	}{{"user", want.Users, have.Users}, {"client", want.Clients, have.Clients}, {"group", want.Groups, have.Groups}} {
		for _, n := range sorted(l.want) {
			if !slices.Contains(l.have, n) {
				words = append(words, l.noun+" "+n+" is not in it")
			}
		}
		for _, n := range sorted(l.have) {
			if !slices.Contains(l.want, n) {
				words = append(words, l.noun+" "+n+" still is in it")
			}
		}
	}
	if more := len(words) - 5; more > 0 {
		words = append(words[:5], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}

// holdsSigner reports whether whom we sign as is in a group, or in one that is in
// it: the right to write may come from there. What comes from a group of every
// organization stays with that.
func holdsSigner(ctx context.Context, c *chef.Client, g chef.Group, seen map[string]bool) (bool, error) {
	if slices.Contains(g.Users, c.User()) || slices.Contains(g.Clients, c.User()) {
		return true, nil
	}
	for _, name := range without(g.Groups, isOwnGroup) {
		if seen[name] || slices.Contains(defaultGroups, name) {
			continue
		}
		seen[name] = true
		nested, err := c.GetGroup(ctx, name)
		if err != nil && !chef.IsNotFound(err) {
			return false, err
		}
		if yes, err := holdsSigner(ctx, c, nested, seen); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}

// Delete never deletes a group of every organization, nor one that holds whom we
// sign as, see [holdsSigner].
func (groups) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	if slices.Contains(defaultGroups, ref.Name) || isOwnGroup(ref.Name) {
		return fmt.Errorf("delete %s: %w", ref, ErrNeeded)
	}
	g, err := c.GetGroup(ctx, ref.Name)
	if err != nil {
		return err
	}
	holds, err := holdsSigner(ctx, c, g, map[string]bool{ref.Name: true})
	if err != nil {
		return err
	}
	if holds {
		return fmt.Errorf("delete %s: %w: it holds %s, whom chef-sync signs as", ref, chef.ErrInvalid, c.User())
	}
	return c.DeleteGroup(ctx, ref.Name)
}
