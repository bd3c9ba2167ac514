package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
)

// A reader turns one file into one Config and collects what is wrong with it.
type reader struct {
	name string // of the file
	dir  string // of relative paths
	rows []row
	cfg  *Config

	all  choices  // how pairs are replicated
	into *choices // what the settings of a pair are read into: all, or one pair's

	given  map[string]node     // values by the name of the setting
	lines  map[string]position // where each was set
	failed map[string]bool     // settings, by their first name, whose statement was not understood

	origins map[string]origin         // what came of them
	own     map[object.Pair]lineOfKey // where the entry of a pair sets what

	syncUser, syncKey string

	problems Problems
}

func newReader(name string) *reader {
	r := &reader{
		name: name, dir: filepath.Dir(name), rows: table(), cfg: &Config{File: name},
		given: map[string]node{}, lines: map[string]position{}, failed: map[string]bool{},
		origins: map[string]origin{}, own: map[object.Pair]lineOfKey{},
	}
	r.into = &r.all
	return r
}

func (r *reader) fail(pos position, message, hint string) {
	r.problems = append(r.problems, Problem{r.name, pos.line, pos.column, message, hint})
}

func (r *reader) notice(line int, setting, message string) {
	r.cfg.Notices = append(r.cfg.Notices, Notice{line, setting, message})
}

// drop forgets a value that was reported, so that it is neither used nor
// reported as missing.
func (r *reader) drop(name string) {
	delete(r.given, name)
	r.failed[name] = true
}

// statements reads all that the file sets into given.
func (r *reader) statements(src string) {
	s := &splitter{
		tokens: tokens(r.name, src),
		failed: r.failed,
		report: r.fail,
		known:  func(name string) bool { return len(r.below([]string{name})) > 0 },
	}
	for _, st := range s.dropBlocks(s.run()) {
		a, problems := st.parse()
		for _, one := range problems {
			r.fail(position{one.Line, one.Column}, one.Message, one.Hint)
		}
		if len(problems) > 0 {
			r.failed[st.name()] = true
			continue
		}
		r.assign(a.path, a.value)
	}
}

// assign finds the setting, or the settings, that a path means.
func (r *reader) assign(path []node, value node) {
	var names []string
	for _, key := range path {
		word, ok := key.word()
		if !ok {
			r.fail(key.pos, key.what()+" is not the name of a setting", "write a string, as in ec_sync_client['dir']")
			return
		}
		names = append(names, word)
	}
	pos := path[len(path)-1].pos
	rows := r.below(names)
	if len(rows) == 1 && len(rows[0].path) == len(names) {
		r.give(rows[0], pos, value)
		return
	}
	if len(rows) > 0 {
		r.assignHash(path, names, value)
		return
	}
	for _, row := range r.rows {
		if n := len(row.path); row.open && len(names) == n+1 && slices.Equal(row.path, names[:n]) {
			r.give(row, pos, node{pos, hash{{path[n], value}}})
			return
		}
	}
	r.unknown(pos, names)
}

// assignHash assigns each entry of a hash that is given for a whole group of
// settings: ec_sync_client 'dir' => '/x', 'ha' => true.
func (r *reader) assignHash(path []node, names []string, value node) {
	entries, ok := value.val.(hash)
	if !ok {
		first := r.below(names)[0].path[:len(names)+1]
		r.fail(value.pos, joinPath(names)+" is a group of settings, not "+value.what(), "write "+joinPath(first)+" = …, or a hash")
		return
	}
	for _, e := range entries {
		r.assign(append(slices.Clone(path), e.key), e.value)
	}
}

// below returns the rows whose path begins with names.
func (r *reader) below(names []string) []row {
	var out []row
	for _, row := range r.rows {
		if len(row.path) >= len(names) && slices.Equal(row.path[:len(names)], names) {
			out = append(out, row)
		}
	}
	return out
}

// give records the value of a setting. As in Ruby the last one counts, but the
// earlier is not passed over in silence.
func (r *reader) give(row row, pos position, value node) {
	name := row.name()
	before, again := r.given[name]
	switch old, isHash := before.val.(hash); {
	case again && row.open && isHash:
		if more, ok := value.val.(hash); ok {
			value.val = append(slices.Clone(old), more...)
		}
	case again:
		r.notice(pos.line, name, fmt.Sprintf("%s is set again; what line %d says has no effect.", name, r.lines[name].line))
	case row.why != "":
		r.notice(pos.line, name, fmt.Sprintf("%s has no effect: %s.", name, row.why))
	}
	r.given[name], r.lines[name] = value, pos
}

// values sets each setting to what the file says, else to its default.
func (r *reader) values() {
	for _, row := range r.rows {
		name := row.name()
		value, ok := r.given[name]
		if !ok {
			value = lit(row.def)
		}
		r.origins[name] = origin{value: value, line: r.lines[name].line}
		before := len(r.problems)
		row.set(r, name, value)
		if len(r.problems) > before || !ok && len(row.path) == 1 && r.failed[name] {
			r.origins[name] = origin{line: r.lines[name].line, broken: true}
		}
	}
}

// unknown reports a setting that does not exist, with what may have been meant.
func (r *reader) unknown(pos position, names []string) {
	name := joinPath(names)
	message := "there is no setting " + name
	if len(names) == 1 && slices.Contains(rubyWords, name) {
		r.fail(pos, name+" would need Ruby to run", allowed)
		return
	}
	if near, ok := nearest(names, r.names()); ok {
		r.fail(pos, message, "did you mean "+near+"?")
		return
	}
	if group := r.below(names[:len(names)-1]); len(names) > 1 && len(group) > 1 {
		keys := []string{}
		for _, row := range group {
			if key := row.path[len(names)-1]; !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		r.fail(pos, message, joinPath(names[:len(names)-1])+" has "+strings.Join(keys, ", "))
		return
	}
	r.fail(pos, message, "remove it; none has a name like this, and variables are not read here")
}

// rubyWords are methods that people call in a file that Ruby runs.
var rubyWords = []string{
	"require", "require_relative", "load", "eval", "instance_eval", "from_file", "puts", "print", "p", "raise",
	"import", "include_recipe", "system", "exec", "lambda", "proc", "attr_accessor", "alias", "return", "not",
}

// names returns the paths of all settings and groups of settings.
func (r *reader) names() [][]string {
	var out [][]string
	for _, row := range r.rows {
		for n := range row.path {
			path := row.path[:n+1]
			if !slices.ContainsFunc(out, func(o []string) bool { return slices.Equal(o, path) }) {
				out = append(out, path)
			}
		}
	}
	return out
}
