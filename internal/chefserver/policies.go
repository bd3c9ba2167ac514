package chefserver

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
)

// rePolicyItem is an item of a policy's run list: always with cookbook and
// recipe, never with a version.
var rePolicyItem = regexp.MustCompile(`^recipe\[[.A-Za-z0-9_-]+::[.A-Za-z0-9_-]+\]$`)

// policyKind is /policies. https://docs.chef.io/server/api_chef_server/#policies
//
// A revision is created once and never changed. A policy is created with its
// first revision and stays when the last one goes.
func policyKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("policies", methods{"GET", action{do: listPolicies}})
			rs.inOrg("policies/NAME", methods{
				"GET", action{do: getPolicy},
				"DELETE", action{do: deletePolicy},
			})
			rs.inOrg("policies/NAME/revisions", methods{"POST", action{validate: validateRevision, do: createRevision}})
			rs.inOrg("policies/NAME/revisions/REVISION", methods{
				"GET", action{do: getRevision, unlocked: true},
				"DELETE", action{do: deleteRevision},
			})
		},
		dump: func(o *organization, d *Snapshot) {
			for name, revisions := range o.policies {
				d.Objects[policyPath(name)] = string(canonical(newObject("name", name)))
				d.documents(policyPath(name)+"/revisions/", revisions)
			}
		},
	}
}

func policyPath(name string) string       { return "/policies/" + name }
func revisionPath(name, id string) string { return "/policies/" + name + "/revisions/" + id }

// validateRevision demands four keys and lets all others pass. Whether what is
// locked exists is nobody's concern. The name stands at the end of the URL's
// arguments in the case of a pointer, at their begin in that of a policy.
func validateRevision(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	return firstOf(
		checkName(r.in, "revision_id", reLong), checkName(r.in, "name", reLong),
		checkPolicyRunList(r.in), checkLocks(r.in), matchesURL(r.in, "name", r.args[len(r.args)-1]))
}

func checkPolicyRunList(o *object) *reply {
	v, ok := o.get("run_list")
	if !ok {
		return badRequest("Field 'run_list' missing")
	}
	list, ok := v.([]any)
	for _, item := range list {
		s, isString := item.(string)
		ok = ok && isString && rePolicyItem.MatchString(s)
	}
	if !ok {
		return badRequest("Field 'run_list' is not a valid run list")
	}
	return nil
}

func checkLocks(o *object) *reply {
	v, ok := o.get("cookbook_locks")
	if !ok {
		return badRequest("Field 'cookbook_locks' missing")
	}
	locks, ok := v.(*object)
	if !ok {
		return badRequest("Field 'cookbook_locks' invalid")
	}
	for _, name := range locks.keys {
		if !reSimple.MatchString(name) {
			return badRequest("Invalid key '%s' for cookbook_locks", name)
		}
		lock, ok := locks.vals[name].(*object)
		if !ok {
			return badRequest("Invalid value '%s' for cookbook_locks", plain(locks.vals[name]))
		}
		if p := checkLock(lock); p != nil {
			return p
		}
	}
	return nil
}

func checkLock(lock *object) *reply {
	if p := checkName(lock, "identifier", reLong); p != nil {
		return p
	}
	for _, k := range []string{"dotted_decimal_identifier", "version"} {
		v, ok := lock.get(k)
		if !ok && k == "version" {
			return badRequest("Field 'version' missing")
		}
		if s, isString := v.(string); ok && !(isString && reConstraint.MatchString(s)) {
			return badRequest("Field '%s' is not a valid version", k)
		}
	}
	return nil
}

// listPolicies shows the policies that have a revision: erchef makes the list
// out of the revisions.
func listPolicies(r *request) *reply {
	if p := r.may(canRead, "policies"); p != nil {
		return p
	}
	out := newObject()
	for _, name := range sortedKeys(r.org.policies) {
		if len(r.org.policies[name]) > 0 {
			out.set(name, newObject("uri", r.orgURL(policyPath(name)),
				"revisions", revisionNames(r.org.policies[name])))
		}
	}
	return jsonReply(http.StatusOK, out)
}

// revisionNames is {id: {}} of a policy's revisions.
func revisionNames(revisions map[string]*document) *object {
	out := newObject()
	for _, id := range sortedKeys(revisions) {
		out.set(id, newObject())
	}
	return out
}

// describePolicy is {} for a policy without revisions.
func describePolicy(revisions map[string]*document) *reply {
	if len(revisions) == 0 {
		return jsonReply(http.StatusOK, newObject())
	}
	return jsonReply(http.StatusOK, newObject("revisions", revisionNames(revisions)))
}

