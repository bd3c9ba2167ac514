package chefserver

import "net/http"

// versionText is the answer of /version.
const versionText = "Chef Infra Server 15.10.118\n\nComponent  Installed Version  Version GUID\nchefserver in-process\n"

// statusKind is what says how the server is.
func statusKind() kind {
	return kind{routes: func(rs *routes) {
		rs.outside("_status", methods{"GET", action{do: getStatus, unlocked: true}}).unsigned = true
		rs.outside("version", methods{"GET", action{do: getVersion, unlocked: true}}).unsigned = true
		rs.outside("server_api_version", methods{"GET", action{do: getAPIVersions, unlocked: true}}).unsigned = true
		rs.outside("license", methods{"GET", action{do: getLicense}})
	}}
}

func getStatus(*request) *reply {
	return jsonReply(http.StatusOK, newObject("status", "pong", "upstreams", newObject(
		"chef_opensearch", "pong", "chef_sql", "pong", "oc_chef_authz", "pong")))
}

func getVersion(*request) *reply { return newReply(http.StatusOK, typeText, []byte(versionText)) }

func getAPIVersions(*request) *reply {
	return jsonReply(http.StatusOK, newObject("min_api_version", minAPIVersion, "max_api_version", maxAPIVersion))
}

// getLicense counts no nodes: this server has none.
func getLicense(*request) *reply {
	return jsonReply(http.StatusOK, newObject(
		"limit_exceeded", false, "node_license", 25, "node_count", 0,
		"upgrade_url", "http://www.chef.io/contact/on-premises-simple"))
}
