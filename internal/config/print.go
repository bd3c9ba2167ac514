package config

import (
	"net/url"
	"slices"
	"strings"
)

// hidden stands for a secret value in [Config.Ruby].
const hidden = "(hidden)"

// concealed hides what is secret in the value of a setting.
func concealed(r row, v node) node {
	if text, ok := v.val.(string); ok && r.name() == "staging" {
		return node{val: ShownStaging(text)}
	}
	if !r.secret {
		return v
	}
	switch x := v.val.(type) {
	case hash:
		return hide(x)
	case string:
		if x != "" {
			return node{val: hiddenURL(x)}
		}
	}
	return v
}

// plainParameters are those in the URL of a staging store that hold no secret. See
// https://pkg.go.dev/gocloud.dev/blob/s3blob#URLOpener and V2ConfigFromURLParams.
var plainParameters = []string{
	"region", "prefix", "endpoint", "profile", "use_path_style", "s3ForcePathStyle", "hostname_immutable", "disable_https", "accelerate",
	"dualstack", "fips", "anonymous", "ssetype", "kmskeyid", "rate_limiter_capacity", "request_checksum_calculation",
	"response_checksum_validation", "create_dir", "no_tmp_dir", "dir_file_mode", "metadata",
}

// ShownStaging is the URL of a staging store as it may be shown: without the user, and
// without the values of parameters that may be secret.
func ShownStaging(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return hidden
	}
	if u.User != nil {
		return u.Scheme + "://" + hidden
	}
	base, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		name, value, given := strings.Cut(p, "=")
		plain, err := url.QueryUnescape(value)
		in, bad := url.Parse(plain) // an endpoint may have a user, too
		if !slices.Contains(plainParameters, name) || err != nil || bad != nil || in.User != nil || in.RawQuery != "" {
			if parameters[i] = hidden; given {
				parameters[i] = name + "=" + hidden
			}
		}
	}
	return base + "?" + strings.Join(parameters, "&")
}

// Ruby prints the configuration as a complete chef-sync.rb: every setting that
// has an effect, with its value and a comment. Parsing it gives an equal
// configuration, except that the values of secret settings are hidden. Values
// that flags or the environment override are those of the file.
func (c *Config) Ruby() string {
	return c.print(concealed)
}

// hiddenURL is a URL that hides another one; that of a database may also be a DSN.
func hiddenURL(secret string) string {
	if u, err := url.Parse(secret); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return u.Scheme + "://" + hidden
	}
	return "postgres://" + hidden
}

// print prints each setting's value as show returns it.
func (c *Config) print(show func(row, node) node) string {
	var b strings.Builder
	for _, r := range table() {
		v, set := c.given[r.name()]
		if !set {
			v = lit(r.def)
		}
		if r.why != "" || v.val == nil || r.implied && !set {
			continue
		}
		b.WriteString("# " + r.doc)
		if !set {
			b.WriteString(" (default)")
		}
		b.WriteString("\n" + printSetting(r, show(r, v)) + "\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// printSetting prints one statement in a form that Ruby would read alike; an
// array of hashes, as organizations mostly is, with one on each line.
func printSetting(r row, v node) string {
	if items, ok := v.val.(list); ok && len(r.path) == 1 && slices.ContainsFunc(items, isHash) {
		lines := make([]string, len(items))
		for i, item := range items {
			lines[i] = "  " + item.String() + ",\n"
		}
		return r.name() + " [\n" + strings.Join(lines, "") + "]"
	}
	if len(r.path) > 1 {
		return r.name() + " = " + v.String()
	}
	if isHash(v) {
		return r.name() + "(" + v.String() + ")"
	}
	return r.name() + " " + v.String()
}

func isHash(n node) bool {
	_, ok := n.val.(hash)
	return ok
}

// hide replaces the values of a hash.
func hide(fields hash) node {
	out := hash{}
	for _, e := range fields {
		out = append(out, entry{e.key, node{val: hidden}})
	}
	return node{val: out}
}
