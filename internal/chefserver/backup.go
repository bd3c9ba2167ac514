package chefserver

import (
	"fmt"
	"maps"
	"slices"
)

// Backup is the state of an organization at one moment. See Server.Backup.
type Backup struct {
	org  *organization
	guid string
}

// Backup copies an organization: its content with groups and ACLs, its files and
// its change log, but not who belongs to it.
func (s *Server) Backup(org string) (*Backup, error) {
	var b *Backup
	err := s.inOrg(org, func(o *organization) { b = &Backup{org: o.copyContent(), guid: o.guid} })
	return b, err
}

// RestoreBackup puts the organization back into the state of the backup, as an
// administrator does who restores the server's database. All that was written
// since is gone, the ids of the feed begin again where they were, and the feed
// has another epoch. Who belongs to the organization still does: members keep
// the groups of their own, so whoever joined since has a member's rights. It
// returns an error if the backup is of another
// organization, or of one of the same name that was deleted since.
func (s *Server) RestoreBackup(org string, b *Backup) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[org]
	if o == nil {
		return noOrganization(org)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.guid != b.guid {
		return fmt.Errorf("organization %q: the backup is of organization %s", org, b.guid)
	}
	// Copied again, so that one backup can be restored twice.
	c := b.org.copyContent()
	o.access = c.access
	o.adopt(s.users)
	o.clients, o.roles, o.environments, o.bags = c.clients, c.roles, c.environments, c.bags
	o.cookbooks, o.sandboxes = c.cookbooks, c.sandboxes
	o.artifacts, o.policies, o.policyGroups, o.nodes = c.artifacts, c.policies, c.policyGroups, c.nodes
	o.files.restore(c.files)
	waiting := o.feed.grown
	o.feed = c.feed // With an epoch of its own, as every copy has.
	close(waiting)  // Long polls look again.
	return nil
}

// copyContent copies what o.mu guards. Documents and file contents are never
// changed in place, and so are shared. The copy's feed has another epoch.
func (o *organization) copyContent() *organization {
	c := &organization{
		clients: maps.Clone(o.clients), roles: maps.Clone(o.roles), environments: maps.Clone(o.environments),
		bags: cloneNested(o.bags), cookbooks: map[string]cookbook{}, sandboxes: maps.Clone(o.sandboxes),
		files: newFileStore(), feed: newFeedLog(), access: o.access.clone(),
	}
	c.artifacts, c.policies = cloneNested(o.artifacts), cloneNested(o.policies)
	c.policyGroups, c.nodes = cloneNested(o.policyGroups), maps.Clone(o.nodes)
	for name, versions := range o.cookbooks {
		c.cookbooks[name] = cookbook{}
		for n, v := range versions {
			d := *v
			d.links = slices.Clone(v.links)
			c.cookbooks[name][n] = &d
		}
	}
	c.files.restore(o.files)
	f := o.feed
	c.feed.head, c.feed.floor = f.head, f.floor
	c.feed.paths, c.feed.order = maps.Clone(f.paths), slices.Clone(f.order)
	return c
}

// cloneNested copies two levels of maps.
func cloneNested[V any](m map[string]map[string]V) map[string]map[string]V {
	out := make(map[string]map[string]V, len(m))
	for k, inner := range m {
		out[k] = maps.Clone(inner)
	}
	return out
}

// restore makes f a copy of from. Uploads under way end where they began.
func (f *fileStore) restore(from *fileStore) {
	from.mu.Lock()
	blobs, dying := maps.Clone(from.blobs), maps.Clone(from.dying)
	from.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows, f.blobs, f.dying = maps.Clone(from.rows), blobs, dying
}
