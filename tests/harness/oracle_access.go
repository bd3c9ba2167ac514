package harness

import (
	"maps"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
)

func (d *dumper) artifacts() {
	d.t.Helper()
	var all map[string]struct {
		Versions []struct{ Identifier string }
	}
	d.get("/cookbook_artifacts", &all)
	for name, of := range all {
		for _, v := range of.Versions {
			path := "/cookbook_artifacts/" + name + "/" + v.Identifier
			var m map[string]any
			if !d.get(path, &m) {
				d.out[path] = vanished
				continue
			}
			d.out[path] = d.cookbook(path, m)
		}
	}
}

// policies reads revisions without what the server adds to them, and policy
// groups with their pointers.
func (d *dumper) policies() {
	d.t.Helper()
	var all map[string]struct{ Revisions map[string]any }
	d.get("/policies", &all)
	for name, of := range all {
		d.out["/policies/"+name] = "policy"
		for id := range of.Revisions {
			path := "/policies/" + name + "/revisions/" + id
			if d.object(path); d.out[path] != vanished {
				d.out[path] = withoutKey(d.t, d.out[path], groupList)
			}
		}
	}
	var groups map[string]struct {
		Policies map[string]map[string]string
	}
	d.get("/policy_groups", &groups)
	for name, of := range groups {
		d.out["/policy_groups/"+name] = "policy group"
		for policy, pointer := range of.Policies {
			d.out["/policy_groups/"+name+"/policies/"+policy] = pointer["revision_id"]
		}
	}
}

// onRequest reads what not every pair replicates.
func (d *dumper) onRequest(kind object.Kind) {
	d.t.Helper()
	switch kind {
	case object.KindNode:
		for _, name := range d.list("nodes") {
			d.object("/nodes/" + name)
		}
	case object.KindContainer:
		for _, name := range d.list("containers") {
			d.object("/containers/" + name)
		}
	case object.KindClient:
		d.clients()
	case object.KindGroup:
		d.groups()
	case object.KindACL:
		d.acls()
	case object.KindOrganization:
		var org map[string]string
		resp, err := d.c.DoGlobal(d.t.Context(), "GET", "organizations/"+d.c.Organization(), nil, nil)
		if err != nil {
			d.t.Fatalf("dump: %v", err)
		}
		d.decode("organization", resp.Body, &org)
		d.out["/organization"] = org["full_name"]
	default:
		d.t.Fatalf("dump: kind %q is none on request", kind)
	}
}

// clients reads clients with their keys, but for the organization's validator.
func (d *dumper) clients() {
	d.t.Helper()
	for _, name := range d.list("clients") {
		if name == d.c.Organization()+"-validator" {
			continue
		}
		path := "/clients/" + name
		d.object(path)
		var keys []struct{ Name string }
		d.get(path+"/keys", &keys)
		for _, k := range keys {
			d.object(path + "/keys/" + k.Name)
		}
	}
}

// groups reads members without what is a server's own.
func (d *dumper) groups() {
	d.t.Helper()
	for _, name := range d.list("groups") {
		if usag.MatchString(name) || name == "billing-admins" {
			continue
		}
		var g struct{ Users, Clients, Groups []string }
		if !d.get("/groups/"+name, &g) {
			d.out["/groups/"+name] = vanished
			continue
		}
		d.out["/groups/"+name] = encode(d.t, map[string][]string{
			"users": theirs(g.Users), "clients": theirs(g.Clients), "groups": theirs(g.Groups),
		})
	}
}

// theirs are sorted names without those that each server has for itself.
func theirs(names []string) []string {
	out := []string{}
	for _, n := range slices.Sorted(slices.Values(names)) {
		if !usag.MatchString(n) && !slices.Contains(ownNames, n) {
			out = append(out, n)
		}
	}
	return out
}

// aclLists are the lists whose entries have an ACL, by the word of their path.
var aclLists = []string{
	"clients", "containers", "cookbook_artifacts", "cookbooks", "data", "environments", "groups", "nodes", "policies",
	"policy_groups", "roles",
}

// superusersGroups have ACLs that no admin may read.
var superusersGroups = []string{"billing-admins", "public_key_read_access"}

func (d *dumper) acls() {
	d.t.Helper()
	paths := []string{"/organizations/_acl"}
	for _, word := range aclLists {
		for _, name := range d.list(word) {
			if word == "groups" && (usag.MatchString(name) || slices.Contains(superusersGroups, name)) {
				continue
			}
			if name != d.c.Organization()+"-validator" {
				paths = append(paths, "/"+word+"/"+name+"/_acl")
			}
		}
	}
	for _, path := range paths {
		var acl map[string]struct{ Users, Clients, Groups []string }
		if !d.get(path+"?detail=granular", &acl) {
			d.out[path] = vanished
			continue
		}
		var words []string
		for _, p := range slices.Sorted(maps.Keys(acl)) {
			words = append(words, p+" "+encode(d.t, [][]string{theirs(acl[p].Users), theirs(acl[p].Clients), theirs(acl[p].Groups)}))
		}
		d.out[path] = strings.Join(words, "; ")
	}
}
