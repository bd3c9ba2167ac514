package chefserver

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// validateVersionsAsked reads num_versions: a count, or all, which is -1.
func validateVersionsAsked(ifAbsent string) func(*request) *reply {
	return func(r *request) *reply {
		q := r.http.URL.Query()
		v := ifAbsent
		if q.Has("num_versions") {
			v = q.Get("num_versions")
		}
		n := -1
		if v != "all" {
			var err error
			if n, err = strconv.Atoi(v); err != nil || n < 0 {
				return badRequest("You have requested an invalid number of versions (x >= 0 || 'all')")
			}
		}
		r.aux = n
		return nil
	}
}

// entry is one cookbook of a list: at most n versions that fit the constraint.
func (r *request) entry(name string, n int, constraint string) *object {
	versions := []any{}
	for _, v := range r.org.cookbooks[name].newestFirst() {
		if n >= 0 && len(versions) >= n {
			break
		}
		if constraint == "" || v.number.satisfies(constraint) {
			s := v.number.String()
			versions = append(versions, newObject("version", s, "url", r.orgURL("/cookbooks/"+name+"/"+s)))
		}
	}
	return newObject("url", r.orgURL("/cookbooks/"+name), "versions", versions)
}

func (o *organization) cookbookNames() []string { return slices.Sorted(maps.Keys(o.cookbooks)) }

func listCookbooks(r *request) *reply {
	if p := r.may(canRead, "cookbooks"); p != nil {
		return p
	}
	out := newObject()
	for _, name := range r.org.cookbookNames() {
		out.set(name, r.entry(name, r.aux.(int), ""))
	}
	return jsonReply(http.StatusOK, out)
}

func latestCookbooks(r *request) *reply {
	if p := r.may(canRead, "cookbooks"); p != nil {
		return p
	}
	out := newObject()
	for _, name := range r.org.cookbookNames() {
		v := r.org.cookbooks[name].newestFirst()[0]
		out.set(name, r.orgURL("/cookbooks/"+name+"/"+v.number.String()))
	}
	return jsonReply(http.StatusOK, out)
}

func cookbookRecipes(r *request) *reply {
	if p := r.may(canRead, "cookbooks"); p != nil {
		return p
	}
	out := []string{}
	for _, name := range r.org.cookbookNames() {
		out = append(out, recipes(name, r.org.cookbooks[name].newestFirst()[0].manifest)...)
	}
	return jsonReply(http.StatusOK, out)
}

func getCookbook(r *request) *reply {
	name := r.args[0]
	if r.org.cookbooks[name] == nil {
		return fail(http.StatusNotFound, "Cannot find a cookbook named %s", name)
	}
	if p := r.may(canRead, "cookbooks"); p != nil {
		return p
	}
	return jsonReply(http.StatusOK, newObject(name, r.entry(name, r.aux.(int), "")))
}

// constraints returns the environment's cookbook constraints, or 404.
func (r *request) constraints() (*object, *reply) {
	d, p := r.environment(r.args[0])
	if p != nil {
		return nil, p
	}
	return d.value.vals["cookbook_versions"].(*object), r.may(canRead, "cookbooks")
}

func environmentCookbooks(r *request) *reply {
	limits, p := r.constraints()
	if p != nil {
		return p
	}
	out := newObject()
	for _, name := range r.org.cookbookNames() {
		out.set(name, r.entry(name, r.aux.(int), limits.str(name)))
	}
	return jsonReply(http.StatusOK, out)
}

func environmentCookbook(r *request) *reply {
	limits, p := r.constraints()
	if p != nil {
		return p
	}
	name := r.args[1]
	if r.org.cookbooks[name] == nil {
		return fail(http.StatusNotFound, "Cannot find a cookbook named %s", name)
	}
	return jsonReply(http.StatusOK, newObject(name, r.entry(name, r.aux.(int), limits.str(name))))
}

func environmentRecipes(r *request) *reply {
	limits, p := r.constraints()
	if p != nil {
		return p
	}
	out := []string{}
	for _, name := range r.org.cookbookNames() {
		for _, v := range r.org.cookbooks[name].newestFirst() {
			if c := limits.str(name); c == "" || v.number.satisfies(c) {
				out = append(out, recipes(name, v.manifest)...)
				break
			}
		}
	}
	return jsonReply(http.StatusOK, out)
}

// universeKind is /universe: every version of every cookbook, with dependencies.
func universeKind() kind {
	return kind{routes: func(rs *routes) {
		rs.inOrg("universe", methods{"GET", action{do: getUniverse}})
	}}
}

func getUniverse(r *request) *reply {
	if p := r.may(canRead, "cookbooks"); p != nil {
		return p
	}
	out := newObject()
	for _, name := range r.org.cookbookNames() {
		versions := newObject()
		for _, v := range r.org.cookbooks[name].newestFirst() {
			deps, ok := v.manifest.vals["metadata"].(*object).vals["dependencies"]
			if !ok {
				deps = newObject()
			}
			s := v.number.String()
			versions.set(s, newObject(
				"location_path", r.orgURL("/cookbooks/"+name+"/"+s),
				"location_type", "chef_server", "dependencies", deps))
		}
		out.set(name, versions)
	}
	return jsonReply(http.StatusOK, out)
}
