package chefserver

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
)

// cookbook is the versions of one cookbook. There is none without a version.
type cookbook map[versionNumber]*cookbookVersion

// cookbookVersion is one stored version.
type cookbookVersion struct {
	number   versionNumber
	frozen   bool
	manifest *object // as it was sent, in either form
	canon    []byte
	// links names the checksums whose references are counted. It is short of
	// the manifest's when a create or update failed half way.
	links []string
}

// newestFirst returns the versions in the order in which lists show them.
func (c cookbook) newestFirst() []*cookbookVersion {
	vs := slices.Collect(maps.Values(c))
	slices.SortFunc(vs, func(a, b *cookbookVersion) int { return b.number.compare(a.number) })
	return vs
}

// cookbookKind is /cookbooks. https://docs.chef.io/server/api_chef_server/#cookbooks
func cookbookKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("cookbooks", methods{"GET", action{validate: validateVersionsAsked("1"), do: listCookbooks}})
			rs.inOrg("cookbooks/_latest", methods{"GET", action{do: latestCookbooks}})
			rs.inOrg("cookbooks/_recipes", methods{"GET", action{do: cookbookRecipes}})
			rs.inOrg("cookbooks/NAME", methods{"GET", action{validate: validateVersionsAsked("all"), do: getCookbook}})
			rs.inOrg("cookbooks/NAME/VERSION", methods{
				"GET", action{validate: validateVersionURL, do: getVersionOf},
				"PUT", action{validate: validateManifest, do: putVersion},
				"DELETE", action{validate: validateVersionURL, do: deleteVersion},
			})
			rs.inOrg("environments/NAME/cookbooks",
				methods{"GET", action{validate: validateVersionsAsked("1"), do: environmentCookbooks}})
			rs.inOrg("environments/NAME/cookbooks/COOKBOOK",
				methods{"GET", action{validate: validateVersionsAsked("all"), do: environmentCookbook}})
			rs.inOrg("environments/NAME/recipes", methods{"GET", action{do: environmentRecipes}})
		},
		dump: dumpCookbooks,
	}
}

// validateVersionURL judges the name and the version of the URL.
func validateVersionURL(r *request) *reply {
	if !reSimple.MatchString(r.args[0]) {
		return badRequest("Invalid cookbook name '%s' using regex: "+
			"'Malformed cookbook name. Must only contain A-Z, a-z, 0-9, _, . or -'.", r.args[0])
	}
	_, ok := parseVersion(r.args[1])
	latest := r.args[1] == "_latest" || r.args[1] == "latest"
	if !ok && !(latest && r.http.Method == http.MethodGet) {
		return badRequest("Invalid cookbook version '%s'.", r.args[1])
	}
	return nil
}

func validateManifest(r *request) *reply {
	if p := validateVersionURL(r); p != nil {
		return p
	}
	if p := r.parseBody(); p != nil {
		return p
	}
	return checkManifest(r, r.args[0], r.args[1])
}

// version returns the version that the URL names, by number and not by
// spelling, or 404.
func (r *request) version() (*cookbookVersion, *reply) {
	c := r.org.cookbooks[r.args[0]]
	n, ok := parseVersion(r.args[1])
	switch {
	case ok && c[n] != nil:
		return c[n], nil
	case !ok && len(c) > 0:
		return c.newestFirst()[0], nil
	}
	return nil, fail(http.StatusNotFound, "Cannot find a cookbook named %s with version %s", r.args[0], r.args[1])
}

func getVersionOf(r *request) *reply {
	v, p := r.version()
	if p != nil {
		return p
	}
	if p := r.mayOn(canRead, "cookbooks", r.args[0]); p != nil {
		return p
	}
	return jsonReply(http.StatusOK, r.render(v.manifest))
}

func versionPath(name string, n versionNumber) string { return "/cookbooks/" + name + "/" + n.String() }

func putVersion(r *request) *reply {
	name := r.args[0]
	n, _ := parseVersion(r.args[1])
	if old := r.org.cookbooks[name][n]; old != nil {
		return updateVersion(r, name, old)
	}
	return createVersion(r, name, n)
}

