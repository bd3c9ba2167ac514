package chefserver

import (
	"net/http"
	"slices"
	"strings"
)

// artifactKind is /cookbook_artifacts, the cookbooks of policies.
// https://docs.chef.io/server/api_chef_server/#cookbook_artifacts
func artifactKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("cookbook_artifacts", methods{"GET", action{do: listArtifacts}})
			rs.inOrg("cookbook_artifacts/NAME", methods{"GET", action{do: getArtifacts}})
			rs.inOrg("cookbook_artifacts/NAME/IDENTIFIER", methods{
				"GET", action{do: getArtifact},
				"PUT", action{validate: validateArtifact, do: createArtifact},
				"DELETE", action{do: deleteArtifact},
			})
		},
		dump: dumpArtifacts,
	}
}

// validateArtifact looks at the name and the identifier and at little else.
// What erchef does not expect of the files makes it crash.
func validateArtifact(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	p := firstOf(checkName(r.in, "name", reSimple), checkName(r.in, "identifier", reLong),
		matchesURL(r.in, "name", r.args[0]), matchesURL(r.in, "identifier", r.args[1]))
	if p != nil {
		return p
	}
	for _, k := range append(segmentNames[:], "all_files") {
		if !hasChecksums(r.in, k) {
			return jsonReply(http.StatusInternalServerError, newObject("error", []string{"internal service error"}))
		}
	}
	return nil
}

// hasChecksums reports whether a list of files, if there is one, is a list in
// which everything has a checksum.
func hasChecksums(o *object, field string) bool {
	v, ok := o.get(field)
	if !ok {
		return true
	}
	list, ok := v.([]any)
	for _, e := range list {
		f, isObject := e.(*object)
		if !isObject {
			return false
		}
		_, isString := f.vals["checksum"].(string)
		ok = ok && isString
	}
	return ok
}

// matchesURL answers 400 unless a field, a string, says what the URL says.
func matchesURL(o *object, field, want string) *reply {
	if have := o.str(field); have != want {
		return badRequest("Field '%s' invalid : %s does not match %s", field, want, have)
	}
	return nil
}

// artifactEntry is one name of a list.
func (r *request) artifactEntry(name string) *object {
	uri := r.orgURL("/cookbook_artifacts/" + name)
	versions := []any{}
	for _, id := range sortedKeys(r.org.artifacts[name]) {
		versions = append(versions, newObject("url", uri+"/"+id, "identifier", id))
	}
	return newObject("url", uri, "versions", versions)
}

func listArtifacts(r *request) *reply {
	if p := r.may(canRead, "cookbook_artifacts"); p != nil {
		return p
	}
	out := newObject()
	for _, name := range sortedKeys(r.org.artifacts) {
		out.set(name, r.artifactEntry(name))
	}
	return jsonReply(http.StatusOK, out)
}

func getArtifacts(r *request) *reply {
	name := r.args[0]
	if r.org.artifacts[name] == nil {
		return fail(http.StatusNotFound, "not_found")
	}
	if p := r.mayOn(canRead, "cookbook_artifacts", name); p != nil {
		return p
	}
	return jsonReply(http.StatusOK, newObject(name, r.artifactEntry(name)))
}

// artifact returns the manifest that the URL names, or 404.
func (r *request) artifact() (*object, *reply) {
	m := r.org.artifacts[r.args[0]][r.args[1]]
	if m == nil {
		return nil, fail(http.StatusNotFound, "not_found")
	}
	return m, nil
}

// renderArtifact is render, without the json_class that somebody may have sent.
func (r *request) renderArtifact(m *object) *object {
	out := r.render(m)
	out.remove("json_class")
	return out
}

func getArtifact(r *request) *reply {
	m, p := r.artifact()
	if p != nil {
		return p
	}
	if p := r.mayOn(canRead, "cookbook_artifacts", r.args[0]); p != nil {
		return p
	}
	return jsonReply(http.StatusOK, r.renderArtifact(m))
}

func artifactPath(name, id string) string { return "/cookbook_artifacts/" + name + "/" + id }

// createArtifact stores an artifact with all its links or, unlike a cookbook,
// not at all. There is no update.
func createArtifact(r *request) *reply {
	name, id := r.args[0], r.args[1]
	if r.org.artifacts[name][id] != nil {
		return firstOf(r.mayOn(canUpdate, "cookbook_artifacts", name),
			failText(http.StatusConflict, "Cookbook artifact already exists"))
	}
	if p := r.may(canCreate, "cookbook_artifacts"); p != nil {
		return p
	}
	files, sums := r.org.files, manifestSums(r.in)
	for _, sum := range sums {
		if _, known := files.rows[sum]; !known {
			return badRequest("Manifest has a checksum that hasn't been uploaded.")
		}
	}
	for _, sum := range sums {
		files.link(sum)
	}
	if r.org.artifacts[name] == nil {
		r.org.artifacts[name] = map[string]*object{}
		r.claim("cookbook_artifacts", name)
	}
	r.org.artifacts[name][id] = r.in
	path := artifactPath(name, id)
	r.org.feed.created(path)
	return created(r.orgURL(path)).writes(path)
}

// deleteArtifact does not ask whether a policy still locks the artifact.
func deleteArtifact(r *request) *reply {
	m, p := r.artifact()
	if p != nil {
		return p
	}
	name, id := r.args[0], r.args[1]
	if p := r.mayOn(canDelete, "cookbook_artifacts", name); p != nil {
		return p
	}
	body := encode(r.renderArtifact(m))
	for _, sum := range manifestSums(m) {
		if r.org.files.unlink(sum) {
			r.org.files.drop(sum)
		}
	}
	delete(r.org.artifacts[name], id)
	if len(r.org.artifacts[name]) == 0 {
		delete(r.org.artifacts, name)
		r.disclaim("cookbook_artifacts", name)
	}
	path := artifactPath(name, id)
	r.org.feed.deleted(path)
	return rawReply(http.StatusOK, body).writes(path)
}

// dumpArtifacts adds the artifacts to a Snapshot.
func dumpArtifacts(o *organization, d *Snapshot) {
	for name, versions := range o.artifacts {
		for id, m := range versions {
			v := CookbookVersion{
				Name: name, Version: m.str("version"), Frozen: m.vals["frozen?"] == true,
				Metadata: string(canonical(m.vals["metadata"])), Files: dumpFiles(o.files, m), Linked: true,
			}
			path := artifactPath(name, id)
			d.Cookbooks[path] = v
			d.Objects[path] = string(canonical(newObject(
				"files", v.objects(), "frozen?", v.Frozen, "identifier", id,
				"metadata", m.vals["metadata"], "name", name, "version", v.Version)))
		}
	}
}

// objects shows the files by what makes them equal.
func (v CookbookVersion) objects() []any {
	out := []any{}
	for _, f := range v.Files {
		out = append(out, newObject("checksum", f.MD5, "path", f.Path, "specificity", f.Specificity))
	}
	return out
}

// dumpFiles shows the files of a manifest in either form, sorted by path.
func dumpFiles(store *fileStore, m *object) []CookbookFile {
	var out []CookbookFile
	fileLists(m, func(_ string, files []any) {
		for _, f := range files {
			out = append(out, dumpFile(store, f.(*object)))
		}
	})
	slices.SortFunc(out, func(a, b CookbookFile) int {
		return strings.Compare(a.Path+"\x00"+a.Specificity, b.Path+"\x00"+b.Specificity)
	})
	return out
}
