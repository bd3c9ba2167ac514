package chefserver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrExists is wrapped by the errors for something that is there already.
var ErrExists = errors.New("already exists")

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// PivotalKeyPEM returns the private key of the superuser pivotal.
func (s *Server) PivotalKeyPEM() []byte { return []byte(privatePEM(s.pivotal)) }

// CreateOrganization creates an organization and returns the private key of its
// client NAME-validator. It returns an error wrapping ErrExists if there is one
// of that name, and others for an illegal name or a failed key generation.
func (s *Server) CreateOrganization(name, fullName string) ([]byte, error) {
	if !reOrg.MatchString(name) || !reFullName.MatchString(fullName) {
		return nil, fmt.Errorf("organization %q, %q: illegal name", name, fullName)
	}
	o, priv, err := s.prepareOrganization(name, fullName)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orgs[name] != nil {
		return nil, fmt.Errorf("organization %q: %w", name, ErrExists)
	}
	s.orgs[name] = o
	return []byte(priv), nil
}

// prepareOrganization makes an organization with its validator, without adding
// it to the server. It takes as long as generating a key does.
func (s *Server) prepareOrganization(name, fullName string) (*organization, string, error) {
	k, err := s.opts.GenerateKey()
	if err != nil {
		return nil, "", fmt.Errorf("organization %q: generate the validator's key: %w", name, err)
	}
	o := newOrganization(name, fullName, s.superuser)
	v := &client{name: name + "-validator", authzID: newGUID(), validator: true, keys: keyring{
		{name: "default", pem: publicPEM(&k.PublicKey), pub: &k.PublicKey},
	}}
	o.addClient(v)
	o.enroll(v)
	o.feed = newFeedLog() // What every organization has is not in the feed.
	return o, privatePEM(k), nil
}

// RecreateOrganization deletes the organization and creates an empty one of the
// same name, with another GUID, as an administrator may do behind a
// replicator's back. Its members and admins are those of the old one; groups and
// ACLs are those of a fresh organization. It returns the new validator's key.
func (s *Server) RecreateOrganization(name string) ([]byte, error) {
	o, priv, err := s.prepareOrganization(name, name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.orgs[name]
	if old == nil {
		return nil, noOrganization(name)
	}
	o.fullName, o.members = old.fullName, old.members
	old.mu.RLock()
	defer old.mu.RUnlock()
	for name := range old.members {
		u := s.users[name]
		o.join(u)
		o.setAdmin(u, old.isAdmin(u))
	}
	o.feed = newFeedLog()
	s.orgs[name] = o
	return []byte(priv), nil
}

// OrganizationGUID returns the organization's GUID, 32 hex digits.
func (s *Server) OrganizationGUID(name string) (string, error) {
	o := s.organization(name)
	if o == nil {
		return "", noOrganization(name)
	}
	return o.guid, nil
}

// CreateUser creates a user with the public key (PEM) as its key default. The
// user belongs to no organization yet. It returns an error wrapping ErrExists if
// the name is taken, and others for an illegal name or key.
func (s *Server) CreateUser(name string, publicKeyPEM []byte) error {
	if !reUser.MatchString(name) {
		return fmt.Errorf("user %q: illegal name", name)
	}
	pub, text, err := parsePublicKey(string(publicKeyPEM))
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	u := newUser(name, newObject("username", name, "email", name+"@example.com", "display_name", name))
	u.keys = keyring{{name: "default", pem: text, pub: pub}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[name] != nil {
		return fmt.Errorf("user %q: %w", name, ErrExists)
	}
	s.addUser(u)
	return nil
}

// AddMember makes the user a member of the organization, and a member of its
// group admins or not. It may be called again to change that. It does not give
// back to a member the rights that a change of the group users took.
func (s *Server) AddMember(org, user string, admin bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[org]
	if o == nil {
		return noOrganization(org)
	}
	u := s.users[user]
	if u == nil {
		return fmt.Errorf("user %q: no such user", user)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.members[user] {
		o.join(u)
	}
	o.setAdmin(u, admin)
	return nil
}

// inOrg calls do with the organization locked for writing.
func (s *Server) inOrg(name string, do func(*organization)) error {
	o := s.organization(name)
	if o == nil {
		return noOrganization(name)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	do(o)
	return nil
}

// DropBlob loses a file from the file store. The database keeps its row, so no
// sandbox asks for the file again.
func (s *Server) DropBlob(org, md5 string) error {
	return s.inOrg(org, func(o *organization) { o.files.drop(md5) })
}

// CorruptBlob changes the content of a stored file and leaves its name. It does
// nothing when the file is not stored.
func (s *Server) CorruptBlob(org, md5 string) error {
	return s.inOrg(org, func(o *organization) {
		if data, ok := o.files.get(md5); ok {
			o.files.put(md5, append(slices.Clone(data), "\nnot what it was\n"...))
		}
	})
}

// CleanUpBlobs removes the files that a failed update has unregistered, as the
// file store does after a while, and returns how many it removed.
func (s *Server) CleanUpBlobs(org string) (int, error) {
	n := 0
	err := s.inOrg(org, func(o *organization) { n = o.files.cleanUp() })
	return n, err
}

// PruneFeed forgets the tombstones of the organization's feed and returns how
// many there were. A cursor before the last of them is answered 410 from now on.
func (s *Server) PruneFeed(org string) (int, error) {
	n := 0
	err := s.inOrg(org, func(o *organization) { n = o.feed.prune() })
	return n, err
}

// RenewFeedEpoch gives the organization's feed another epoch, as a server does
// that was restored from a backup. Ids go on rising.
func (s *Server) RenewFeedEpoch(org string) error {
	return s.inOrg(org, func(o *organization) { o.feed.epoch = newGUID() })
}

// FeedHead returns the highest id of the organization's feed. Ids are counted
// whether or not the feed is switched on.
func (s *Server) FeedHead(org string) (int64, error) {
	var head int64
	err := s.inOrg(org, func(o *organization) { head = o.feed.head })
	return head, err
}

func (s *Server) organizationByGUID(guid string) *organization {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, o := range s.orgs {
		if o.guid == guid {
			return o
		}
	}
	return nil
}

// lower is for e-mail addresses, which erchef compares without regard to case.
func lower(v any) string {
	s, _ := v.(string)
	return strings.ToLower(s)
}
