package chef

import "strings"

// routeFile is the route of file transfers.
const routeFile = "file"

// routes are the first words of paths that metrics tell apart; a closed set, so
// that no name of an object ever becomes a label.
var routes = map[string]bool{
	"acls": true, "association_requests": true, "clients": true, "containers": true, "cookbook_artifacts": true,
	"cookbooks": true, "data": true, "environments": true, "groups": true, "nodes": true, "organizations": true,
	"policies": true, "policy_groups": true, "principals": true, "roles": true, "sandboxes": true, "search": true,
	"server_api_version": true, "updated_since": true, "users": true, "_status": true, "license": true,
}

// routeOf returns the kind of thing that an escaped path, from the server's
// root, is about.
func routeOf(path string) string {
	words := wordsOf(path)
	switch {
	case words[len(words)-1] == "_acl" || len(words) > 1 && words[len(words)-2] == "_acl":
		return "acls"
	case routes[words[0]]:
		return words[0]
	}
	return "other"
}

// wordsOf returns the words of an escaped path below the organization.
func wordsOf(path string) []string {
	words := strings.Split(strings.Trim(path, "/"), "/")
	if words[0] == "organizations" && len(words) > 2 {
		words = words[2:]
	}
	return words
}

// inPolicies reports whether a path is one of something below /policies or
// /policy_groups: not one of these lists, which every server that has policies
// has.
func inPolicies(path string) bool {
	words := wordsOf(path)
	return len(words) > 1 && (words[0] == "policies" || words[0] == "policy_groups")
}
