package config

import (
	"fmt"
	"slices"
	"strings"
)

// pairHash reads one entry of organizations: { :source => 'a', :destination =>
// 'b' }, with settings of the pair's own.
func (r *reader) pairHash(pos position, entries hash) (pairNode, bool) {
	p := pairNode{pos: pos, choices: r.all.clone()}
	seen, ok := lineOfKey{}, true
	p.choices.lines = seen
	r.into = &p.choices
	defer func() { r.into = &r.all }()
	for _, e := range entries {
		switch key, _ := e.key.word(); key {
		case "source":
			r.repeated(seen, ":source", e.key.pos)
			p.source = e.value
		case "destination":
			r.repeated(seen, ":destination", e.key.pos)
			p.destination = e.value
		default:
			ok = r.pairSetting(seen, nil, e) && ok
		}
	}
	return p, ok
}

// pairSetting reads a setting, or a group of settings, of one pair. It returns
// false if there is none of this name.
func (r *reader) pairSetting(seen lineOfKey, group []string, e entry) bool {
	key, _ := e.key.word()
	path := append(slices.Clone(group), key)
	rows := slices.DeleteFunc(r.below(path), func(row row) bool { return !row.perPair })
	switch {
	case len(rows) == 0:
		r.fail(e.key.pos, r.noPairKey(group, e.key), r.pairKeyHint(group, key))
		return false
	case len(rows[0].path) == len(path):
		r.repeated(seen, rows[0].name(), e.key.pos)
		rows[0].set(r, rows[0].name(), e.value)
		return true
	}
	inner, ok := e.value.val.(hash)
	if !ok {
		r.fail(e.value.pos, joinPath(path)+" is a group of settings, not "+e.value.what(),
			"write :"+key+" => { "+join(rows, func(row row) string { return ":" + row.path[len(path)] + " => …" })+" }")
		return true
	}
	for _, one := range inner {
		ok = r.pairSetting(seen, path, one) && ok
	}
	return ok
}

// repeated remarks on a key that stands in an entry for the second time.
func (r *reader) repeated(seen lineOfKey, name string, pos position) {
	if line, again := seen[name]; again {
		r.notice(pos.line, name, fmt.Sprintf("%s is set again for the same pair; what line %d says has no effect.", name, line))
	}
	seen[name] = pos.line
}

// noPairKey says that an entry, or a group in one, has no such key.
func (r *reader) noPairKey(group []string, key node) string {
	if len(group) > 0 {
		return fmt.Sprintf("%v is not part of %s", key, joinPath(group))
	}
	return fmt.Sprintf("%v is not part of a pair of organizations", key)
}

// pairKeyHint says which key of an entry may have been meant.
func (r *reader) pairKeyHint(group []string, key string) string {
	keys := pairKeys(group)
	if len(group) == 0 {
		keys = append([]string{"source", "destination"}, keys...)
		if rows := r.below([]string{key}); len(rows) > 0 {
			return "it counts for all pairs: write " + key + " outside organizations"
		}
	}
	for _, k := range keys {
		if slices.Contains(pairKeys([]string{k}), key) {
			return "write :" + k + " => { :" + key + " => … }"
		}
	}
	var paths [][]string
	for _, k := range keys {
		paths = append(paths, []string{k})
	}
	if near, found := nearest([]string{key}, paths); found {
		return "did you mean :" + near + "?"
	}
	return "the keys are :" + strings.Join(keys, ", :")
}

// pairKeys returns the keys of an entry that are settings, or those of a group
// of them.
func pairKeys(group []string) []string {
	var out []string
	for _, row := range scopeRows() {
		n := len(group)
		if len(row.path) > n && slices.Equal(row.path[:n], group) && !slices.Contains(out, row.path[n]) {
			out = append(out, row.path[n])
		}
	}
	return out
}

func pairKeyNames() string { return ":" + strings.Join(pairKeys(nil), ", :") }