func getPolicy(r *request) *reply {
	revisions, ok := r.org.policies[r.args[0]]
	if !ok {
		return htmlReply(http.StatusNotFound)
	}
	return firstOf(r.mayOn(canRead, "policies", r.args[0]), describePolicy(revisions))
}

// deletePolicy takes along the revisions and the pointers to them.
func deletePolicy(r *request) *reply {
	name := r.args[0]
	revisions, ok := r.org.policies[name]
	if !ok {
		return htmlReply(http.StatusNotFound)
	}
	if p := r.mayOn(canDelete, "policies", name); p != nil {
		return p
	}
	delete(r.org.policies, name)
	r.disclaim("policies", name)
	r.org.feed.deleted(policyPath(name))
	for _, id := range sortedKeys(revisions) {
		r.org.feed.deleted(revisionPath(name, id))
	}
	r.org.dropPointers(name, func(string) bool { return true })
	return describePolicy(revisions).writes(policyPath(name))
}

// createRevision answers what was sent, and a conflict as the codes of its
// characters: erchef encodes an Erlang string.
func createRevision(r *request) *reply {
	name, id := r.args[0], r.in.str("revision_id")
	if p := r.mayWritePolicy(name, canCreate); p != nil {
		return p
	}
	if r.org.policies[name][id] != nil {
		codes := []any{}
		for _, c := range []byte("Policy '" + name + "' with revision_id '" + id + " already exists.") {
			codes = append(codes, int(c))
		}
		return jsonReply(http.StatusConflict, codes)
	}
	r.addPolicy(name)
	r.org.addRevision(name, id, r.in)
	return jsonReply(http.StatusCreated, r.in).at(r.orgURL(policyPath(name))).writes(revisionPath(name, id))
}

// mayWritePolicy asks to create the policy if it is missing, and for v on it if
// it is there.
func (r *request) mayWritePolicy(name string, v verb) *reply {
	if r.org.policies[name] == nil {
		return r.may(canCreate, "policies")
	}
	return r.mayOn(v, "policies", name)
}

func (r *request) addPolicy(name string) {
	if r.org.policies[name] == nil {
		r.org.policies[name] = map[string]*document{}
		r.claim("policies", name)
		r.org.feed.created(policyPath(name))
	}
}

// addRevision stores a revision that is not there yet. Of what the client sent
// only policy_group is left out; a policy_group_list, which getRevision adds to
// every answer, is stored like any other key.
func (o *organization) addRevision(name, id string, in *object) {
	if o.policies[name][id] != nil {
		return
	}
	stored := in.clone()
	stored.remove("policy_group")
	o.policies[name][id] = newDocument(stored)
	o.feed.created(revisionPath(name, id))
}

// revision returns the revision that the URL names, or 404.
func (r *request) revision() (*document, *reply) {
	d := r.org.policies[r.args[0]][r.args[1]]
	if d == nil {
		return nil, htmlReply(http.StatusNotFound)
	}
	return d, nil
}

// getRevision adds to the document the names of the policy groups that point to
// a revision of this id, in whichever organization.
func getRevision(r *request) *reply {
	d, p := r.readRevision()
	if p != nil {
		return p
	}
	out := d.value.clone()
	out.set("policy_group_list", r.s.groupsUsing(r.args[1]))
	return jsonReply(http.StatusOK, out)
}

func (r *request) readRevision() (*document, *reply) {
	r.org.mu.RLock()
	defer r.org.mu.RUnlock()
	d, p := r.revision()
	return d, firstOf(p, r.mayOn(canRead, "policies", r.args[0]))
}

// groupsUsing locks one organization after another and never two at once, so
// that nothing can wait in a circle.
func (s *Server) groupsUsing(id string) []string {
	s.mu.RLock()
	orgs := slices.Collect(maps.Values(s.orgs))
	s.mu.RUnlock()
	groups := []string{}
	for _, o := range orgs {
		o.mu.RLock()
		for group, pointers := range o.policyGroups {
			for _, to := range pointers {
				if to == id {
					groups = append(groups, group)
				}
			}
		}
		o.mu.RUnlock()
	}
	slices.Sort(groups)
	return groups
}

// deleteRevision takes along the pointers. The policy stays.
func deleteRevision(r *request) *reply {
	d, p := r.revision()
	if p != nil {
		return p
	}
	name, id := r.args[0], r.args[1]
	if p := r.mayOn(canDelete, "policies", name); p != nil {
		return p
	}
	path := revisionPath(name, id)
	r.org.take(r.org.policies[name], id, path)
	r.org.dropPointers(name, func(to string) bool { return to == id })
	return rawReply(http.StatusOK, d.body).writes(path)
}
