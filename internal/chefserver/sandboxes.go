package chefserver

import (
	"net/http"
	"slices"
	"strings"
)

// sandboxKind is /sandboxes, the way in for cookbook files.
// https://docs.chef.io/server/api_chef_server/#sandboxes
func sandboxKind() kind {
	return kind{routes: func(rs *routes) {
		rs.inOrg("sandboxes", methods{"POST", action{validate: validateSandbox, do: createSandbox}})
		rs.inOrg("sandboxes/ID", methods{"PUT", action{validate: validateCommit, do: commitSandbox}})
	}}
}

func validateSandbox(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	v, ok := r.in.get("checksums")
	if !ok {
		return badRequest("Field 'checksums' missing")
	}
	sums, ok := v.(*object)
	if !ok || len(sums.keys) == 0 {
		return badRequest("Bad checksums!")
	}
	for _, sum := range sums.keys {
		if !reChecksum.MatchString(sum) || sums.vals[sum] != nil {
			return badRequest("Bad checksums!")
		}
	}
	r.aux = sums.keys
	return nil
}

// createSandbox answers for each checksum whether the organization lacks it. Only
// the row counts: a blob that the store has lost is not asked for again. The
// checksums are taken as they are spelled, upper case included.
func createSandbox(r *request) *reply {
	if p := r.may(canCreate, "sandboxes"); p != nil {
		return p
	}
	sums := r.aux.([]string)
	id := newGUID()
	answers := newObject()
	for _, sum := range sums {
		if _, known := r.org.files.rows[sum]; known {
			answers.set(sum, newObject("needs_upload", false))
			continue
		}
		answers.set(sum, newObject("url", r.uploadURL(sum), "needs_upload", true))
	}
	r.org.sandboxes[id] = slices.Clone(sums)
	uri := r.orgURL("/sandboxes/" + id)
	return jsonReply(http.StatusCreated, newObject("sandbox_id", id, "uri", uri, "checksums", answers)).at(uri)
}

func validateCommit(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	v, ok := r.in.get("is_completed")
	if !ok {
		return badRequest("Field 'is_completed' missing")
	}
	if _, ok := v.(bool); !ok {
		return badRequest("Field 'is_completed' invalid")
	}
	return nil
}

// commitSandbox registers the checksums. The sandbox is gone then, so that a
// second commit answers 404. is_completed false crashes erchef.
func commitSandbox(r *request) *reply {
	if p := r.may(canCreate, "sandboxes"); p != nil {
		return p
	}
	if r.in.vals["is_completed"] == false {
		return jsonReply(http.StatusInternalServerError, newObject("error", []string{"internal service error"}))
	}
	id := r.args[0]
	sums, ok := r.org.sandboxes[id]
	if !ok {
		return fail(http.StatusNotFound, "No such sandbox '%s'.", id)
	}
	files := r.org.files
	var missing []string
	for _, sum := range sums {
		if _, known := files.rows[sum]; !known && !files.has(sum) {
			missing = append(missing, `<<"`+sum+`">>`)
		}
	}
	if len(missing) > 0 {
		return fail(http.StatusServiceUnavailable, "Committed incomplete sandbox: [%s]", strings.Join(missing, ","))
	}
	for _, sum := range sums {
		if _, known := files.rows[sum]; !known {
			files.rows[sum] = 0
		}
	}
	delete(r.org.sandboxes, id)
	return jsonReply(http.StatusOK, newObject(
		"guid", id, "name", id, "checksums", sums,
		"create_time", r.s.now().Format("2006-01-02T15:04:05+00:00"), "is_completed", true))
}
