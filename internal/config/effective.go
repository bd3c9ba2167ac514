package config

import (
	"slices"

	"github.com/chef-sync/chef-sync/internal/object"
)

// A Source says where the value of a setting comes from.
type Source string

// The sources that this package knows. Flags and the environment override values
// elsewhere.
const (
	FromDefault Source = "default"
	FromFile    Source = "file"    // Effective.Line of it
	FromSetting Source = "setting" // another one, Effective.Name of it
)

// An Effective is one setting with the value that counts.
type Effective struct {
	Setting

	// Literal is the value as a file would hold it: paths are absolute, durations
	// have units. "" if the file sets it to something that was not understood, or,
	// with Line 0, does not set what it has to.
	Literal string

	// Value is the same for JSON: nil, bool, int64, float64, string, []any or
	// map[string]any. Both hide what is secret.
	Value any

	// DefaultValue is what Value is with an empty file.
	DefaultValue any

	Source Source
	Line   int    // where the file sets it; 0 if it does not
	Via    string // the other setting that it comes from; or another name of it, if that one is in Line

	// Changed says that the value is not the one of an empty file.
	Changed bool
}

// origin is a value that was read, and where it comes from.
type origin struct {
	value  node
	line   int
	via    string
	broken bool // it was not understood
}

// lineOfKey is where an entry of organizations sets what, by the name of the
// setting.
type lineOfKey map[string]int

// understood notes what a setter made of a value.
func (r *reader) understood(name string, value any) {
	o := r.origins[name]
	o.value = lit(value)
	r.origins[name] = o
}

// derive notes a value that comes from another setting.
func (r *reader) derive(name string, value any, via string) {
	if o := r.origins[name]; !o.broken {
		r.origins[name] = origin{value: lit(value), line: o.line, via: via}
	}
}

// called notes the value of a setting that the file may call by another name.
func (r *reader) called(name, by string, value any) {
	o := origin{value: lit(value), line: r.lines[by].line, broken: value == ""}
	if by != name {
		o.via = by
	}
	r.origins[name] = o
}

// organizations notes the pairs.
func (r *reader) organizations(from string, broken bool) {
	pairs := list{}
	for _, p := range r.cfg.Pairs {
		pairs = append(pairs, node{val: hash{
			{node{val: symbol("source")}, node{val: p.Source}}, {node{val: symbol("destination")}, node{val: p.Destination}},
		}})
	}
	o := origin{value: node{val: pairs}, line: r.lines[from].line, broken: broken}
	switch {
	case from == "master" && broken:
		o.line = 0
	case from == "master":
		o.line, o.via = 0, from
	case from != "organizations":
		o.via = from
	}
	if len(pairs) > 0 || broken {
		r.origins["organizations"] = o
	}
}

// Effective returns every setting that has an effect, with the value that counts
// for the host and for pairs that do not say otherwise. Of several names of one
// setting only the first is there.
func (c *Config) Effective() []Effective {
	return effective(c.hostOrigins(), Defaults().hostOrigins(), func(r row) bool { return true })
}

// EffectiveOf returns the settings that count for one of Pairs.
func (c *Config) EffectiveOf(p object.Pair) []Effective {
	values := pairValues(c.Settings(p))
	origins := c.hostOrigins()
	for name, v := range values {
		o := origins[name]
		if line, own := c.ownLines[p][name]; own {
			o = origin{line: line}
		}
		o.value = v
		origins[name] = o
	}
	return effective(origins, Defaults().hostOrigins(), func(r row) bool { return r.perPair })
}

// hostOrigins are the origins of all settings.
func (c *Config) hostOrigins() map[string]origin {
	out := map[string]origin{}
	for name, o := range c.origins {
		out[name] = o
	}
	for name, v := range pairValues(c.all) {
		if o := out[name]; !o.broken {
			o.value = v
			out[name] = o
		}
	}
	return out
}

// effective makes the rows of a table.
func effective(origins, defaults map[string]origin, wanted func(row) bool) []Effective {
	var out []Effective
	for _, r := range table() {
		if r.why != "" || r.alias() || !wanted(r) {
			continue
		}
		o, def := origins[r.name()], defaults[r.name()]
		if r.implied {
			def = origin{value: lit(r.def)}
		}
		e := Effective{Setting: r.setting(), DefaultValue: native(def.value), Line: o.line, Via: o.via, Source: FromDefault, Changed: o.broken}
		switch {
		case o.line > 0:
			e.Source = FromFile
		case o.via != "":
			e.Source = FromSetting
		}
		if !o.broken {
			e.Changed = o.value.String() != def.value.String()
			shown := concealed(r, o.value)
			e.Literal, e.Value = shown.String(), native(shown)
		}
		out = append(out, e)
	}
	return out
}

// alias reports whether the setting is another name of one.
func (r row) alias() bool {
	return r.implied && !slices.Contains([]string{"master", "replica", "organizations"}, r.name())
}

// pairValues are the settings of a pair, by name.
func pairValues(s PairSettings) map[string]node {
	kinds := list{}
	scope := s.Scope.InOrder()
	for _, k := range object.DefaultKinds() {
		if slices.Contains(scope, k) {
			kinds = append(kinds, lit(symbol(k)))
		}
	}
	out := map[string]node{
		"kinds": {val: kinds}, "include": lit(s.Scope.Include), "exclude": lit(s.Scope.Exclude), "extras": lit(symbol(s.Extras)),
		"delete_limit['percent']": lit(s.DeleteLimit.Percent), "delete_limit['objects']": lit(s.DeleteLimit.Objects),
		"thaw": lit(s.Thaw), "verify_at": lit(s.VerifyAt), "maintenance": lit(s.Maintenance.Texts()),
	}
	if len(kinds) == len(object.DefaultKinds()) {
		out["kinds"] = lit(symbol("all"))
	}
	for _, t := range toggles() {
		out[t.name] = lit(slices.Contains(scope, t.kind))
	}
	return out
}

// native is a literal as JSON has it.
func native(n node) any {
	switch v := n.val.(type) {
	case symbol:
		return string(v)
	case list:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = native(item)
		}
		return out
	case hash:
		out := make(map[string]any, len(v))
		for _, e := range v {
			key, _ := e.key.word()
			out[key] = native(e.value)
		}
		return out
	}
	return n.val
}
