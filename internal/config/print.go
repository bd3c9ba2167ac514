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
