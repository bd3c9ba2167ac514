package chefserver

import "net/http"

// policyGroupKind is /policy_groups.
// https://docs.chef.io/server/api_chef_server/#policy_groups
//
// A group points to at most one revision of each policy. It is created with its
// first pointer and stays when the last one goes.
func policyGroupKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("policy_groups", methods{"GET", action{do: listPolicyGroups}})
			rs.inOrg("policy_groups/GROUP", methods{
				"GET", action{do: getPolicyGroup},
				"DELETE", action{do: deletePolicyGroup},
			})
			rs.inOrg("policy_groups/GROUP/policies/NAME", methods{
				"GET", action{do: getPointer},
				"PUT", action{validate: validatePointer, do: putPointer},
				"DELETE", action{do: deletePointer},
			})
		},
		dump: func(o *organization, d *Snapshot) {
			for group, pointers := range o.policyGroups {
				d.Objects[groupPath(group)] = string(canonical(newObject("name", group)))
				for name, id := range pointers {
					d.Objects[pointerPath(group, name)] = string(canonical(newObject("revision_id", id)))
				}
			}
		},
	}
}

func groupPath(group string) string         { return "/policy_groups/" + group }
func pointerPath(group, name string) string { return "/policy_groups/" + group + "/policies/" + name }

func validatePointer(r *request) *reply {
	if !reLong.MatchString(r.args[0]) {
		return badRequest("Field 'policy_group' invalid")
	}
	return validateRevision(r)
}

// pointerTable is {policy: {"revision_id": id}} of a group.
func pointerTable(pointers map[string]string) *object {
	out := newObject()
	for _, name := range sortedKeys(pointers) {
		out.set(name, newObject("revision_id", pointers[name]))
	}
	return out
}

// listPolicyGroups shows a group without pointers without the key policies,
// while the group alone has it always.
func listPolicyGroups(r *request) *reply {
	if p := r.may(canRead, "policy_groups"); p != nil {
		return p
	}
	out := newObject()
	for _, group := range sortedKeys(r.org.policyGroups) {
		e := newObject("uri", r.orgURL(groupPath(group)))
		if pointers := r.org.policyGroups[group]; len(pointers) > 0 {
			e.set("policies", pointerTable(pointers))
		}
		out.set(group, e)
	}
	return jsonReply(http.StatusOK, out)
}

// policyGroup returns the group that the URL names as the API shows it, or 404.
func (r *request) policyGroup() (*object, *reply) {
	group := r.args[0]
	pointers, ok := r.org.policyGroups[group]
	if !ok {
		return nil, fail(http.StatusNotFound, "policy_group '%s' not found", group)
	}
	return newObject("policies", pointerTable(pointers), "uri", r.orgURL(groupPath(group))), nil
}

func getPolicyGroup(r *request) *reply {
	g, p := r.policyGroup()
	if p != nil {
		return p
	}
	return firstOf(r.mayOn(canRead, "policy_groups", r.args[0]), jsonReply(http.StatusOK, g))
}

// deletePolicyGroup takes along the pointers, and neither policy nor revision.
func deletePolicyGroup(r *request) *reply {
	g, p := r.policyGroup()
	if p != nil {
		return p
	}
	group := r.args[0]
	if p := r.mayOn(canDelete, "policy_groups", group); p != nil {
		return p
	}
	pointers := r.org.policyGroups[group]
	delete(r.org.policyGroups, group)
	r.disclaim("policy_groups", group)
	r.org.feed.deleted(groupPath(group))
	for _, name := range sortedKeys(pointers) {
		r.org.feed.deleted(pointerPath(group, name))
	}
	return jsonReply(http.StatusOK, g).writes(groupPath(group))
}

// pointed returns the revision that a group uses of a policy, or 404.
func (r *request) pointed() (*document, *reply) {
	group, name := r.args[0], r.args[1]
	id, ok := r.org.policyGroups[group][name]
	if !ok {
		return nil, fail(http.StatusNotFound, "Cannot load policy %s in policy group %s", name, group)
	}
	return r.org.policies[name][id], nil
}

// mayBoth asks for a permission on the policy and on the group.
func (r *request) mayBoth(v verb) *reply {
	return firstOf(r.mayOn(v, "policies", r.args[1]), r.mayOn(v, "policy_groups", r.args[0]))
}

// getPointer answers the revision as it is stored.
func getPointer(r *request) *reply {
	d, p := r.pointed()
	if p != nil {
		return p
	}
	return firstOf(r.mayBoth(canRead), rawReply(http.StatusOK, d.body))
}

// putPointer makes a group use a revision, and creates what is missing of
// policy, group and revision. Of a revision that is there already only the id
// is read; the answer shows what was sent all the same. Unlike every other PUT
// it writes its row, and so is a change, even if nothing moves.
func putPointer(r *request) *reply {
	group, name, id := r.args[0], r.args[1], r.in.str("revision_id")
	if p := r.mayPoint(group, name); p != nil {
		return p
	}
	o := r.org
	r.addPolicy(name)
	if o.policyGroups[group] == nil {
		o.policyGroups[group] = map[string]string{}
		r.claim("policy_groups", group)
		o.feed.created(groupPath(group))
	}
	o.addRevision(name, id, r.in)
	path := pointerPath(group, name)
	_, there := o.policyGroups[group][name]
	o.policyGroups[group][name] = id
	if there {
		o.feed.updated(path)
		return jsonReply(http.StatusOK, r.in).writes(path)
	}
	o.feed.created(path)
	return jsonReply(http.StatusCreated, r.in).at(r.orgURL(policyPath(name))).writes(path)
}

// mayPoint asks to create what is missing and to update what is there.
func (r *request) mayPoint(group, name string) *reply {
	p := r.may(canCreate, "policy_groups")
	if r.org.policyGroups[group] != nil {
		p = r.mayOn(canUpdate, "policy_groups", group)
	}
	return firstOf(r.mayWritePolicy(name, canUpdate), p)
}

func deletePointer(r *request) *reply {
	d, p := r.pointed()
	if p != nil {
		return p
	}
	if p := r.mayBoth(canDelete); p != nil {
		return p
	}
	group, name := r.args[0], r.args[1]
	r.org.dropPointer(group, name)
	return rawReply(http.StatusOK, d.body).writes(pointerPath(group, name))
}

func (o *organization) dropPointer(group, name string) {
	delete(o.policyGroups[group], name)
	o.feed.deleted(pointerPath(group, name))
}

// dropPointers removes the pointers to the policy's revisions that gone says.
// The groups stay.
func (o *organization) dropPointers(name string, gone func(id string) bool) {
	for _, group := range sortedKeys(o.policyGroups) {
		if id, ok := o.policyGroups[group][name]; ok && gone(id) {
			o.dropPointer(group, name)
		}
	}
}
