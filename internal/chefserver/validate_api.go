package chefserver

import (
	"net"
	"net/http"
	"strings"
)

// maxValidated is the most segments of a path that can be asked about.
const maxValidated = 8

// validateKind is /validate: whether the signature of this request, which was
// made for the path behind it, is good, and whose it is. nginx lets only the
// server's own host ask.
func validateKind() kind {
	return kind{routes: func(rs *routes) {
		ask := action{validate: validateOriginal, do: getRequestor, unlocked: true}
		for n := 1; n <= maxValidated; n++ {
			rs.inOrg("validate"+strings.Repeat("/PART", n), methods{"GET", ask})
		}
	}}
}

// validateOriginal has the signature judged as that of the original path.
func validateOriginal(r *request) *reply {
	host, _, err := net.SplitHostPort(r.http.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return htmlReply(http.StatusForbidden)
	}
	r.path = "/" + strings.Join(r.segments[3:], "/")
	return nil
}

func getRequestor(r *request) *reply {
	kind := "client"
	if r.actor.user {
		kind = "user"
	}
	return jsonReply(http.StatusOK, newObject("requestor_name", r.actor.name, "requestor_type", kind))
}