// createVersion needs create on the container for the first version of a
// cookbook, update on the cookbook for another. It stores the row first and links the files after it, without a
// transaction. So a create that fails for a missing file is answered 400 and
// leaves a phantom: listed, readable, frozen if it said so, and incomplete.
func createVersion(r *request, name string, n versionNumber) *reply {
	p := r.mayOn(canUpdate, "cookbooks", name)
	if r.org.cookbooks[name] == nil {
		p = r.may(canCreate, "cookbooks")
	}
	if p != nil {
		return p
	}
	v := &cookbookVersion{number: n, manifest: r.in, canon: canonical(r.in), frozen: r.in.vals["frozen?"] == true}
	if r.org.cookbooks[name] == nil {
		r.org.cookbooks[name] = cookbook{}
		r.claim("cookbooks", name)
	}
	r.org.cookbooks[name][n] = v
	r.org.feed.created(versionPath(name, n))
	for _, sum := range manifestSums(r.in) {
		if !r.org.files.link(sum) {
			return badRequest("Manifest has a checksum that hasn't been uploaded.")
		}
		v.links = append(v.links, sum)
	}
	return jsonReply(http.StatusCreated, r.in).at(r.orgURL("/cookbooks/" + name + "/" + r.args[1])).
		writes(versionPath(name, n))
}

// updateVersion unlinks the files that are no longer named and forgets the rows
// of those that nobody names then, before it links the new ones. When a new file
// is missing the manifest stays as it was, but what was unlinked stays unlinked:
// the old file is still readable, and will be gone after the next clean-up.
func updateVersion(r *request, name string, v *cookbookVersion) *reply {
	if p := r.mayOn(canUpdate, "cookbooks", name); p != nil {
		return p
	}
	if v.frozen && !forced(r) {
		return fail(http.StatusConflict, "The cookbook %s at version %s is frozen. Use the 'force' option to override.",
			name, r.args[1])
	}
	if v.frozen {
		r.in.set("frozen?", true) // Force changes the content, it does not thaw.
	}
	sums, canon := manifestSums(r.in), canonical(r.in)
	path := versionPath(name, v.number)
	if bytes.Equal(canon, v.canon) && len(v.links) == len(sums) {
		return jsonReply(http.StatusOK, r.in).writes(path)
	}
	orphans := unlinkAll(r.org.files, v, func(sum string) bool { return !slices.Contains(sums, sum) })
	for _, sum := range sums {
		if slices.Contains(v.links, sum) {
			continue
		}
		if !r.org.files.link(sum) {
			r.org.files.doom(orphans...)
			return badRequest("Manifest has checksum %s but it hasn't yet been uploaded", sum)
		}
		v.links = append(v.links, sum)
	}
	r.org.files.drop(orphans...)
	r.org.cookbooks[name][v.number] = &cookbookVersion{
		number: v.number, manifest: r.in, canon: canon, frozen: r.in.vals["frozen?"] == true, links: v.links,
	}
	r.org.feed.updated(path)
	return jsonReply(http.StatusOK, r.in).writes(path)
}

// forced reads ?force: every value but "false" means yes.
func forced(r *request) bool {
	q := r.http.URL.Query()
	return q.Has("force") && q.Get("force") != "false"
}

// unlinkAll drops the references of v that go says, and returns the checksums
// that nobody refers to any more.
func unlinkAll(f *fileStore, v *cookbookVersion, gone func(string) bool) []string {
	var kept, orphans []string
	for _, sum := range v.links {
		switch {
		case !gone(sum):
			kept = append(kept, sum)
		case f.unlink(sum):
			orphans = append(orphans, sum)
		}
	}
	v.links = kept
	return orphans
}

func deleteVersion(r *request) *reply {
	v, p := r.version()
	if p != nil {
		return p
	}
	name := r.args[0]
	if p := r.mayOn(canDelete, "cookbooks", name); p != nil {
		return p
	}
	body := encode(r.render(v.manifest))
	r.org.files.drop(unlinkAll(r.org.files, v, func(string) bool { return true })...)
	delete(r.org.cookbooks[name], v.number)
	if len(r.org.cookbooks[name]) == 0 {
		delete(r.org.cookbooks, name)
		r.disclaim("cookbooks", name)
	}
	path := versionPath(name, v.number)
	r.org.feed.deleted(path)
	return rawReply(http.StatusOK, body).writes(path)
}
