package config

import (
	"maps"
	"slices"

	"github.com/chef-sync/chef-sync/internal/maintenance"
	"github.com/chef-sync/chef-sync/internal/object"
)

// PairSettings are how one pair is replicated.
type PairSettings struct {
	Scope object.Scope // complete: Kinds in the order of writes

	Extras      Extras
	DeleteLimit DeleteLimit

	// Thaw lets what no Chef server changes be deleted on the replica and made
	// anew where it differs.
	Thaw bool

	// VerifyAt is the time of day, "HH:MM" in UTC, at which everything is re-read
	// on both sides and compared; "" = never.
	VerifyAt string

	// Maintenance is when the pair rests.
	Maintenance maintenance.Windows
}

// Settings returns how a pair is replicated: what its entry in organizations
// says, else what the file says for all pairs. For a pair that is not one of
// Pairs it is what the file says for all.
func (c *Config) Settings(p object.Pair) PairSettings {
	s, ok := c.own[p]
	if !ok {
		s = c.all
	}
	s.Scope.Kinds = s.Scope.InOrder()
	s.Scope.Include, s.Scope.Exclude = slices.Clone(s.Scope.Include), slices.Clone(s.Scope.Exclude)
	s.Maintenance = slices.Clone(s.Maintenance)
	return s
}

// choices are settings of pairs while they are read: those for all pairs, or
// those of one, which begin as a copy of them.
type choices struct {
	PairSettings // without Scope.Kinds

	kinds     []object.Kind       // of the setting kinds
	lines     lineOfKey           // where the entry of a pair sets them
	requested map[object.Kind]int // kinds that are switched on, with the line that does
}

func (c choices) clone() choices {
	c.requested = maps.Clone(c.requested)
	return c
}

// has reports whether a kind is switched on.
func (c choices) has(k object.Kind) bool {
	_, on := c.requested[k]
	return on
}

// settings puts the kinds together.
func (c choices) settings() PairSettings {
	s := c.PairSettings
	s.Scope.Kinds = slices.DeleteFunc(object.Kinds(), func(k object.Kind) bool {
		return !c.has(k) && !slices.Contains(c.kinds, k)
	})
	return s
}

// choose records how a pair is replicated.
func (r *reader) choose(pair object.Pair, c choices) {
	if r.cfg.own == nil {
		r.cfg.own = map[object.Pair]PairSettings{}
	}
	r.cfg.own[pair] = c.settings()
	r.own[pair] = c.lines
	r.noticeNodes(c)
}

// noticeNodes warns of what replicated nodes mean to chef-clients, once for each
// line that switches them on.
func (r *reader) noticeNodes(c choices) {
	if !c.has(object.KindNode) {
		return
	}
	n := Notice{c.requested[object.KindNode], "nodes", "Nodes are replicated: their run lists belong to the primary, " +
		"and what a chef-client saves on the replica is overwritten."}
	if !c.has(object.KindACL) || !c.has(object.KindClient) {
		n.Message = "Nodes are replicated: a chef-client that later registers against the replica gets 403 on a node that chef-sync made, " +
			"unless acls and clients are true as well. The run list of a node belongs to one server."
	}
	if !slices.Contains(r.cfg.Notices, n) {
		r.cfg.Notices = append(r.cfg.Notices, n)
	}
}
