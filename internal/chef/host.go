package chef

import (
	"fmt"
	"net/url"
	"strings"
)

// A hostRule allows files on some host beside the server's own.
type hostRule struct {
	host  string // lower case; with a leading dot: every host below
	port  string // "" allows every port
	plain bool   // allows http
}

// parseHostRules reads [Options.FileHosts] for a server at root.
func parseHostRules(root *url.URL, entries []string) ([]hostRule, error) {
	var out []hostRule
	for _, entry := range entries {
		rule := hostRule{plain: root.Scheme == "http"}
		rest, isPlain := strings.CutPrefix(entry, "http://")
		rule.plain = rule.plain || isPlain
		rest = strings.TrimPrefix(rest, "https://")
		u, err := url.Parse("//" + strings.TrimSuffix(rest, "/"))
		if err != nil || u.Hostname() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
			return nil, fmt.Errorf("file host %q is not HOST or HOST:PORT", entry)
		}
		rule.host, rule.port = strings.ToLower(u.Hostname()), u.Port()
		if below, ok := strings.CutPrefix(rule.host, "*."); ok {
			rule.host = "." + below
		}
		out = append(out, rule)
	}
	return out, nil
}

func (r hostRule) allows(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	if strings.HasPrefix(r.host, ".") && !strings.HasSuffix(host, r.host) || !strings.HasPrefix(r.host, ".") && host != r.host {
		return false
	}
	return (r.port == "" || r.port == portOf(u)) && (r.plain || u.Scheme == "https")
}

// portOf is the port of a URL, also if it goes without saying.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// fileURL finds the URL of a file, which may be relative to the server's root,
// and refuses it with [ErrForeignHost] unless its host is allowed: a manifest is
// data, and data must not choose whom we talk to.
func (c *Client) fileURL(method, text string) (*url.URL, error) {
	ref, err := url.Parse(text)
	if err != nil {
		return nil, &APIError{
			Method: method, URL: "a file", Message: "the URL of the file is not a URL", Err: ErrNotChef, class: ClassPair,
		}
	}
	base := *c.root
	base.Path += "/"
	u := base.ResolveReference(ref)
	shown := shownFile(u)
	if (u.Scheme == "http" || u.Scheme == "https") && u.User == nil {
		if u.Scheme == c.root.Scheme && c.isOwn(u) {
			return u, nil
		}
		for _, rule := range c.fileHosts {
			if rule.allows(u) {
				return u, nil
			}
		}
	}
	e := &APIError{Method: method, URL: shown, Err: ErrForeignHost, class: ClassPair}
	e.Hint = fmt.Sprintf("the server keeps its files on %s: if that is right, add it to the file hosts of this server", u.Host)
	if strings.EqualFold(u.Hostname(), c.root.Hostname()) && u.Scheme == "http" && c.root.Scheme == "https" {
		e.Hint = "the server speaks https and names its files with http: correct its api_fqdn or bookshelf URL, " +
			"or add http://" + u.Host + " to the file hosts if you accept that"
	}
	return nil, e
}

// isOwn reports whether a URL is one of the server itself. Chef servers name their
// files with the port, also where it goes without saying.
func (s *shared) isOwn(u *url.URL) bool {
	return strings.EqualFold(u.Hostname(), s.root.Hostname()) && portOf(u) == portOf(s.root)
}

// shownFile is a file's URL for messages: no query, since it holds a signature.
func shownFile(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
