package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/maintenance"
	"github.com/chef-sync/chef-sync/internal/object"
)

// kinds reads :all or an array of kinds, singular or plural. What has no place
// without another kind needs that one in the array.
func kinds(r *reader, name string, v node) {
	all := object.DefaultKinds()
	if s, ok := v.word(); ok && s == "all" {
		r.into.kinds = all
		return
	}
	items, ok := v.val.(list)
	if !ok || len(items) == 0 {
		r.fail(v.pos, fmt.Sprintf("%s cannot be %v", name, v), "write :all, or an array of "+kindNames())
		return
	}
	chosen := map[object.Kind]bool{}
	for _, item := range items {
		word, _ := item.word()
		k, ok := kind(word, all)
		if !ok {
			r.noKind(item, word)
		}
		chosen[k] = true
	}
	if chosen[object.KindDataBagItem] && !chosen[object.KindDataBag] {
		r.fail(v.pos, "data bag items cannot be replicated without their bags", "add :data_bag")
	}
	r.into.kinds = slices.DeleteFunc(all, func(k object.Kind) bool { return !chosen[k] })
}

// noKind reports an item of kinds that is none, or is one with a setting of its
// own.
func (r *reader) noKind(item node, word string) {
	for _, t := range toggles() {
		if _, ok := kind(word, []object.Kind{t.kind}); ok || word == t.name {
			r.fail(item.pos, fmt.Sprintf("%v is replicated on request only, not by kinds", item),
				"leave it out, and write `"+t.name+" true`, or :"+t.name+" => true in an entry of organizations")
			return
		}
	}
	r.fail(item.pos, fmt.Sprintf("%v is not a kind of object", item), "the kinds are "+kindNames())
}

// kind finds one of some kinds by its name or its plural.
func kind(word string, of []object.Kind) (object.Kind, bool) {
	singular := strings.TrimSuffix(word, "s")
	if stem, ok := strings.CutSuffix(word, "ies"); ok {
		singular = stem + "y"
	}
	for _, k := range of {
		if string(k) == word || string(k) == singular {
			return k, true
		}
	}
	return "", false
}

// request reads whether a kind is replicated that is so on request only.
func request(k object.Kind) setter {
	return func(r *reader, name string, v node) {
		var on bool
		flag(func(*reader) *bool { return &on })(r, name, v)
		if !on {
			delete(r.into.requested, k)
			return
		}
		if r.into.requested == nil {
			r.into.requested = map[object.Kind]int{}
		}
		r.into.requested[k] = v.pos.line
	}
}

// globs reads globs over refs.
func globs(to func(*reader) *[]string) setter {
	const want = "globs over the paths of objects, as in ['/roles/web-*', '/data/secrets', '/cookbooks/*/1.*']"
	return func(r *reader, name string, v node) {
		items, ok := v.val.(list)
		if !ok {
			items = list{v}
		}
		var out []string
		for _, item := range items {
			s, ok := item.val.(string)
			if !ok {
				r.fail(item.pos, fmt.Sprintf("%s cannot hold %v", name, item), "write "+want)
			} else if err := object.CheckGlob(s); err != nil {
				r.fail(item.pos, name+": "+err.Error(), "write "+want)
			}
			out = append(out, s)
		}
		*to(r) = out
	}
}

// windows reads windows of maintenance.
func windows(r *reader, name string, v node) {
	const want = "windows as in " + maintenance.Wanted
	items, ok := v.val.(list)
	if !ok {
		items = list{v}
	}
	var out maintenance.Windows
	for _, item := range items {
		text, ok := item.val.(string)
		if !ok {
			r.fail(item.pos, fmt.Sprintf("%s cannot hold %v", name, item), "write "+want)
			continue
		}
		w, err := maintenance.Parse(text)
		if err != nil {
			r.fail(item.pos, name+": "+err.Error(), "write "+want)
			continue
		}
		out = append(out, w)
	}
	// Any week shows it, as windows repeat.
	if out.Always(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)) {
		r.fail(v.pos, name+" leaves no time at all to replicate", "leave hours out, or stop the pair: chef-sync-ctl sync-stop ORG")
	}
	r.into.Maintenance = out
}

var hourMinute = regexp.MustCompile(`^(?:[01]\d|2[0-3]):[0-5]\d$`)

// timeOfDay reads "HH:MM" or "".
func timeOfDay(to func(*reader) *string) setter {
	const want = "a time of day in quotes, from '00:00' to '23:59' in UTC, or '' for never"
	return func(r *reader, name string, v node) {
		s, ok := v.val.(string)
		switch {
		case !ok:
			r.wrong(name, v, want)
		case s != "" && !hourMinute.MatchString(s):
			r.fail(v.pos, name+" cannot be "+quote(s), "write "+want)
		default:
			*to(r) = s
		}
	}
}
