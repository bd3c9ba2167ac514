package chefserver

import (
	"net/http"
	"regexp"
	"strings"
)

// The name rules of erchef, anchored.
var (
	reName   = regexp.MustCompile(`^[.A-Za-z0-9_:-]+$`)       // roles, nodes, bags, items, keys
	reSimple = regexp.MustCompile(`^[.A-Za-z0-9_-]+$`)        // environments, cookbooks, clients
	reLong   = regexp.MustCompile(`^[.A-Za-z0-9_:-]{1,255}$`) // policies, their groups and revisions, artifacts
	reUser   = regexp.MustCompile(`^[a-z0-9_-]+$`)
	reOrg    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,254}$`)
	// At most 1023 characters, in two halves: a repeat count ends at 1000.
	reFullName = regexp.MustCompile(`^\S.{0,511}.{0,511}$`)
	reChecksum = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)
)

var (
	reConstraint = regexp.MustCompile(`^(?:(=|>|<|>=|<=|~>)\s+|(=|>|<|>=|<=|~>))?(\d+\.\d+(?:\.\d+)?)$`)
	reRunItem    = regexp.MustCompile(`^(?:[.\w-]+(?:::[.\w-]+)?(?:@\d+\.\d+(?:\.\d+)?)?` +
		`|recipe\[[.\w-]+(?:::[.\w-]+)?(?:@\d+\.\d+(?:\.\d+)?)?\]` +
		`|role\[[.\w:-]+\])$`)
)

func badRequest(format string, args ...any) *reply {
	return fail(http.StatusBadRequest, format, args...)
}

// onlyKeys answers 400 for the first key that is not in the list.
func onlyKeys(o *object, allowed ...string) *reply {
	for _, k := range o.keys {
		found := false
		for _, a := range allowed {
			found = found || a == k
		}
		if !found {
			return badRequest("Invalid key %s in request body", k)
		}
	}
	return nil
}

// checkName demands a string field that fits the rule.
func checkName(o *object, field string, rule *regexp.Regexp) *reply {
	v, ok := o.get(field)
	if !ok {
		return badRequest("Field '%s' missing", field)
	}
	if s, ok := v.(string); !ok || !rule.MatchString(s) {
		return badRequest("Field '%s' invalid", field)
	}
	return nil
}

// fixed fills in a field that can have one value only, or answers 400.
func fixed(o *object, field, value string) *reply {
	o.setDefault(field, value)
	if s, ok := o.vals[field].(string); !ok || s != value {
		return badRequest("Field '%s' invalid", field)
	}
	return nil
}

// optionalString fills in an empty string, or answers 400 for another type.
func optionalString(o *object, field string) *reply {
	o.setDefault(field, "")
	if _, ok := o.vals[field].(string); !ok {
		return badRequest("Field '%s' invalid", field)
	}
	return nil
}

// optionalHash fills in an empty object, or answers 400 for another type.
func optionalHash(o *object, field string) *reply {
	o.setDefault(field, newObject())
	if _, ok := o.vals[field].(*object); !ok {
		return badRequest("Field '%s' is not a hash", field)
	}
	return nil
}

// runList puts a run list into erchef's form: bare names are recipes, exact
// repetitions are dropped. It reports false for what is no run list.
func runList(v any) ([]any, bool) {
	items, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out, seen := []any{}, map[string]bool{}
	for _, item := range items {
		s, ok := item.(string)
		if !ok || !reRunItem.MatchString(s) {
			return nil, false
		}
		if !strings.Contains(s, "[") {
			s = "recipe[" + s + "]"
		}
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out, true
}

// firstOf returns the first reply that is not nil.
func firstOf(replies ...*reply) *reply {
	for _, p := range replies {
		if p != nil {
			return p
		}
	}
	return nil
}
