package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// firstAttributes are those that pairs set which were started before
// [versionAttributes].
var firstAttributes = strings.Join([]string{
	attrOrganization.GetName(), attrReplica.GetName(), attrMode.GetName(), attrUnsynced.GetName(),
}, " ")

// registered returns the search attributes that may be set, with blanks between. A
// workflow task that sets one which the namespace lacks fails, and is tried again
// until its worker knows better; so the worker is asked anew each time. Only an
// answer that differs from the last one costs an event.
func (r *run) registered(ctx workflow.Context) string {
	if !r.asks {
		if r.opts.SearchAttributes {
			return firstAttributes
		}
		return ""
	}
	var names string
	answer := workflow.MutableSideEffect(ctx, "search-attributes",
		func(workflow.Context) any { return strings.Join(slices.Sorted(slices.Values(r.attributes())), " ") },
		func(a, b any) bool { return a == b })
	if err := answer.Get(&names); err != nil {
		r.log.Warn("search attributes not known", "err", err)
	}
	return names
}

// upsert sets the search attributes, if they are not as last set.
func (r *run) upsert(ctx workflow.Context) {
	now := shown{names: r.registered(ctx), mode: r.state.Mode, unsynced: len(r.state.Unsynced), lag: -1}
	if now.has(attrLag) {
		now.lag = r.state.lag()
	}
	if now.names == "" || now == r.shown {
		return
	}
	r.shown = now
	var updates []temporal.SearchAttributeUpdate
	set := func(key temporal.SearchAttributeKey, u temporal.SearchAttributeUpdate) {
		if now.has(key) {
			updates = append(updates, u)
		}
	}
	set(attrOrganization, attrOrganization.ValueSet(r.in.Pair.Destination))
	set(attrReplica, attrReplica.ValueSet(r.in.Pair.Replica))
	set(attrMode, attrMode.ValueSet(string(now.mode)))
	set(attrUnsynced, attrUnsynced.ValueSet(int64(now.unsynced)))
	if now.lag >= 0 {
		set(attrLag, attrLag.ValueSet(now.lag))
	} else {
		set(attrLag, attrLag.ValueUnset())
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		r.log.Warn("search attributes not set", "err", err)
	}
}

// has reports whether a search attribute may be set.
func (s shown) has(key temporal.SearchAttributeKey) bool {
	return slices.Contains(strings.Fields(s.names), key.GetName())
}

// lag is how many changes are known to follow the last page, rounded down to a
// power of ten, so that a pair which catches up is no event per page; -1 = not known.
func (s *State) lag() int64 {
	switch {
	case s.Behind < 0, s.comparing() && s.Survey == nil:
		return -1
	case s.Behind == 0:
		return 0
	}
	lag := int64(1)
	for lag <= s.Behind/10 {
		lag *= 10
	}
	return lag
}
