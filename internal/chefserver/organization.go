package chefserver

import (
	"bytes"
	"sync"
)

// organization is one organization with everything in it.
type organization struct {
	name string
	guid string

	// These are guarded by Server.mu.
	fullName string
	members  map[string]bool    // user names
	invites  map[string]*invite // by id

	// mu guards everything below.
	mu           sync.RWMutex
	access       *access // groups, containers, ACLs
	clients      map[string]*client
	roles        map[string]*document
	environments map[string]*document
	bags         map[string]map[string]*document // bag, item
	cookbooks    map[string]cookbook
	artifacts    map[string]map[string]*object   // name, identifier: the manifest
	policies     map[string]map[string]*document // policy, revision id
	policyGroups map[string]map[string]string    // group, policy: the revision id
	nodes        map[string]*document
	sandboxes    map[string][]string // id, checksums
	files        *fileStore
	feed         *feedLog
}

func newOrganization(name, fullName, superuser string) *organization {
	o := &organization{
		name: name, guid: newGUID(), fullName: fullName,
		members: map[string]bool{}, invites: map[string]*invite{},
		access:       newAccess(superuser),
		clients:      map[string]*client{},
		roles:        map[string]*document{},
		environments: map[string]*document{},
		bags:         map[string]map[string]*document{},
		cookbooks:    map[string]cookbook{},
		artifacts:    map[string]map[string]*object{},
		policies:     map[string]map[string]*document{},
		policyGroups: map[string]map[string]string{},
		nodes:        map[string]*document{},
		sandboxes:    map[string][]string{},
		files:        newFileStore(),
		feed:         newFeedLog(),
	}
	// The one environment of every organization. It is not in the feed: it was
	// there before the feed and cannot change.
	o.environments[defaultEnvironment] = newDocument(newObject(
		"name", defaultEnvironment,
		"description", "The default Chef environment",
		"cookbook_versions", newObject(),
		"json_class", "Chef::Environment",
		"chef_type", "environment",
		"default_attributes", newObject(),
		"override_attributes", newObject()))
	return o
}

// document is a stored JSON object. It is replaced, never changed.
type document struct {
	value *object
	body  []byte // as answered
	canon []byte // for comparison, keys sorted
}

func newDocument(o *object) *document {
	return &document{value: o, body: encode(o), canon: canonical(o)}
}

func (d *document) equal(e *document) bool { return bytes.Equal(d.canon, e.canon) }

// put stores a document under name and tells the feed, unless the very same is
// stored already: erchef does not write an unchanged object.
func (o *organization) put(m map[string]*document, name, path string, d *document) {
	old := m[name]
	if old != nil && old.equal(d) {
		return
	}
	m[name] = d
	if old == nil {
		o.feed.created(path)
	} else {
		o.feed.updated(path)
	}
}

// take removes a document with its ACL, if it has one, and tells the feed.
func (o *organization) take(m map[string]*document, name, path string) {
	delete(m, name)
	o.access.disclaim(path)
	o.feed.deleted(path)
}
