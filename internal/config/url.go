package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// serverURL reads the URL of a server, with or without an organization at the
// end. It returns "" after it reported a problem.
func (r *reader) serverURL(name string, v node, hasOrganizations bool) (root, org string) {
	text, _ := v.val.(string)
	u, err := url.Parse(strings.TrimSpace(text))
	if message, hint := urlProblem(text, u, err); message != "" {
		r.fail(v.pos, "the URL of "+name+" "+message, hint)
		return "", ""
	}
	path, org, ok := splitOrganization(u.Path)
	u.Path = path
	root = u.String()
	switch {
	case !ok:
		r.fail(v.pos, "the URL of "+name+" goes on after its organization", "write '"+root+"/organizations/ORG', or '"+root+"' alone")
		return "", ""
	case org == "":
	case !hasOrganizations:
		r.fail(v.pos, "the URL of "+name+" names an organization, but "+name+"_organizations is false", "write '"+root+"', or remove "+name+"_organizations")
		return "", ""
	case !orgName.MatchString(org):
		r.fail(v.pos, "the URL of "+name+" names '"+org+"', which is not the name of an organization", "write '"+root+"' and the organization in organizations")
		return "", ""
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		r.notice(v.pos.line, name, "The connection to the "+name+" is not encrypted: others can read data bags on their way. Write https:// if the server has it.")
	}
	return root, org
}

// urlProblem says what is wrong with the URL of a server, and what to write.
// The messages do not repeat the URL: it may hold a password.
func urlProblem(text string, u *url.URL, err error) (message, hint string) {
	switch {
	case text == "":
		return "is empty", "write 'https://chef.example.com'"
	case err != nil, !strings.Contains(text, "://"):
		if hostPattern.MatchString(strings.SplitN(text, "/", 2)[0]) {
			return "has no https:// at its start", "write 'https://" + text + "'"
		}
		return "is no URL", "write one such as 'https://chef.example.com'"
	case u.Scheme != "https" && u.Scheme != "http":
		return "begins with " + u.Scheme + "://", "write 'https://" + u.Host + "'"
	case u.User != nil:
		return "holds a user or a password", "remove it: requests are signed with a key; a proxy's password goes into the headers"
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "has a part after ? or #", "end it with the host, the port, or /organizations/ORG"
	case !validHost(u):
		return "has no valid host and port", "write one such as 'https://chef.example.com' or 'https://10.0.0.5:8443'"
	case u.RawPath != "" || strings.Contains(u.Path, "//"):
		return "has a path that no Chef server has", "end it with the host, the port, or /organizations/ORG"
	}
	return "", ""
}

func validHost(u *url.URL) bool {
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return false
		}
	}
	return hostPattern.MatchString(u.Host)
}

// splitOrganization splits "/organizations/ORG" from the end of a path. It
// returns false if something follows the organization, or none does.
func splitOrganization(path string) (prefix, org string, ok bool) {
	path = strings.TrimRight(path, "/")
	prefix, rest, found := strings.Cut(path+"/", "/organizations/")
	if !found {
		return path, "", true
	}
	org = strings.TrimSuffix(rest, "/")
	return prefix, org, org != "" && !strings.Contains(org, "/")
}

// sameServer reports whether two URLs name the same server for certain. Two
// names of one host are not noticed, but for those of this host.
func sameServer(a, b *Server) bool {
	return a.URL != "" && canonical(a.URL) == canonical(b.URL)
}

// OneServer reports whether the primary and the replica are one server for certain,
// however their URLs are written.
func (c *Config) OneServer() bool { return sameServer(&c.Primary, &c.Replica) }

// canonical makes equal what is the same to a client.
func canonical(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	if loopback(host) {
		host = "localhost"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(host, port) + u.Path
}

// loopback reports whether host is this host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
